// A division by zero.
int f(int x)
{
	return x / 0; // WARNING[W0205]: division by zero
}
