// A function that nobody declared.
int f(int x)
{
	return bpf_frobnicate(x); // ERROR[E0227]: call of the undeclared function `bpf_frobnicate`
}
