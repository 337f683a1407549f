// A case inside a range.
int f(int x)
{
	switch (x) {
	case 1 ... 9: return 10;
	case 5: return 20; // ERROR[E0210]: the case 5 occurs twice in this `switch`
	}
	return 0;
}
