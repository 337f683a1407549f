// `sizeof` of a type without parentheses.
int f(void)
{
	return sizeof int + sizeof (long);
}
