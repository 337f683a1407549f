//@ axes.T = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"]
//@ axes.U = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"]
//@ axes.O = ["add", "sub"]
//@ axes.N = ["u8", "s8", "u16", "s16", "u32", "s32"]

u64 @O_of_@T(u64 a, u64 b)
{
	$T r;
	u64 over = __builtin_@O_overflow(($T)a, ($T)b, &r);
	return over + r * 2ull;
}

u64 add_into_@T_of_@U(u64 a, u64 b)
{
	$T r;
	u64 over = __builtin_add_overflow(($U)a, (s32)b, &r);
	return over + r * 2ull;
}

u64 sub_into_@T_of_@U(u64 a, u64 b)
{
	$T r;
	u64 over = __builtin_sub_overflow((u32)a, ($U)b, &r);
	return over + r * 2ull;
}

// clang has no 64-bit product with a check for BPF.
u64 mul_of_@N(u64 a, u64 b)
{
	$N r;
	u64 over = __builtin_mul_overflow(($N)a, ($N)b, &r);
	return over + r * 2ull;
}

u64 checked_@O_of_@T(u64 a, u64 b)
{
	$T x = a, y = b, r = 5;
	if (__builtin_@O_overflow(x, y, &r))
		return 1000 + r;
	return r;
}

u64 named_variants(u64 a, u64 b)
{
	unsigned int u; int i; unsigned long ul; long l; unsigned long long ull; long long ll;
	u64 over = __builtin_uadd_overflow(a, b, &u) + __builtin_sadd_overflow(a, b, &i) * 2 + __builtin_uaddl_overflow(a, b, &ul) * 4 +
		__builtin_saddl_overflow(a, b, &l) * 8 + __builtin_uaddll_overflow(a, b, &ull) * 16 + __builtin_saddll_overflow(a, b, &ll) * 32;
	u64 sum = over + u + i * 3ull + ul * 5 + l * 7 + ull * 11 + ll * 13;
	over = __builtin_usub_overflow(a, b, &u) + __builtin_ssub_overflow(a, b, &i) * 2 + __builtin_umul_overflow(a, b, &u) * 4 +
		__builtin_smul_overflow(a, b, &i) * 8 + __builtin_usubl_overflow(a, b, &ul) * 16 + __builtin_ssubll_overflow(a, b, &ll) * 32;
	return sum * 31 + over + u + i * 3ull + ul * 5 + ll * 7;
}
