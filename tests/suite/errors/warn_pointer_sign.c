// Pointers that differ in the sign of what they point to.
int sum(unsigned *numbers, int n);

int f(int *numbers)
{
	char *text = (unsigned char *)numbers;

	return sum(numbers, *text);
}
