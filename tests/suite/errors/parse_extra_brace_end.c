// A `}` too many after a function.
int f(int a)
{
	return a;
}
}
int g;
