// A builtin that does not exist.
int f(int x)
{
	return __builtin_popcnt(x); // ERROR[E0222]: the builtin `__builtin_popcnt` is not known here
}
