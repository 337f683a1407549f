// A `#` in the middle of a line.
int f(int a)
{
	return a # 1;
}
