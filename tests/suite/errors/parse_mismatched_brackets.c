// `[` closed by `)`.
int f(int *a)
{
	return a[0) + a[1];
}
