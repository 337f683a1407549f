// Frames of functions that are at work at once.
void fill(char *p);

__attribute__((noinline)) static int innermost(int n)
{
	char c[200];
	fill(c);
	return c[n & 63];
}

__attribute__((noinline)) static int inner(int n)
{
	char b[200];
	fill(b);
	return b[n & 63] + innermost(n);
}

__attribute__((noinline)) static int beside(int n)
{
	char b[380];
	fill(b);
	return b[n & 63];
}

int outer(int n)
{
	char a[120];
	fill(a);
	return a[n & 63] + inner(n) + beside(n);
}

int small(int n)
{
	return inner(n) + beside(n);
}
