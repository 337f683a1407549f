// Expressions and statements of GNU C.
#include <stddef.h>
#include "returns.h"

CASE(statement_expression, 12)
{
	int x = UNKNOWN(5);
	return ({ int y = x + 1; y * 2; });
}

CASE(types_of_expressions, 19)
{
	int x = UNKNOWN(7);
	typeof(x + 1L) wide = x;
	typeof(int[3]) array = { 1, 2, 3 };
	__auto_type copy = x;
	__auto_type pointer = &array[1];
	return sizeof(wide) + copy + *pointer + pointer[1] - (sizeof(array) == 12);
}

CASE(attributes_before_statements, 1223)
{
	int sum = 0;
	for (int i = 0; i < 4; i++) {
		switch (UNKNOWN(i)) {
		case 0:
			if (sum) __attribute__((nomerge)) sum = 50;
			else __attribute__((fallthrough));
		case 1:
			__attribute__((opencl_unroll_hint(2))) for (int j = 0; j < 3; j++) sum += 200;
			if (i > 0)
				[[fallthrough]];
			else
				break;
		case 2:
		label: __attribute__((unused))
			sum += 11;
			break;
		default:
			do __attribute__(()); while (0);
			__attribute__((nomerge)) { sum += 1; }
		}
	}
	return sum;
}

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wimplicit-function-declaration"
CASE(undeclared_functions, 42)
{
	char text[4] = "abc";
	if (__builtin_constant_p(sizeof(text)) && sizeof(text) != 4)
		return nowhere(text, 1);
	return defined_later(40) + strlen("ab");
}
#pragma clang diagnostic pop
int defined_later(int x) { return x; }

CASE(condition_without_a_middle, 9)
{
	int zero = UNKNOWN(0), nine = UNKNOWN(9);
	return zero ?: nine ?: 3;
}

#define KIND(x) _Generic((x), char: 1, short: 2, int: 3, unsigned int: 4, long: 5, unsigned long: 6, \
	unsigned long long: 7, char *: 8, const char *: 9, struct pair: 10, default: 11)
struct pair { int a, b; };

CASE(generic_selection, 654321)
{
	char c = 1; short s = 1; unsigned int u = 1; long l = 1;
	return KIND(c) + 10 * KIND(s) + 100 * KIND(s + 1) + 1000 * KIND(u) + 10000 * KIND(l) + 100000 * KIND(sizeof(l));
}

CASE(generic_selection_by_type, 1234)
{
	const int x = 1; int list[3];
	return _Generic(typeof(x), int: 9, const int: 1) * 1000 + _Generic(typeof(list), int *: 9, int[3]: 2) * 100 +
		_Generic(const unsigned char, unsigned char: 9, const unsigned char: 3) * 10 + _Generic(x, const int: 9, int: 4);
}

union number { int whole; char bytes[4]; struct pair *pointer; };
static int whole(union number n) { return n.whole + n.bytes[1]; }
CASE(casts_to_unions, 1031)
{
	struct pair p = { 20, 7 };
	union number n = (union number)&p;
	return whole((union number)UNKNOWN(0x3e1)) + ((union number)UNKNOWN(8)).whole + ((union number)&p).pointer->b + n.pointer->a;
}

CASE(where_a_call_stands, 4)
{
	const char *file = __builtin_FILE_NAME(), *function = __builtin_FUNCTION();
	int line = __builtin_LINE() - __LINE__;
	int *address = __builtin_addressof(line);
	return *address + (file[0] == 'g') + (function[0] == 'w') + (__builtin_strlen(__builtin_FUNCTION()) == 19) +
		(__builtin_COLUMN() > 2);
}

CASE(generic_pointers, 1098)
{
	char text[2] = "a"; const char *constant = text; struct pair p = { 1, 2 };
	return KIND(text) + 10 * KIND(constant) + 100 * KIND(p);
}

