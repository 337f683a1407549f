// No comma between initialisers.
int table[] = { 1, 2 3, 4 };
int f(void)
{
	return table[0];
}
