//@ axes.C = { addcb = "u8", addcs = "u16", addc = "u32", addcl = "unsigned long", addcll = "unsigned long long", subcb = "u8", subcs = "u16", subc = "u32", subcl = "unsigned long", subcll = "unsigned long long" }
//@ axes.T = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"]
//@ axes.E = ["max", "min", "add_sat", "sub_sat"]

u64 @C_with_carry(u64 a, u64 b)
{
	$C carry = 7;
	$C low = __builtin_@C(a, b, a >> 60 & 1, &carry);
	$C high = __builtin_@C(b >> 3, a, carry, &carry);
	return low * 5ull + high * 3ull + carry;
}

u64 @C_at_the_ends(u64 a, u64 b)
{
	$C x = a & 1 ? -1 : a, y = b & 1 ? -1 : b, carry;
	u64 sum = 0;
	for (int i = 0; i < 2; i++) {
		sum = sum * 31 + __builtin_@C(x, y, i, &carry);
		sum = sum * 31 + carry;
	}
	return sum + __builtin_@C(1, 2, 0, &carry) + carry;
}

u64 @E_of_@T(u64 a, u64 b)
{
	$T x = a, y = b;
	return __builtin_elementwise_@E(x, y) + 2 * __builtin_elementwise_@E(($T)(x << 3), ($T)~y);
}

u64 @E_with_limits_of_@T(u64 a, u64 b)
{
	$T limits[4] = { 0, ($T)-1, ($T)(1ull << (sizeof($T) * 8 - 1)), ($T)((1ull << (sizeof($T) * 8 - 1)) - 1) };
	u64 sum = 0;
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 4; j++)
			sum = sum * 7 + __builtin_elementwise_@E(limits[i], limits[j]);
	return sum + a + b;
}

u64 reversed_@T(u64 a, u64 b)
{
	$T x = a;
	return __builtin_elementwise_bitreverse(x) + b;
}

u64 absolute_values(u64 a, u64 b)
{
	s32 x = a, y = 0;
	s64 z = b;
	u64 once = __builtin_elementwise_abs((y++, x));
	return once + __builtin_elementwise_abs(z) + y;
}

u64 floating_constants(u64 a, u64 b)
{
	u64 n = __builtin_isnan(__builtin_nan("")) + __builtin_isinf(__builtin_inf()) * 2 + !__builtin_isinf(1.5) * 4;
	n += (__builtin_isinf_sign(-__builtin_inf()) == -1) * 8 + __builtin_isfinite(2.0) * 16 + (__builtin_fabs(-3.5) == 3.5) * 32;
	return n + !!__builtin_signbit(-1.0) * 64 + a + b;
}
