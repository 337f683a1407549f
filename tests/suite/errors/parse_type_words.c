// Type words that make no type.
unsigned float x;
long long long y;
int f(void)
{
	return 0;
}
