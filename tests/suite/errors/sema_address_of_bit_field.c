// The address of a bit-field.
struct flags { unsigned up : 1; };
unsigned *f(struct flags *p)
{
	return &p->up; // ERROR[E0205]: a bit-field has no address
}
