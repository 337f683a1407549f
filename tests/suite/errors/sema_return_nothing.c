// `return` without the value.
int f(int x)
{
	if (x)
		return; // ERROR[E0224]: `f` returns `int`, but nothing is returned here
	return 1;
}
