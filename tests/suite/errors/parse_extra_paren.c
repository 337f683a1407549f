// A `)` too many.
int f(int a)
{
	a = (a + 1));
	return a;
}
