//@ warnings = ["unused-variable"]
// Variables of a function and of the file that nothing reads.
static int never;
static int used;

int f(int x)
{
	int unused = x;
	static int counted;
	int excused __attribute__((unused)) = x;

	return used;
}