CASE(compound_literals, 33)
{
	int x = UNKNOWN(10);
	struct pair *p = &(struct pair){ .b = x, .a = x + 1 };
	int *q = (int[]){ 1, x + 1, 3 };
	p->a += q[1];
	return p->a + (struct pair){ 1, 2 }.a + p->b;
}

CASE(arithmetic_on_void, 6)
{
	char bytes[4] = { 1, 2, 3, 4 };
	void *p = bytes;
	asm volatile("" : "+r"(p));
	return *(char *)(p + 2) + sizeof(void) + sizeof(skb[0].len) - 2 + sizeof(*p) - 1;
}

CASE(local_labels, 6)
{
	int n = UNKNOWN(0);
#define STEP(by) ({ __label__ done; if (n > 100) goto done; n += by; done: n; })
	STEP(1);
	STEP(2);
	return STEP(3);
}

CASE(ranges_of_cases, 321)
{
	int sum = 0;
	for (int i = 0; i < 3; i++) {
		switch (UNKNOWN(i) * 10) {
		case 0 ... 9: sum += 1; break;
		case 10 ... 19: sum += 20; break;
		case 'a' ... 'z': sum = -1; break;
		default: sum += 300;
		}
	}
	return sum;
}

CASE(falls_through, 7)
{
	int sum = 0;
	switch (UNKNOWN(1)) {
	case 1: sum += 1; __attribute__((fallthrough));
	case 2: sum += 2;
		__attribute__((fallthrough));
	case 3: sum += 4; break;
	case 4: sum = 100;
	}
	return sum;
}

CASE(duff, 10)
{
	int n = UNKNOWN(2), sum = 0;
	switch (n) {
	case 0:
		do { sum += 1;
	case 3: sum += 1;
	case 2: sum += 2;
	case 1: sum += 3;
		} while (--n > 1);
	}
	return sum * 2;
}

CASE(name_of_the_function, 21)
{
	return sizeof(__func__) - 1 + (__func__[0] == 'n') - (__FUNCTION__[2] == 'n');
}

_Static_assert(sizeof(struct pair) == 8, "two integers");
_Static_assert(offsetof(struct pair, b) == 4);

struct tail { int count; struct pair pairs[]; };
struct empty {};
struct old_tail { int count; char bytes[0]; };

CASE(flexible_arrays, 20)
{
	char room[24] = {};
	struct tail *t = (void *)room;
	struct old_tail *o = (void *)room;
	asm volatile("" : "+r"(t) : : "memory");
	t->pairs[1].b = 12;
	asm volatile("" : "+r"(o) : : "memory");
	return o->bytes[12] + sizeof(struct tail) + sizeof(struct old_tail) + sizeof(struct empty);
}

struct outer {
	union {
		struct { short low, high; };
		int whole;
	};
	struct { int inner; } named;
};

CASE(anonymous_members, 65538)
{
	struct outer o = { .high = 1, .named.inner = 2 };
	asm volatile("" : : "r"(&o) : "memory");
	return o.whole + o.named.inner;
}

CASE(initialisers, 4711)
{
	struct { int a[4]; struct pair p[2]; char s[8]; } x = {
		.a = { [2] = 7, 0 }, .p[1].a = 11, .p[0] = { .b = 700 }, .s = "ab",
	}, zero = {};
	asm volatile("" : : "r"(&x), "r"(&zero) : "memory");
	return x.a[2] * 0 + x.a[3] + x.p[1].a + x.p[0].b + 4000 + (x.s[1] == 'b') - (zero.p[1].b == 0) + x.p[1].b;
}

static void add(int *p) { *p += 40; }
static int cleaned(int *sum)
{
	int first __attribute__((cleanup(add))) = 1;
	{
		int second __attribute__((cleanup(add))) = 2;
		*sum += second;
		if (*sum > 100)
			return first;
	}
	return *sum;
}

