//@ axes.T = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"]
//@ axes.N = { from = 0, to = 20 }
//@ axes.B = { ffs = "__builtin_ffs", ffsll = "__builtin_ffsll", ctz = "!x ? 99 : __builtin_ctz", ctzll = "!a ? 99 : __builtin_ctzll", clz = "!x ? 99 : __builtin_clz", clzll = "!a ? 99 : __builtin_clzll", popcount = "__builtin_popcount", popcountll = "__builtin_popcountll", parity = "__builtin_parity", parityll = "__builtin_parityll", bswap16 = "__builtin_bswap16", bswap32 = "__builtin_bswap32", bswap64 = "__builtin_bswap64", clrsb = "__builtin_clrsb", abs = "__builtin_abs", labs = "__builtin_labs" }

u64 @B(u64 a, u64 b)
{
	u32 x = a;
	return ($B(a)) + b;
}

u64 @B_of_constants(u64 a, u64 b)
{
	u64 sum = b;
	{ const u32 x = 1; const u64 a = 1; sum = sum * 31 + ($B(1)); }
	{ const u32 x = 0xff00; const u64 a = 0xff00; sum = sum * 31 + ($B(0xff00)); }
	{ const u32 x = 0x12345678; const u64 a = 0x12345678; sum = sum * 31 + ($B(0x12345678)); }
	{ const u32 x = -5; const u64 a = -5; sum = sum * 31 + ($B(-5)); }
	return sum + a;
}

u64 compare_bytes_@N(u64 a, u64 b)
{
	u8 x[24] = {}, y[24] = {};
	for (int i = 0; i < 24; i++) { x[i] = a >> (i & 7); y[i] = x[i]; }
	y[$N] ^= b & 3;
	int before = __builtin_memcmp(x, y, $N), with = __builtin_memcmp(x, y, $N + 1);
	return (before == 0) + (with == 0) * 2 + (with < 0) * 4 + (with > 0) * 8;
}

u64 move_bytes_@N(u64 a, u64 b)
{
	u8 x[32];
	for (int i = 0; i < 32; i++) x[i] = i * a + b;
	__builtin_memmove(x + 4, x, $N);
	__builtin_memmove(x + 8, x + 9, $N);
	__builtin_memcpy(x + 30, &b, $N > 2 ? 2 : $N);
	u64 sum = 0;
	for (int i = 0; i < 32; i++) sum = sum * 3 + x[i];
	return sum;
}

u64 fill_bytes_@N(u64 a, u64 b)
{
	u8 x[24];
	__builtin_memset(x, a, 24);
	__builtin_memset(x + 2, b, $N);
	__builtin_memset(x + ($N & 7), -1, 3);
	u64 sum = 0;
	for (int i = 0; i < 24; i++) sum = sum * 3 + x[i];
	return sum;
}

u64 what_the_compiler_knows(u64 a, u64 b)
{
	u64 n = __builtin_constant_p(5) + __builtin_constant_p("x"[0]) * 2 + __builtin_types_compatible_p(int, s32) * 8 + __builtin_types_compatible_p(int, long) * 16;
	n += __builtin_choose_expr(sizeof(long) == 8, 32, "none") + __builtin_strlen("four") * 64 + (__builtin_strcmp("ab", "ac") < 0) * 1024;
	if (__builtin_expect(a > b, 0)) n += 4096;
	if (__builtin_expect(!!(a & 1), 1)) n += 8192;
	if (a > b && a <= b) __builtin_unreachable();
	return n + __builtin_offsetof(struct { u8 a; u64 b[3]; }, b[2]);
}

u64 rotations_of_@T(u64 a, u64 b)
{
	$T x = a;
	u32 n = b & (sizeof x * 8 - 1), w = sizeof x * 8;
	return ($T)((u64)x << n) + (n ? ($T)(x >> (w - n)) : 0);
}

u64 sign_tricks_@T(u64 a, u64 b)
{
	$T x = a, y = b;
	$T min = x < y ? x : y, max = x > y ? x : y, abs = x < 0 ? -x : x, clamp = x < 10 ? 10 : x > 100 ? 100 : x;
	return min + max * 3ull + abs * 5ull + clamp * 7ull + ((x > 0) - (x < 0)) * 11ull + (x & -x) + (x && !(x & (x - 1))) * 13;
}

u64 average_of_@T(u64 a, u64 b)
{
	$T x = a, y = b, both = x & y;
	return ($T)(both + ((x ^ y) >> 1)) + ((u64)x + (u64)y) / 2 + ($T)(x - y) / 2 + ($T)~(x | y) % 7;
}
