// `##` at the ends of a body.
#define F(a) a ## // ERROR[E0013]: `##` cannot end
#define G ## b // ERROR[E0013]: `##` cannot start
int x;
