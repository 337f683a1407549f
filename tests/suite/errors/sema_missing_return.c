// A function whose end can be reached.
int f(int x)
{
	if (x)
		return 1;
} // WARNING[W0208]: the end of `f` can be reached, but its result is `int`
