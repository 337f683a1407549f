// Before and behind make sense among elements of one array.
int f(unsigned char *data, void *end)
{
	if (data + 4 > end)
		return 0;
	return data == end;
}
