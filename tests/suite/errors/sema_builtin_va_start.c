// Variadic arguments.
int f(int n, ...)
{
	__builtin_va_list ap;
	__builtin_va_start(ap, n); // ERROR[E0400]: access to variable arguments
	return 0;
}
