// A cast to a struct.
struct pair { int a, b; };
int f(long x)
{
	return ((struct pair)x).a; // ERROR[E0235]: `long` cannot be cast to `struct pair`
}
