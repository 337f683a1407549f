// A comparison of pointers to different types.
struct ethhdr { char dst[6]; };
int f(struct ethhdr *eth, char *end)
{
	return eth + 1 > end; // WARNING[W0203]: comparison of the distinct pointer types `struct ethhdr *` and `char *`
}
