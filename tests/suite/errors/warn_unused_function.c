//@ warnings = ["unused-function"]
// A function that nothing calls any more.
static int helper(int x)
{
	return x + 1;
}

static inline __attribute__((unused)) int kept(int x)
{
	return x;
}

int f(int x)
{
	return x;
}
