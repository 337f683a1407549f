//@ warnings = ["error", "shadow"]
// `-Werror` makes errors of what would be warned about.
int f(int x)
{
	{
		int x = 2;

		return x;
	}
}
