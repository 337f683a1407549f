// A struct passed where an integer is wanted.
struct pair { int a, b; };
static int twice(int a) { return a * 2; }
int f(struct pair p)
{
	return twice(p); // ERROR[E0203]: `struct pair` cannot be passed as argument 1 to a parameter of type `int`
}
