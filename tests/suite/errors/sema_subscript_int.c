// Indexing of an integer.
int f(int x)
{
	return x[1]; // ERROR[E0221]: only arrays and pointers have elements, not `int`
}
