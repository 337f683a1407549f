// `goto` to a label that does not exist.
int f(int x)
{
	if (x)
		goto out; // ERROR[E0212]: there is no label `out` in this function
	return 0;
}
