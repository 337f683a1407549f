// An assignment to an array.
void f(void)
{
	char a[4], b[4] = "abc";
	a = b; // ERROR[E0205]: `char[4]` cannot be assigned to
}
