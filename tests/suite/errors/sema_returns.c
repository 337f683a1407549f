// Results that are missing, or not wanted.
struct s {
	int x;
};
void nothing(void)
{
	return 1;
}
int something(void)
{
	return;
}
int *pointer(struct s s)
{
	return s;
}
