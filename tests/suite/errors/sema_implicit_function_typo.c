// A misspelt function.
static int bpf_ktime_get_ns(void) { return 0; }
int f(void)
{
	return bpf_ktime_get_n(); // ERROR[E0227]: call of the undeclared function `bpf_ktime_get_n`
}
