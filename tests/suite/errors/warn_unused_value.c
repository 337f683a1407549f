// Statements that compute and throw away.
int f(int x, int *p)
{
	x + 1;
	x == 1;
	*p;
	x ? x + 2 : 0;
	(void)x;
	return x;
}
