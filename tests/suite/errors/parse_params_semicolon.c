// Parameters separated by a semicolon.
int f(int a; int b)
{
	return a + b;
}
