// An assignment to a constant.
const volatile int limit = 10;
void f(void)
{
	limit = 20; // ERROR[E0206]: `const volatile int` is constant and cannot be assigned to
}
