// Words of other languages.
int f(int x)
{
	if (x and 1)
		return true;
	elif (x)
		return None;
	return 0;
}
