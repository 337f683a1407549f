// Jumps out of nothing.
int f(int x)
{
	if (x)
		break;
	continue;
	switch (x) {
	case 1:
		continue;
	}
	case 2:
	goto nowhere;
}
