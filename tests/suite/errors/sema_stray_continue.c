// `continue` in a switch without a loop.
int f(int x)
{
	switch (x) {
	case 1: continue; // ERROR[E0211]: `continue` outside a loop
	}
	return 0;
}
