// A member of an integer.
int f(int x)
{
	return x.pid; // ERROR[E0201]: `int` has no members
}
