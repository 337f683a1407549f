// A call with an argument missing.
static int add(int a, int b) { return a + b; }
int f(int x)
{
	return add(x); // ERROR[E0202]: too few arguments: 2 wanted, 1 given
}
