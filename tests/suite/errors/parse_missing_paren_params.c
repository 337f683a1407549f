// A parameter list is not closed.
int f(int a, int b
{
	return a + b;
}
int g;
