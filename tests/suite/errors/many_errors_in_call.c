// Wrong arguments one after the other.
int add(int a, int b);

int f(char *s)
{
	int x = add(1);
	int y = add(1, 2, 3);
	int z = add(s, 2);

	return add(x, y) + z + ad(1, 2);
}
