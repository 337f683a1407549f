// Two `else` for one `if`.
int f(int a)
{
	if (a > 3)
		a = 3;
	else
		a = 4;
	else
		a = 5;
	return a;
}
