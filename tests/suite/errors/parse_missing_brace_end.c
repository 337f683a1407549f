// The last block is not closed.
int f(int a)
{
	while (a > 0) {
		a--;
	}
	return a;
