// A pointer to constants used as a pointer to variables.
static void clear(char *text) { *text = 0; }
void f(const char *text)
{
	clear(text); // WARNING[W0202]: `const char *` is passed as argument 1 to a parameter of type `char *`, which drops a qualifier
}
