// `else` after a `;`.
int f(int a)
{
	if (a > 3);
	{
		a = 3;
	}
	else
		a = 4;
	return a;
}
