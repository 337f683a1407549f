// A brace that is missing in the first function does not hide what is wrong in the second.
int first(int x)
{
	if (x) {
		x++;
	return x;
}

int second(int x)
{
	return x + missing;
}
