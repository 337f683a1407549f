// A global without a type.
counter = 0;
int f(void)
{
	return 1;
}
