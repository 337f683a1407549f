//@ warnings = ["unused-label"]
// A label that is left over.
int f(int x)
{
	if (x)
		goto out;
again:
	x++;
out:
	return x;
}
