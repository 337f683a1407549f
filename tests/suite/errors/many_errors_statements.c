// Each mistake is reported, and none because of another one.
struct point {
	int x, y;
};

int first(struct point *p)
{
	return p->z;
}

int second(int n)
{
	int total = 0

	for (int i = 0; i < n; i++)
		total += i;
	return total;
}

int third(int n)
{
	return undeclared(n) + n.x;
}

int fourth(struct point p)
{
	return p.x + missing;
}
