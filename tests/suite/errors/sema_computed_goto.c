// A computed goto.
int f(int x)
{
	void *target = &&out; // ERROR[E0112]: the address of a label is not supported
	goto *target; // ERROR[E0112]: a computed `goto` is not supported
out:
	return x;
}
