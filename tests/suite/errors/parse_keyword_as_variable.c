// A keyword as the name of a variable.
int f(int a)
{
	int default = a;
	return a;
}
