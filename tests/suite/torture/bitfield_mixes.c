//@ axes.P = { natural = "", packed = "PACKED" }

struct flags_@P { u8 a : 1, b : 1, c : 1, d : 5; } $P;
u64 flags_of_a_byte_@P(u64 a, u64 b)
{
	struct flags_@P f = {};
	f.a = a; f.b = b; f.c = a >> 1; f.d = b >> 1;
	f.a |= f.b; f.c &= f.a; f.d++;
	return f.a + f.b * 2 + f.c * 4 + f.d * 8;
}

struct truth_@P { bool a : 1; u32 n : 20; bool b : 1; bool c; } $P;
u64 bool_fields_@P(u64 a, u64 b)
{
	struct truth_@P f = { a & 6, b, b & 8, a };
	f.a ^= f.b; f.b = f.n; f.c |= f.a; f.n += f.a;
	return f.a + f.b * 2 + f.c * 4 + f.n * 8ull + sizeof f;
}

enum shade_@P { DARK_@P = -2, PALE_@P, LIGHT_@P = 5 };
struct colored_@P { enum shade_@P s : 4; unsigned n : 28; enum shade_@P t; } $P;
u64 enum_fields_@P(u64 a, u64 b)
{
	struct colored_@P c = { a & 1 ? DARK_@P : LIGHT_@P, b, PALE_@P };
	u64 sum = (s64)c.s + c.n + (c.s == DARK_@P) + (c.s < 0);
	c.s = c.t; c.t = b & 2 ? c.s : LIGHT_@P;
	return sum * 31 + (s64)c.s + (s64)c.t + sizeof c;
}

struct unnamed_@P { u32 a : 5; u32 : 3; u32 b : 9; u32 : 0; u8 c : 2; u8 : 0; u16 d : 9; u64 : 13; u64 e : 41; } $P;
u64 gaps_@P(u64 a, u64 b)
{
	struct unnamed_@P r = { a, b, a >> 5, b >> 9, a ^ b };
	u64 sum = r.a + r.b * 3 + r.c * 5 + r.d * 7 + r.e * 11 + sizeof r * 13;
	r.e -= r.a; r.d ^= r.b; r.c = ~r.c;
	return sum * 31 + r.a + r.b * 3 + r.c * 5 + r.d * 7 + r.e * 11;
}

struct kinds_@P { s8 a : 4; u16 b : 10; s32 c : 21; u64 d : 35; s64 e : 60; u8 f; s16 g : 15; } $P;
u64 all_kinds_@P(u64 a, u64 b)
{
	struct kinds_@P r = { a, b, a >> 4, b >> 10, a ^ b, a >> 56, b >> 49 };
	u64 sum = r.a + r.b * 3ull + r.c * 5ull + r.d * 7ull + r.e * 11 + r.f * 13ull + r.g * 17ull;
	r.a = r.b; r.c = r.d; r.d = r.e; r.g = r.a; r.e = (s64)b >> 3; r.f++;
	return sum * 31 + r.a + r.b * 3ull + r.c * 5ull + r.d * 7ull + r.e * 11 + r.f * 13ull + r.g * 17ull + sizeof r;
}

union raw_@P { struct { u32 low : 7, mid : 18, high : 7; } $P f; u32 word; u8 bytes[4]; };
u64 through_union_@P(u64 a, u64 b)
{
	union raw_@P u = { .word = a };
	u64 sum = u.f.low + u.f.mid * 3ull + u.f.high * 5ull;
	u.f.mid = b; u.f.high ^= u.f.low;
	return sum * 31 + u.word + u.bytes[1] * 7 + u.bytes[3] * 11 + sizeof u;
}

