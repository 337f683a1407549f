// Two storage classes.
static extern int x;
int f(void)
{
	return x;
}
