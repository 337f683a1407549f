// An unknown type in a cast.
int f(void *p)
{
	int x = *(foo_t *)p;
	return x;
}
