// A case that is not constant.
int f(int x, int y)
{
	switch (x) {
	case y: return 1; // ERROR[E0217]: the value of a `case` is not constant
	}
	return 0;
}
