// An index is not closed.
int f(int *a)
{
	int x = a[1;
	return x + a[0];
}
