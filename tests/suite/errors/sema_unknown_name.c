// A misspelt variable.
int f(int counter)
{
	return countr + 1; // ERROR[E0200]: unknown name `countr`
}
