// Values need types in front.
int f(void)
{
	int a = 1, = 2;
	int b = 3 4;

	return a + b;
}
