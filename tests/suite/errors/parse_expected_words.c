// What may follow is said in words.
int f(int x)
{
	if (x
		return 1;
	return (x + ;
}
