// A generic selection without a match.
struct pair { int a, b; };
int f(struct pair p)
{
	return _Generic(p, int: 1, long: 2); // ERROR[E0230]: no association for `struct pair`
}
