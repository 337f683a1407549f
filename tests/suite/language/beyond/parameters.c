// Static functions of more than five parameters that are not inlined.
#include "../returns.h"

static __attribute__((noinline)) long weigh(int a, long b, unsigned char c, short d, int *e, struct __sk_buff *skb, unsigned f, long g)
{
	*e += 1;
	return a + 2 * b + 3 * c + 4 * d + 5 * *e + 6 * f + 7 * g + 0 * skb->len;
}

CASE(eight_parameters, 378)
{
	int e = 5;
	long first = weigh(UNKNOWN(1), UNKNOWN(2), UNKNOWN(3), UNKNOWN(-4), &e, skb, UNKNOWN(6), UNKNOWN(7));
	return first + weigh(first, UNKNOWN(2), UNKNOWN(200), UNKNOWN(-143), &e, skb, UNKNOWN(6), UNKNOWN(7));
}