static void count(int **p) { **p += 1; }
CASE(cleanups_run, 3)
{
	int runs = UNKNOWN(0);
	for (int i = 0; i < 2; i++) {
		int *counted __attribute__((cleanup(count))) = &runs;
		if (i == 1)
			break;
	}
	int *again __attribute__((cleanup(count), unused)) = &runs;
	int sum = 0;
	return cleaned(&sum) + runs - 1;
}

int unspecified();
static int __attribute__((noinline)) called() { return 4; }
CASE(functions_without_prototypes, 4)
{
	return called();
}

enum small { ONE = 1, BIG = 200 } __attribute__((packed));
enum wide { HUGE = 1ULL << 40, NEGATIVE = -1 };
enum forward;
enum forward { FORWARD = 3 };
CASE(enums, 13)
{
	enum small s = BIG;
	enum wide w = HUGE;
	return sizeof(s) + sizeof(w) + (w >> 40) + (NEGATIVE < 0 ? FORWARD : 0);
}

CASE(comma_and_conditional_lvalues, 8)
{
	int a = UNKNOWN(1), b = UNKNOWN(2);
	*(a ? &a : &b) = 5;
	return (a++, b++, a) + (b, 2);
}

CASE(multiple_dimensions, 23)
{
	int grid[3][4];
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 4; j++)
			grid[i][j] = i * 10 + j;
	int (*row)[4] = grid + 1;
	asm volatile("" : "+r"(row) : : "memory");
	return row[1][3];
}

CASE(overflow_builtins, 1101)
{
	int sum; unsigned char narrow; long product;
	int o1 = __builtin_add_overflow(UNKNOWN(2147483647), 1, &sum);
	int o2 = __builtin_sub_overflow(UNKNOWN(5), 3, &narrow);
	int o3 = __builtin_mul_overflow(UNKNOWN(1L << 40), 1L << 10, &product);
	int o4 = __builtin_add_overflow(UNKNOWN(200), 100, &narrow);
	return o1 + 10 * o2 + 100 * (o3 == 0) + 1000 * o4 + (narrow == 45) + (sum > 0);
}

struct [[gnu::packed]] packed { char a; [[maybe_unused]] int b; };
enum marked { FIRST [[deprecated]] = 4, SECOND };
[[nodiscard]] static int attributed([[maybe_unused]] int unused, int used [[gnu::unused]]) { return used; }
[[clang::noinline]] [[gnu::cold]] static int apart(int n) { return n + 1; }

CASE(attributes_in_brackets, 20)
{
	[[maybe_unused]] int n = UNKNOWN(2), list[2] [[gnu::aligned(16)]] = { 1, 2 };
	switch (n) {
	case 2:
		n += list[list[0]];
		[[fallthrough]];
	case 3:
		n++;
		break;
	[[likely]] case 4:
		n = 0;
	}
	if (n) [[likely]]
		n += attributed(1, 3);
	else [[unlikely]]
		return 0;
	[[clang::nomerge]] n += apart(1);
	[[vendor::unheard_of("x"), gnu::unused]] int last = sizeof(struct packed);
	return n + last + SECOND;
}

static int never_called(int n, ...)
{
	__builtin_va_list list, other;
	__builtin_va_start(list, n);
	__builtin_va_copy(other, list);
	int first = __builtin_va_arg(list, int);
	__builtin_va_end(list);
	return first;
}

CASE(names_of_functions, 29)
{
	if (UNKNOWN(0) && sizeof(skb) == 4)
		return never_called(1, 2);
	const char *name = __PRETTY_FUNCTION__;
	return __builtin_strlen(__func__) + (__builtin_strlen(__PRETTY_FUNCTION__) == 42) * 10 + (name[0] == 'i');
}

typedef unsigned char byte;
static int in_the_old_style(a, b, list, c)
	const int list[];
	int a, (*b)(byte);
	byte c;
{
	return a + b(c) + list[1];
}
static int twice(byte n) { return n * 2; }

CASE(definitions_of_old, 25)
{
	int list[] = { 1, UNKNOWN(20) };
	return in_the_old_style(1, twice, list, 0x102);
}
