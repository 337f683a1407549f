//@ warnings = ["all", "conditional-uninitialized"]
// Values that are read before they are there, as sure as one can be.
int work(int n);
void show(const int *n);
void fill(int *n);

int always(void)
{
	int x;
	return x + 1;
}

int one_side(int c)
{
	int x;
	if (c > 1)
		x = 2;
	return x;
}

int either(int c, int d)
{
	int x;
	if (c && work(d))
		x = 3;
	return x;
}

int cases(int c)
{
	int x;
	switch (c) {
	case 1:
		x = 4;
		break;
	case 2:
		break;
	default:
		x = 5;
	}
	return x;
}

int loops(int n)
{
	int last;
	for (int i = 0; i < n; i++)
		last = work(i);
	return last;
}

int maybe(int c, int d)
{
	int x, r = 0;
	if (c)
		x = 6;
	if (d)
		r = x;
	return r;
}

int shown(void)
{
	int x, y;
	show(&x);
	fill(&y);
	return x + y;
}

int count(void)
{
	int n;
	n++;
	return 0;
}

int fine(int c)
{
	int x, y = y;
	if (c)
		x = 1;
	else
		return 0;
	(void)y;
	return x;
}
