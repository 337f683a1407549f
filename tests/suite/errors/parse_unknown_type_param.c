// An unknown type of a parameter.
int f(uint32_t a, int b)
{
	return a + b;
}
