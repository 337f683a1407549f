// The condition of `if` is not closed.
int f(int a, int b)
{
	if (a > b {
		return a;
	}
	return b;
}
