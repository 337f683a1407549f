// Addition of pointers.
long f(char *a, char *b)
{
	return a + b; // ERROR[E0204]: `+` cannot be applied to these operands
}
