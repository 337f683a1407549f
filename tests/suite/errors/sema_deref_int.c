// Indirection of an integer.
int f(long address)
{
	return *address; // ERROR[E0221]: only pointers have something they point to, not `long`
}
