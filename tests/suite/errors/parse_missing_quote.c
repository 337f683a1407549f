// A section name without its closing quote.
#define SEC(name) __attribute__((section(name)))
SEC("xdp)
int f(void *ctx)
{
	return 2;
}
