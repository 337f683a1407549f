// Variables: sections, linkage, initial contents, and 128 bits.
#include "returns.h"

struct item { int a; const char *name; struct item *next; };
static int initial = 5;
int zero;
const volatile int constant = 6;
const int table[4] = { 1, 2, 3, 4 };
__attribute__((weak)) int weak_one = 7;
__attribute__((visibility("hidden"))) int hidden_one = 8;
int custom SEC(".data.custom") = 9;
int custom_zero SEC(".bss.custom");
const int custom_constant SEC(".rodata.custom") = 10;
static const char *const names[] = { "zero", "one", "two" };

CASE(places, 45)
{
	static int local = 0;
	local++;
	zero = 0;
	return initial + zero + constant + weak_one + hidden_one + custom + custom_zero + custom_constant;
}

CASE(arrays_of_constants, 4)
{
	unsigned i = UNKNOWN(3u);
	return i < 4 ? table[i] : 0;
}

CASE(strings, 111)
{
	char local[] = "one";
	const char *text = "o";
	return text[0] + (local[1] == 'n') - (names[1][2] == 'e');
}

CASE(static_counters, 1)
{
	static int calls;
	static long sum = 100;
	calls += 1;
	sum += calls;
	return sum - 100 > 0;
}

CASE(wide_integers, 7)
{
	unsigned __int128 a, b;
	unsigned long parts[2] = { UNKNOWN(1ul), UNKNOWN(2ul) };
	__builtin_memcpy(&a, parts, 16);
	b = a;
	return (a == b) + 2 * !(a != b) + 4 * (a != 0);
}

CASE(floating_constants, 12)
{
	return sizeof(double) + sizeof(1.0f) + (int)0.5 * 3;
}

volatile int changing = 3;
CASE(volatile_variables, 9)
{
	changing = 4;
	int a = changing;
	changing = 5;
	return a + changing;
}

#pragma pack(push, 1)
struct tight { char a; int b; short c; };
#pragma pack(pop)
struct aligned { char a; int b __attribute__((aligned(16))); } __attribute__((aligned(32)));
struct bits { unsigned a : 3; int b : 5; unsigned long c : 40; unsigned : 0; _Bool d : 1; };

CASE(layouts, 71)
{
	return sizeof(struct tight) + sizeof(struct aligned) + __builtin_offsetof(struct aligned, b) + sizeof(struct bits);
}

CASE(bit_fields, 22)
{
	struct bits x = { 5, -3, 1ul << 39, 1 };
	asm volatile("" : : "r"(&x) : "memory");
	x.a += 2;
	x.b -= 1;
	return x.a * 1 + x.b * 1 + (x.c >> 39) * 18 + x.d;
}

CASE(unions_and_copies, 9)
{
	union { int i; char c[4]; struct { short l, h; }; } u = { .i = UNKNOWN(0x00020007) }, v;
	v = u;
	return v.l + v.h + u.c[1];
}
