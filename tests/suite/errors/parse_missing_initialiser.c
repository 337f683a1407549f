// `=` without a value.
int f(void)
{
	int a = ;
	return a;
}
