// A case that occurs twice.
int f(int x)
{
	switch (x) {
	case 1: return 10;
	case 2: return 20;
	case 1: return 30; // ERROR[E0210]: the case 1 occurs twice in this `switch`
	}
	return 0;
}
