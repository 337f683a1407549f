// The body of a function without its opening brace.
int f(int a)
	if (a)
		return 1;
	return 0;
}
int g;
