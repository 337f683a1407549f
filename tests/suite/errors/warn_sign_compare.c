//@ warnings = ["sign-compare"]
// A signed length against an unsigned one.
int f(int length, unsigned limit, unsigned char small)
{
	if (length > limit)
		return 1;
	if (small < length)
		return 2;
	if (limit == 7)
		return 3;
	return length == limit;
}
