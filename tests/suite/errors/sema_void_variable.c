// A variable of type void.
int f(void)
{
	void x; // ERROR[E0207]: a variable of type `void`
	return 0;
}
