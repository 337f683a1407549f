// An assignment to a value.
void f(int a, int b)
{
	a + b = 1; // ERROR[E0205]: a value cannot be assigned to, only an object
}
