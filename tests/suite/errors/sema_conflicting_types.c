// A function declared with another type than before.
int f(int x);
int f(long x) // ERROR[E0209]: declared here as `int (long)`, but before as `int (int)`
{
	return x;
}
