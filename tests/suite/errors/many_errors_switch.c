// Labels that do not fit, in one switch.
int f(int x, int y)
{
	switch (x) {
	case 1:
		return 1;
	case 1:
		return 2;
	case y:
		return 3;
	default:
		return 4;
	default:
		return 5;
	}
}
