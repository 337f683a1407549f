// `goto` without a label.
int f(int a)
{
	if (a)
		goto;
	return a;
}
