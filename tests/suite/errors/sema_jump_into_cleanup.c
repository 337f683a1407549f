// A jump past the start of a variable that is cleaned up.
static void release(int *p) { *p = 0; }
int f(int x)
{
	if (x)
		goto inside; // ERROR[E0213]: a jump past the start of a variable that is cleaned up
	int guard __attribute__((cleanup(release))) = 1;
inside:
	return guard;
}
