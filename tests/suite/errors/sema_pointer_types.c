// A pointer to the wrong struct.
struct ethhdr { char dst[6]; };
struct iphdr { char ihl; };
int f(struct ethhdr *eth)
{
	struct iphdr *ip = eth; // WARNING[W0200]: `struct ethhdr *` is used to initialise `struct iphdr *`
	return ip->ihl;
}
