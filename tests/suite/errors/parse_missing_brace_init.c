// A braced initialiser is not closed.
int table[] = { 1, 2, 3;
int f(void)
{
	return table[0];
}
