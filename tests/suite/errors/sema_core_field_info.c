// A CO-RE question about something that is no member.
unsigned f(int x)
{
	return __builtin_preserve_field_info(x, 0); // ERROR[E0232]: the question is about a member of a struct, and this is none
}
