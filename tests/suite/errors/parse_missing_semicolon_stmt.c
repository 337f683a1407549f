// No `;` after an assignment.
int f(int a)
{
	int b;
	b = a + 1
	return b;
}
