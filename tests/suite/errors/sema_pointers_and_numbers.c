// Pointers are no numbers.
int f(int *p, int n)
{
	int a = p;
	int *b = n;
	int *c = p + p;
	int d = p * 2;

	return a + *b + *c + d + ~p;
}
