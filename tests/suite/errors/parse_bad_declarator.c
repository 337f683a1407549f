// A number where a name belongs.
int f(void)
{
	int 3x = 4;
	return 0;
}
