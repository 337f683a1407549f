// Signed division, which the instruction set has from v4 on.
#include "../returns.h"

CASE(quotients, 3)
{
	int a = UNKNOWN(-17), b = UNKNOWN(5);
	long c = UNKNOWN(-17000000000L);
	return (a / b == -3) + (c / 1000000000L == -17) + (c / UNKNOWN(-2L) == 8500000000L);
}

CASE(remainders, 3)
{
	int a = UNKNOWN(-17), b = UNKNOWN(5);
	return (a % b == -2) + (-a % b == 2) + (a % 7 == -3);
}
