// An unknown type in a function.
int f(int a)
{
	u64 t = a;
	return t > 3;
}
