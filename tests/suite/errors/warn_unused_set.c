//@ warnings = ["all", "extra"]
// Values are stored and never read.
int f(int x, int y)
{
	int total = 0;
	int last;

	for (int i = 0; i < x; i++) {
		last = i;
		total += i;
	}
	y = x;
	return total;
}
