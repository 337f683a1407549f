//@ warnings = ["bpf-volatile"]
// A local that nobody else can see needs no `volatile`.
void use(volatile int *p);

int f(int x)
{
	volatile int bounded = x & 15;
	volatile int shared = x;

	use(&shared);
	return bounded + shared;
}
