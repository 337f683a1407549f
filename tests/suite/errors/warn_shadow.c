//@ warnings = ["shadow"]
// Inner names hide outer ones.
int limit = 10;

int f(int x)
{
	for (int i = 0; i < x; i++) {
		int x = i;
		int limit = x;

		if (limit > 3)
			return x;
	}
	return limit;
}
