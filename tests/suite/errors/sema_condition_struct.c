// A struct as a condition.
struct pair { int a, b; };
int f(struct pair x)
{
	if (x) // ERROR[E0204]: a condition cannot be of type `struct pair`
		return 1;
	return 0;
}
