// A clean-up by what is no function.
int f(void)
{
	int x __attribute__((cleanup(release))) = 1; // ERROR[E0215]: `release` is not a function that can clean up
	return x;
}
