// A name that is a variable and a function.
int count;
int count(void) // ERROR[E0209]: `count` is declared again as a different kind of thing
{
	return 0;
}
