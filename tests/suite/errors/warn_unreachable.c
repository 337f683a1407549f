//@ warnings = ["unreachable-code"]
// Code behind jumps.
int f(int x)
{
	while (x) {
		if (x > 3) {
			break;
			x--;
		}
		continue;
		x++;
	}
	return x;
	x = 4;
}
