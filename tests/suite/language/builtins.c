// Builtins, and functions of the library that compilers know.
#include "returns.h"

CASE(swaps, 3)
{
	return (__builtin_bswap16(UNKNOWN((unsigned short)0x1234)) == 0x3412) +
		(__builtin_bswap32(UNKNOWN(0x12345678u)) == 0x78563412) +
		(__builtin_bswap64(UNKNOWN(0x0102030405060708ull)) == 0x0807060504030201ull);
}

CASE(bits, 45)
{
	unsigned x = UNKNOWN(0x00f00u); unsigned long y = UNKNOWN(0xff00ul << 32);
	return __builtin_ctz(x) + __builtin_clz(x) - 20 + __builtin_popcount(x) + __builtin_ctzll(y) - 40 +
		__builtin_popcountll(y) + __builtin_clzll(y) - 16 + __builtin_ffs(x) + __builtin_parity(x) + 16;
}

CASE(memory_functions, 6)
{
	char a[16] = "abcdefgh", b[16];
	__builtin_memset(b, 0, sizeof(b));
	__builtin_memcpy(b, a, 9);
	__builtin_memmove(b + 1, b, 8);
	asm volatile("" : : "r"(b) : "memory");
	return (b[0] == 'a') + (b[1] == 'a') + (b[8] == 'h') + (__builtin_memcmp(a, b, 8) != 0) +
		(__builtin_memcmp(a, b + 1, 8) == 0) + (__builtin_strcmp("a", "b") < 0);
}

void *memcpy(void *, const void *, unsigned long);
void *memset(void *, int, unsigned long);
int memcmp(const void *, const void *, unsigned long);
CASE(plain_names, 3)
{
	char a[8], b[8];
	memset(a, 3, 8);
	memcpy(b, a, 8);
	__builtin_memcpy_inline(a, b, 4);
	asm volatile("" : : "r"(b), "r"(a) : "memory");
	return b[7] + memcmp(a, b, 8);
}

CASE(what_the_compiler_knows, 31)
{
	int x = UNKNOWN(1);
	int buffer[4];
	return __builtin_constant_p(3) + 2 * !__builtin_constant_p(x) + 4 * (__builtin_object_size(buffer, 0) == 16) +
		8 * __builtin_types_compatible_p(typeof(x), int) + __builtin_choose_expr(1, 16, "no") +
		!__builtin_expect(x, 1) + (__builtin_strlen("four") - 4);
}

static int __attribute__((always_inline)) pick(int kind)
{
	switch (kind) {
	case 1: return 10;
	case 2: return 20;
	}
	__builtin_unreachable();
}

CASE(dead_ends, 30)
{
	if (UNKNOWN(1) == 2 && !__builtin_constant_p(1))
		__builtin_trap();
	return pick(1) + pick(2);
}

CASE(expectation_and_prefetch, 2)
{
	int x = UNKNOWN(2);
	__builtin_prefetch(&x);
	__builtin_assume(x > 0);
	if (__builtin_expect_with_probability(x == 2, 1, 0.9))
		return x;
	return 0;
}

CASE(absolute_values, 34)
{
	int y = UNKNOWN(-17);
	return __builtin_abs(y) + __builtin_labs((long)y);
}

CASE(rotations_and_reversals, 63)
{
	unsigned x = UNKNOWN(0x80000001u); unsigned char c = UNKNOWN((unsigned char)0x81);
	int n = UNKNOWN(4);
	return (__builtin_rotateleft32(x, n) == 0x18) | (__builtin_rotateright32(x, 4) == 0x18000000) << 1 |
		(__builtin_rotateleft8(c, n) == 0x18) << 2 | (__builtin_bitreverse8(c) == 0x81) << 3 |
		(__builtin_bitreverse32(x + 2) == 0xc0000001) << 4 | (__builtin_rotateright64(x, 64) == x) << 5;
}

CASE(alignment, 60)
{
	unsigned long n = UNKNOWN(19ul);
	return __builtin_align_up(n, 8) + __builtin_align_down(n, 16) + __builtin_is_aligned(n, 4) +
		__builtin_clzg((unsigned char)n, 8) + __builtin_clzs(UNKNOWN((unsigned short)n)) + __builtin_popcountg(n) + 3;
}

CASE(literals, 5)
{
	const char *slash = __builtin_strrchr("a/b/c", '/');
	return slash[1] - 'a' + __builtin_strlen(__builtin_strchr("one two", ' ')) - (__builtin_strchr("x", 'y') ? 9 : 1);
}

CASE(copies_of_sizes_that_are_compared, 33)
{
	unsigned char *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	unsigned char a[20] = {}, b[20] = {};
	unsigned size = UNKNOWN(20u);
	signed char length = UNKNOWN((signed char)12);
	if (data + 20 > end)
		return 0;
	if (size == 20)
		__builtin_memcpy(a, data, size);
	switch (length) {
	case 4:
		break;
	case 12:
		__builtin_memset(b, 1, length);
	}
	asm volatile("" : : "r"(a), "r"(b) : "memory");
	return size + b[0] + b[11] * 12 + b[12];
}
