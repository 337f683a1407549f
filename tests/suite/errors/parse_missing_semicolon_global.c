// No `;` after a global variable.
int counter
int other;
int f(void)
{
	return counter + other;
}
