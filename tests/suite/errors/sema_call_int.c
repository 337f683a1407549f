// A call of something that is no function.
int f(int x)
{
	return x(1); // ERROR[E0220]: only functions can be called, not `int`
}
