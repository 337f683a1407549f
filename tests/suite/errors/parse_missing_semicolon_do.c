// No `;` after `do ... while (...)`.
int f(int a)
{
	do {
		a--;
	} while (a > 0)
	return a;
}
