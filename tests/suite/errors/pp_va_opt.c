// `__VA_OPT__` used wrongly.
#define F(...) __VA_OPT__(a // ERROR[E0013]: missing `)`
#define G(a) __VA_OPT__(a) // ERROR[E0013]: only appear in a variadic macro
#define H(...) __VA_OPT__(__VA_OPT__()) // ERROR[E0013]: cannot be nested
int x;
