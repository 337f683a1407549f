// Results of `?:` that do not fit together.
struct pair { int a, b; };
int f(int x, struct pair p)
{
	return x ? p : 0; // ERROR[E0204]: the two results of `?:` do not fit: `struct pair` and `int`
}
