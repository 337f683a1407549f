// `static` without a type.
static counter = 0;
int f(void)
{
	return counter;
}
