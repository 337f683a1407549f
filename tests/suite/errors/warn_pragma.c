//@ warnings = ["all"]
// A pragma silences what it names, from there to where it is popped.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-variable"
int quiet(int x)
{
	int unused;

	return x;
}
#pragma clang diagnostic pop

int loud(int x)
{
	int unused;

	return x;
}
