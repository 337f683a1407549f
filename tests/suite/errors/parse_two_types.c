// Two types in one declaration.
typedef unsigned int u32;
int f(void)
{
	u32 int x = 1;
	return x;
}
