// Arithmetic with nothing.
static void nothing(void) {}
int f(int x)
{
	return x + nothing(); // ERROR[E0204]: `+` cannot be applied to these operands
}
