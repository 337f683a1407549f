// An empty condition.
int f(int a)
{
	if ()
		return 1;
	while ()
		a++;
	return a;
}
