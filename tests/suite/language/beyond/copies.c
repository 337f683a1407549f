// Copies and fills whose size is bounded and not constant.
#include "../returns.h"

CASE(copied, 42)
{
	char from[64], to[64];
	unsigned n = UNKNOWN(12u);
	__builtin_memset(from, 21, sizeof(from));
	__builtin_memset(to, 0, sizeof(to));
	asm volatile("" : : "r"(from), "r"(to) : "memory");
	if (n > sizeof(to))
		return 1;
	__builtin_memcpy(to, from, n);
	asm volatile("" : : "r"(to) : "memory");
	return to[11] * 2 + to[12];
}

CASE(filled, 7)
{
	char bytes[32] = {};
	asm volatile("" : : "r"(bytes) : "memory");
	__builtin_memset(bytes + 1, 7, UNKNOWN(100ul) & 15);
	asm volatile("" : : "r"(bytes) : "memory");
	return bytes[0] + bytes[4] + bytes[5];
}
