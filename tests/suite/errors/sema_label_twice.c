// A label that stands twice.
int f(int x)
{
out:
	if (x)
		goto out;
out: // ERROR[E0212]: the label `out` stands twice in this function
	return 0;
}
