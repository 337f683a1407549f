// A CO-RE question about an enum that is none.
enum e { A };
unsigned long long f(void)
{
	return __builtin_preserve_enum_value(A, 0); // ERROR[E0232]: the question is about an enumeration constant, as `*(enum e *)NAME`
}
