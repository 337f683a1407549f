// A parameter list that does not end.
#define F(a, b // ERROR[E0012]: missing `)`
int x;
