// Addition of structs.
struct pair { int a, b; };
int f(struct pair x, struct pair y)
{
	return (x + y).a; // ERROR[E0204]: `+` cannot be applied to these operands
}
