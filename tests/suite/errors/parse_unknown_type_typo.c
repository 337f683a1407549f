// A misspelt type.
typedef unsigned int u32;
typedef unsigned long long u64;
static u23 last;
int f(void)
{
	return last;
}
