//@ warnings = ["sign-conversion"]
// Signs that change in silence.
unsigned g(unsigned x);

unsigned f(int x, long n)
{
	unsigned y = x;

	y = y + x;
	return g(x) + (x & 15);
}
