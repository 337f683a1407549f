// An output operand that is declared as an input.
int f(int x)
{
	asm volatile("%0 = 1" : "r"(x)); // ERROR[E0229]: the constraint `r` of an output starts with neither `=` nor `+`
	return x;
}
