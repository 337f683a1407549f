// `~` of a pointer.
long f(char *a)
{
	return ~a; // ERROR[E0204]: `~` cannot be applied to `char *`
}
