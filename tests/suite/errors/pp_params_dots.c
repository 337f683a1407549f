// Dots that are not the last parameter.
#define F(..., a) a // ERROR[E0012]: `...` must be the last parameter
int x;
