// Enumerators separated by a semicolon.
enum color { RED; GREEN; BLUE };
int f(void)
{
	return GREEN;
}
