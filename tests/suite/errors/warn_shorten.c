//@ warnings = ["shorten-64-to-32"]
// The upper half is lost.
struct event {
	unsigned id;
};

int f(struct event *e, unsigned long now, long n)
{
	e->id = now >> 32;
	e->id = now;
	return n * 2;
}
