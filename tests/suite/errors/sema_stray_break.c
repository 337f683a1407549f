// `break` outside a loop.
int f(int x)
{
	if (x)
		break; // ERROR[E0211]: `break` outside a loop or switch
	return 0;
}
