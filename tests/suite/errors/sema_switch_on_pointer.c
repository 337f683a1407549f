// A switch on a pointer.
int f(void *p)
{
	switch (p) { // ERROR[E0204]: the value of a `switch` is an integer, not `void *`
	case 0: return 1;
	}
	return 0;
}
