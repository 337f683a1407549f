// A syntax error inside a macro, seen at its use.
#define LAST(x) ((x) + )
#define TWICE(x) (LAST(x) * 2)
int f(int a)
{
	return TWICE(a);
}
