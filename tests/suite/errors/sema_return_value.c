// A value returned from a void function.
void f(int x)
{
	return x; // ERROR[E0224]: `f` returns nothing, but a value is returned here
}
