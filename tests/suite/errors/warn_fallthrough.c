//@ warnings = ["implicit-fallthrough"]
// Cases that go on into the next one.
#define fallthrough __attribute__((__fallthrough__))
int work(int n);

int f(int x)
{
	int r = 0;
	switch (x) {
	case 0:
	case 1:
		r = work(1);
	case 2:
		r += 2;
		fallthrough;
	case 3:
		if (r)
			return 3;
	case 4:
		for (;;)
			work(4);
	case 5: {
		r = 5;
		break;
	}
	case 6:
		r = 6;
		[[__fallthrough__]];
	case 7:
		r = 7;
		[[__fallthrough__]];
	default:
		break;
	}
	return r;
}
