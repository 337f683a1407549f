// Two variables of one name in one block.
int f(int x)
{
	int count = x;
	long count = 0; // ERROR[E0208]: `count` is declared twice in this scope
	return count;
}
