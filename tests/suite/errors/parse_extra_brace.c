// A `}` too many inside a function.
int f(int a)
{
	if (a)
		a = 1;
	}
	return a;
}
int g;
