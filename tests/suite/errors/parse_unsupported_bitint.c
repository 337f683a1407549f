// A type that is not supported.
int f(void)
{
	_BitInt(7) x = 1;
	return x;
}
