// No `;` after a call at the end of a block.
void g(int);
int f(int a)
{
	if (a) {
		g(a)
	}
	return 0;
}
