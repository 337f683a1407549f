// A struct body is not closed.
struct key {
	int a;
	int b;

int f(void)
{
	return 0;
}
