// A function inside a function.
int f(int a)
{
	int g(int b)
	{
		return b;
	}
	return g(a);
}
