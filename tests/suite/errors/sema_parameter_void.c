// A parameter of type void among others.
int f(int x, void y) // ERROR[E0218]: a parameter of type `void`
{
	return x;
}
