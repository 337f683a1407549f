// A string without its closing quote.
char g(const char *);
int f(void)
{
	g("hello);
	return 0;
}