struct nested_@P { u8 kind : 4; struct { u16 x : 9; s16 y : 6; } inner; u32 tail : 30; } $P;
u64 nested_fields_@P(u64 a, u64 b)
{
	struct nested_@P r[2] = { { a, { b, a >> 4 }, b >> 9 }, { .tail = a, .inner.y = b } };
	r[a & 1].inner.x += 5; r[b & 1].kind--; r[1].inner = r[0].inner;
	return r[0].kind + r[0].inner.x * 3 + r[0].inner.y * 5ull + r[0].tail * 7ull + r[1].kind * 11 + r[1].inner.x * 13 +
		r[1].inner.y * 17ull + r[1].tail * 19ull + sizeof r;
}

static struct kinds_@P copy_fields_@P(struct kinds_@P *from) { struct kinds_@P r = *from; r.c++; from->a--; return r; }
u64 fields_by_value_@P(u64 a, u64 b)
{
	struct kinds_@P r = { a, b, a, b, a, b, a };
	struct kinds_@P s = copy_fields_@P(&r);
	return r.a + s.a * 3ull + s.b * 5ull + s.c * 7ull + s.d * 11ull + s.e * 13 + s.f * 17ull + s.g * 19ull + r.c;
}

static struct kinds_@P global_fields_@P = { -3, 500, -70000, 0x712345678, -5, 7, -9 };
u64 fields_of_globals_@P(u64 a, u64 b)
{
	u64 sum = global_fields_@P.a + global_fields_@P.b * 3ull + global_fields_@P.c * 5ull + global_fields_@P.d * 7ull;
	global_fields_@P.d = a; global_fields_@P.a += b; global_fields_@P.e ^= a; global_fields_@P.g -= b;
	return sum * 31 + global_fields_@P.e + global_fields_@P.f + global_fields_@P.g + global_fields_@P.d + global_fields_@P.a;
}

static const struct kinds_@P constant_fields_@P[2] = { { .b = 1023, .e = -1, .g = -16384 }, { 7, 0, 1048575, 1, 2, 3, 4 } };
u64 fields_of_constants_@P(u64 a, u64 b)
{
	const struct kinds_@P *p = &constant_fields_@P[a & 1];
	return p->a + p->b * 3ull + p->c * 5ull + p->d * 7ull + p->e * 11 + p->f * 13 + p->g * 17ull + b;
}

u64 fields_in_conditions_@P(u64 a, u64 b)
{
	struct kinds_@P r = { a, b, a, b, a, b, a };
	u64 n = 0;
	if (r.a) n += 1; if (r.b > 512) n += 2; if (r.c < 0) n += 4; if (r.d > r.e) n += 8; if (!r.g) n += 16;
	n += (r.a && r.b) * 32 + (r.c || r.g) * 64 + (r.e == r.d) * 128 + (r.a < r.g) * 256 + ((u32)r.b > r.c) * 512;
	switch (r.a) { case -8 ... -1: n += 1024; break; case 3: n += 2048; break; default: n += 4096; }
	return n;
}

u64 fields_as_counters_@P(u64 a, u64 b)
{
	struct { u32 i : 5; u32 n : 7; s32 sum : 20; } $P r = { 0, a, 0 };
	for (r.i = 0; r.i < 12; r.i++)
		r.sum += r.n-- ^ b;
	return r.i + r.n * 3 + (u64)r.sum * 5;
}

u64 volatile_fields_@P(u64 a, u64 b)
{
	volatile struct { u16 x : 3, y : 13; s64 z : 37; } $P r = { 1, 2, 3 };
	r.x = a; r.y += b; r.z = a - b;
	return r.x + r.y * 3 + r.z * 5;
}

u64 promoted_fields_@P(u64 a, u64 b)
{
	struct { u32 small : 31; u32 whole : 32; u64 large : 33; s64 mid : 20; } $P r = { a, a, a, a };
	return ((r.small - 0x7fffffff) < 0) + ((r.whole - 0xffffffff) < 0) * 2 + ((s64)(r.small + 1) < 0) * 4 +
		((r.mid << 12) > 0) * 16 + (-r.small > 0) * 32 + (r.small >> 1) + (r.large << 31) + b;
}
