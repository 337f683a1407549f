// An operator without its right operand.
int f(int a)
{
	int b = a + ;
	return b * ;
}
