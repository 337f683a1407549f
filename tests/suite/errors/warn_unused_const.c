//@ warnings = ["unused-const-variable"]
// A constant that nothing reads is not in the object.
static const int limit = 64;
const volatile int for_the_loader = 1;

int f(int x)
{
	return x;
}
