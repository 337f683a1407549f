//@ axes.A = { from = 1, to = 8 }
//@ axes.B = { from = 1, to = 16 }
//@ axes.C = { from = 1, to = 32 }
//@ axes.D = { from = 1, to = 64 }
//@ axes.S = { signed = "s", unsigned = "u" }

// A field of every width between two others: read, written, and its value as an expression.
struct b8_@S_@A { u8 before : 3; $S8 f : $A; u8 after : 5; };
u64 byte_@S_@A(u64 a, u64 b)
{
	struct b8_@S_@A r = { a, a >> 3, b };
	u64 sum = r.before + r.f * 7ull + r.after * 31ull;
	r.f = b;
	return sum * 31 + r.f + (r.f < (s32)a) + r.before + r.after;
}

struct b16_@S_@B { u16 before : 5; $S16 f : $B; u8 after; };
u64 short_@S_@B(u64 a, u64 b)
{
	struct b16_@S_@B r = { a, a >> 5, b };
	r.f += b;
	r.before ^= r.f;
	return r.before + r.f * 31ull + r.after * 961ull + (r.f = a) + sizeof r;
}

struct b32_@S_@C { u32 before : 11; $S32 f : $C; u32 after : 9; };
u64 int_@S_@C(u64 a, u64 b)
{
	struct b32_@S_@C r = { a, b, a };
	u64 old = r.f;
	r.f = r.f * 3 + b;
	return old + r.f * 31ull + r.before * 7ull + r.after * 961ull + (r.f > (s32)a) + sizeof r;
}

struct b64_@S_@D { u64 before : 7; $S64 f : $D; u32 after : 2; };
u64 long_@S_@D(u64 a, u64 b)
{
	struct b64_@S_@D r = { a, b, 1 };
	u64 old = r.f;
	r.f ^= a;
	return old + r.f * 31 + r.before + r.after + (r.f < (s64)a) * 5 + (r.f >> 1) + sizeof r;
}

// Packed fields straddle whatever they meet.
struct pk_@S_@D { u8 first : 3; $S64 f : $D; u8 after : 6; u16 last; } PACKED;
u64 straddling_@S_@D(u64 a, u64 b)
{
	struct pk_@S_@D r = { 5, a, b, b };
	u64 old = r.f;
	r.f = b;
	return old + r.f * 31 + r.first * 3 + r.after * 5 + r.last * 7 + sizeof r * 1000;
}
