// An unknown type at file level.
foo_t counter;
int f(void)
{
	return 0;
}
foo_t *g(foo_t x);
