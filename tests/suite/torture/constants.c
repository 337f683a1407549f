//@ axes.T = ["u32", "s32", "u64", "s64"]
//@ axes.N = ["2", "3", "5", "7", "8", "10", "12", "16", "25", "60", "100", "125", "127", "255", "256", "641", "1000", "1024", "65535", "65536", "1000000007", "0x7fffffff", "0x80000000"]
//@ axes.L = ["0xffffffffull", "0x100000000ull", "6700417ull", "1000000000000ull", "0x7fffffffffffffffull", "0x8000000000000000ull", "0xfffffffffffffffbull"]
//@ axes.C = { from = 0, to = 31 }
//@ axes.H = { from = 32, to = 63 }

// Division, remainder and product by constants: the compiler may find other ways.
u64 by_@N_as_@T(u64 a, u64 b)
{
	$T x = a, y = b, n = $N;
	return x / n + (y % n) * 3ull + (x * n ^ y) + (x % ($T)$N == 0) * 7;
}

u64 by_@L(u64 a, u64 b)
{
	return a / $L + b % $L * 3 + (a * $L ^ b) + (u64)((s64)(a >> 1) / (s64)($L >> 1)) + (b < $L) + ((s64)b < (s64)$L) * 2;
}

u64 negative_by_@N(u64 a, u64 b)
{
	s64 x = a;
	s32 y = b;
	return x / -(s64)$N + y % -(s32)($N & 0x7ffffffe | 2) + (u64)(s16)a / $N + (u64)((s8)b / (s8)(($N & 0x3f) + 2));
}

u64 compare_with_@N_as_@T(u64 a, u64 b)
{
	$T x = a;
	s16 y = b;
	u8 z = b;
	return (x < ($T)$N) + (x <= ($T)$N) * 2 + (x == ($T)$N) * 4 + (y > (s16)$N) * 8 + (z >= (u8)$N) * 16 + (x > -($T)$N) * 32 + (x != (u16)$N) * 64;
}

u64 shift_by_@C(u64 a, u64 b)
{
	u32 w = a;
	s32 x = b;
	u16 y = a;
	s8 z = b;
	return (w << $C) + (w >> $C) * 3ull + (x << $C) * 5ull + (x >> $C) * 7ull + (y << $C) * 11ull + (z >> $C) * 13ull + (a << $C) + (b >> $C) + ((s64)a >> $C);
}

u64 shift_by_@H(u64 a, u64 b)
{
	s64 x = b;
	return (a << $H) + (a >> $H) * 3 + (x << $H) * 5 + (x >> $H) * 7 + ((u64)(u32)a << $H) + ((u64)(s16)b << $H);
}

u64 rotate_by_@C(u64 a, u64 b)
{
	u32 w = a;
	u8 c = b;
	return (w << $C | w >> (-$C & 31)) + (u8)(c << ($C & 7) | c >> (-$C & 7)) + (b >> $C | b << (-$C & 63)) * 3;
}

u64 mask_to_@C_bits(u64 a, u64 b)
{
	u32 w = a;
	return (w & ((1u << $C) - 1)) + (b & (1ull << $C)) + (a & -(1ull << $C)) + (w | 1u << $C) + (s32)(w ^ 1u << $C) + !(b >> $C & 1);
}
