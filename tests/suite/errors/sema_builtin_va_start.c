// Variadic arguments.
int f(int n, ...)
{
	__builtin_va_list ap;
	__builtin_va_start(ap, n); // ERROR[E0112]: `__builtin_va_start` is not supported
	return 0;
}
