// `#` before what is no parameter.
#define F(a) #b // ERROR[E0013]: `#` must be followed by a parameter
int x;
