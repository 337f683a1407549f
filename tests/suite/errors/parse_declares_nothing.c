// Specifiers without type and name.
static;
int f(void)
{
	const;
	return 0;
}
