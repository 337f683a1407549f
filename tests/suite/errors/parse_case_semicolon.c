// `;` after a case label.
int f(int a)
{
	switch (a) {
	case 1;
		return 2;
	default:
		return 3;
	}
}
