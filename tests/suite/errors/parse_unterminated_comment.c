// A comment without its end.
int x;
int f(void)
{
	/* nothing here
	return 0;
}
