// A pointer that leaves its address space without a cast.
int f(int __attribute__((address_space(1))) *p)
{
	int *q = p; // ERROR[E0203]: `int *` in address space 1 is used to initialise `int *` in address space 0
	return *q;
}
