// A range the wrong way round, and a case that cannot come.
int f(unsigned char x, int y)
{
	switch (y) {
	case 9 ... 3:
		return 1;
	case 0x1ffffffff:
		return 2;
	}
	return x;
}
