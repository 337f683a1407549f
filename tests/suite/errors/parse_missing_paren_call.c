// An argument list is not closed.
int g(int, int);
int f(int a)
{
	return g(a, (a + 1) * 2;
}
