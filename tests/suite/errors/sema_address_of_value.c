// The address of a value.
int *f(int a)
{
	return &(a + 1); // ERROR[E0205]: only an object has an address, this is a value
}
