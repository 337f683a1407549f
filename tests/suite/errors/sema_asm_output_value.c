// An output operand that is a value.
int f(int x)
{
	asm volatile("%0 = 1" : "=r"(x + 1)); // ERROR[E0205]: a value cannot be assigned to, only an object
	return x;
}
