// The parts of `for` separated by commas.
int f(int n)
{
	int s = 0, i;
	for (i = 0, i < n, i++)
		s += i;
	return s;
}
