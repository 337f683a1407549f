// A call with an argument too many.
static int add(int a, int b) { return a + b; }
int f(int x)
{
	return add(x, x, 1); // ERROR[E0202]: too many arguments: 2 wanted, 3 given
}
