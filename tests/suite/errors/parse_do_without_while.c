// `do` without `while`.
int f(int a)
{
	do {
		a--;
	} (a > 0);
	return a;
}
