// Brackets before the name.
int f(void)
{
	int[4] a;
	return 0;
}
