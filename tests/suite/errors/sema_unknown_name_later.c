// A variable used before it is declared.
int f(void)
{
	return later; // ERROR[E0200]: unknown name `later`
}
int later;
