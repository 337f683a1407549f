// Ends of lines and blocks that were meant otherwise.
struct pair {
	int a,                       // ERROR[E0100]: expected `;`, found `,`
	int b;
};

int f(struct pair *p, int x, int y[])
{
	int list[] = { 1, 2 ];       // ERROR[E0103]: this `]` closes nothing
	int sum = x @ 3;
	x = y[(x >> 1) + 1];
	if (x) {
		return p->a,
	}
	f(p, , y);
	return p-> + list[1] + sum;
}

int g(int x)
{
	if (x) {
		x++;
	else
		x--;
	return x;
}
