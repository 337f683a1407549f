// Records by value that registers have no room for.
#include "../returns.h"

struct three { long a, b, c; };

static __attribute__((noinline)) struct three made(int x)
{
	struct three r = { x, x + 1, x + 2 };
	return r;
}

static __attribute__((noinline)) long sum(struct three t)
{
	return t.a + t.b + t.c;
}

CASE(by_value, 33)
{
	struct three t = made(UNKNOWN(10));
	return sum(t);
}
