// An array whose size is a variable.
int f(int n)
{
	char buffer[n]; // ERROR[E0112]: an array whose size is not constant is not supported
	return sizeof(buffer);
}
