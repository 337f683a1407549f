//@ axes.Q = { local = "", volatile = "volatile", constant = "const", static = "static", static_constant = "static const" }

struct pair { s32 x; u8 y; };
struct deep { u16 head; struct pair p[3]; union { u64 word; u8 bytes[8]; struct { u32 low, high; } half; } u; struct { s8 a, b; }; u8 tail[5]; };
enum { FIRST, SECOND, THIRD, COUNT };

static u64 mix(const volatile struct deep *d)
{
	u64 sum = d->head + d->u.word * 3 + d->a * 5ull + d->b * 7ull;
	for (int i = 0; i < 3; i++)
		sum = sum * 31 + d->p[i].x + d->p[i].y * 3;
	for (int i = 0; i < 5; i++)
		sum = sum * 31 + d->tail[i];
	return sum;
}

u64 in_order_@Q(u64 a, u64 b)
{
	$Q struct deep d = { 1, { { -2, 3 }, { 4, 5 }, { 6, 7 } }, { 8 }, { 9, -10 }, { 11, 12, 13, 14, 15 } };
	return mix(&d) + a - b;
}

u64 without_braces_@Q(u64 a, u64 b)
{
	$Q struct deep d = { 1, -2, 3, 4, 5, 6, 7, 8, 9, -10, 11, 12, 13, 14, 15 };
	return mix(&d) + a - b;
}

u64 designated_@Q(u64 a, u64 b)
{
	$Q struct deep d = { .tail = { [3] = 1, 2 }, .u.half.high = 7, .p[1] = { .y = 9 }, .p[2].x = -4, .b = -1, .head = 65535 };
	return mix(&d) + a - b;
}

u64 overridden_@Q(u64 a, u64 b)
{
	$Q struct deep d = { .p = { [0 ... 2] = { 5, 6 } }, .p[1].x = 99, .tail = { [0 ... 4] = 3, [2] = 8 }, .head = 1, .head = 2, .a = 4, 5 };
	return mix(&d) + a - b;
}

u64 continuing_@Q(u64 a, u64 b)
{
	$Q u8 t[12] = { [4] = 1, 2, 3, [1] = 7, 8, [9 ... 10] = 5, 6 };
	$Q s16 m[][3] = { { 1 }, { 2, 3 }, [3] = { [2] = -9 } };
	u64 sum = sizeof m;
	for (int i = 0; i < 12; i++) sum = sum * 3 + t[i];
	for (int i = 0; i < 4; i++) sum = sum * 3 + m[i][0] + m[i][1] * 5 + m[i][2] * 7;
	return sum + a - b;
}

u64 strings_@Q(u64 a, u64 b)
{
	$Q char s[] = "hello", t[8] = "ab\0c", u[3] = "xyz", v[] = { "in " "two" }, w[2][4] = { "one", { 't', 'w' } };
	return sizeof s + sizeof v * 10 + s[a & 3] * 3 + t[b & 7] * 5 + u[a & 1] * 7 + v[b & 3] * 11 + w[a & 1][b & 3];
}

u64 enumerated_@Q(u64 a, u64 b)
{
	$Q int prices[COUNT] = { [THIRD] = 30, [FIRST] = 10, [SECOND] = 20 };
	return prices[a & 1] * 3 + prices[b & 1] + sizeof prices;
}

u64 empty_@Q(u64 a, u64 b)
{
	$Q struct deep d = {}, e = { 0 };
	$Q u64 n[4] = {};
	return mix(&d) + mix(&e) * 3 + n[a & 3] + b;
}

u64 conversions_@Q(u64 a, u64 b)
{
	$Q u8 x[] = { 300, -1, 'a', 1 == 1, (s8)0x80, 0x1ff };
	$Q s64 y[] = { -1u, -1, 0x80000000, (s32)0x80000000, (u8)-1, 1ull << 63 };
	$Q bool z[] = { 2, 0, 256, -1, !5, 1 };
	u64 sum = 0;
	for (int i = 0; i < 6; i++) sum = sum * 31 + x[i] + y[i] * 3 + z[i] * 5;
	return sum + a * b;
}

u64 pointers_@Q(u64 a, u64 b)
{
	$Q s32 values[4] = { 1, 2, 3, 4 };
	const volatile s32 *from = values + 1;
	return from[a & 1] * 3 + *(from + (b & 1)) + (from - values);
}

u64 running_values(u64 a, u64 b)
{
	struct deep d = { a, { { b, a }, [2] = { a - b } }, .u.bytes = { b, a, [7] = 1 }, { a, b }, { [1] = a } };
	u32 t[4] = { a, [2] = b, a + b };
	return mix(&d) + t[0] + t[1] * 3ull + t[2] * 5ull + t[3] * 7ull;
}

u64 compound_literals(u64 a, u64 b)
{
	struct deep *p = &(struct deep){ .head = a, .tail = "four" };
	u64 first = mix(p);
	*p = (struct deep){ .p = { { b } }, .u = { .half = { 1, a } } };
	return first * 31 + mix(p) + ((u8[]){ 1, 2, 3, 4 })[a & 3] + (struct pair){ b, 3 }.x + sizeof (int[]){ 1, 2, 3 } + *(u64 *)&(u64){ b };
}

u64 compound_literals_in_loops(u64 a, u64 b)
{
	u64 sum = 0;
	for (u32 i = 0; i < 4; i++) {
		struct pair *p = &(struct pair){ i, a };
		p->x += b;
		sum = sum * 31 + p->x + p->y;
	}
	return sum;
}

u64 order_of_effects(u64 a, u64 b)
{
	int n = a & 7;
	int t[3] = { n++, 5, 6 };
	struct pair p = { .y = n, .x = t[0] };
	return n + t[0] * 10 + p.x * 100 + p.y * 1000ull + b;
}

static u64 counter = 5, zeroed, table[4] = { 1, [3] = 4 };
static struct deep state = { .head = 3, .u.word = 1ull << 40, .tail = { 1, 2 } };
u64 globals_change(u64 a, u64 b)
{
	counter += a; zeroed ^= b; table[a & 3]++; state.head--; state.p[b & 1].x += a; state.u.bytes[7]++;
	return counter + zeroed * 3 + table[b & 3] * 5 + mix(&state);
}

u64 static_locals(u64 a, u64 b)
{
	static u32 calls; static s64 last = -1; static u8 seen[8] = { [7] = 1 };
	s64 before = last;
	calls++; last = a; seen[b & 7] += calls;
	return calls + before * 3 + seen[a & 7] * 5;
}

struct flexible { u16 n; u8 tail[]; };
static const struct flexible table_of_three = { 3, { 7, 8, 9 } };
u64 flexible_arrays(u64 a, u64 b)
{
	const struct flexible *p = &table_of_three;
	return p->tail[a & 1] * 10 + p->n + sizeof(struct flexible) + (u64)offsetof(struct flexible, tail) + b;
}
