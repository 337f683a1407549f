// A pointer stored in an integer.
int f(void *data)
{
	int start = data; // ERROR[E0228]: `void *` is used to initialise `int`
	return start;
}
