//@ axes.T = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "bool"]
//@ axes.L = { inlined = "static inline __attribute__((always_inline))", static = "static", subprogram = "static noinline", global = "noinline" }

$L $T twice_@T_@L($T x) { return x + x; }
$L u64 five_@T_@L($T a, s32 b, $T c, u64 d, $T e) { return a + b * 3ull + c * 5ull + d * 7ull + e * 11ull; }
u64 call_@T_@L(u64 a, u64 b)
{
	return twice_@T_@L(a) + five_@T_@L(a, b, b, a, twice_@T_@L(b)) + five_@T_@L(300, -1, 70000, -1, 1ull << 40) * 3;
}

$L u64 leaf_@L(u64 x) { return x * 7 + 1; }
$L u64 middle_@L(u64 x, u32 y) { u64 r = leaf_@L(x); return r ^ leaf_@L(r + y) ^ y; }
$L u64 top_@L(u64 x, u64 y) { u64 t = x; for (u32 i = 0; i < 3; i++) t = middle_@L(t, y + i); return t + x; }
u64 chain_@L(u64 a, u64 b)
{
	return top_@L(a, b) + middle_@L(b, a) * 3 + leaf_@L(a);
}

u64 @L_state;
$L int bump_@L(u64 by) { if (by & 1) return 0; return @L_state += by; }
$L int signum_@L(s64 x) { if (x < 0) return -1; return x > 0; }
u64 effects_@L(u64 a, u64 b)
{
	u64 before = @L_state;
	bump_@L(a); bump_@L(b);
	return before + @L_state * 3 + signum_@L(a) * 5 + signum_@L(b) * 7ll + signum_@L(0);
}

static noinline void results(u64 x, u64 *sum, u32 *product, s8 *low) { *sum = x + 3; *product = x * 3; *low = x; }
u64 results_by_pointer(u64 a, u64 b)
{
	u64 sum; u32 product; s8 low;
	results(a, &sum, &product, &low);
	u64 first = sum + product * 3ull + low * 5ull;
	results(b ^ sum, &sum, &product, &low);
	return first * 31 + sum + product * 3ull + low;
}

struct big { u64 x[5]; };
static u64 sum_of(struct big v, u64 *changed) { v.x[0]++; *changed += v.x[4]; u64 s = 0; for (int i = 0; i < 5; i++) s += v.x[i] * (i + 1); return s; }
u64 records_by_value(u64 a, u64 b)
{
	struct big v = { { a, b, 1, 2, 3 } };
	u64 n = 0, s = sum_of(v, &n);
	v.x[1] = s;
	return sum_of(v, &n) + n + v.x[0];
}

static u64 many(u64 a, u8 b, s16 c, u32 d, s64 e, bool f, u64 g, s8 h) { return a + b * 3ull + c * 5ull + d * 7ull + e * 11 + f * 13 + g * 17 + h * 19ull; }
u64 more_than_five(u64 a, u64 b)
{
	return many(a, b, a, b, a, b, a, b) + many(b, a, b, a, b, a, b, a) * 3;
}

static u64 by_sign(s64 x, u64 (*yes)(u64), u64 (*no)(u64)) { return x < 0 ? yes(x) : no(x); }
static u64 half(u64 x) { return x / 2; }
static u64 third(u64 x) { return x / 3; }
u64 functions_as_arguments(u64 a, u64 b)
{
	return by_sign(a, half, third) + by_sign(b, third, half) * 3;
}

static u64 no_prototype();
u64 declared_without_prototype(u64 a, u64 b)
{
	return no_prototype(a) + b;
}
static u64 no_prototype(u64 x) { return x + 5; }

static u64 shadow = 7;
u64 shadowing(u64 a, u64 b)
{
	u64 r = shadow, shadow = a;
	{ u64 shadow = b; r += shadow * 3; }
	for (u64 shadow = 0; shadow < 3; shadow++) r += shadow;
	return r + shadow;
}

static void set(u64 *p, u64 v) { *p = v; }
static u64 get(const u64 *p) { return *p; }
u64 order_of_calls(u64 a, u64 b)
{
	u64 x = 0;
	set(&x, a); u64 first = get(&x); set(&x, b + first);
	return first * 3 + (set(&x, x + 1), get(&x)) + (x > 5 ? (set(&x, 5), x) : x);
}
