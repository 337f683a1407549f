// The value of a function that returns nothing.
static void nothing(void) {}
int f(void)
{
	int x = nothing(); // ERROR[E0203]: a value is needed here, but the expression is `void`
	return x;
}
