//@ axes.F = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "bool"]
//@ axes.T = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "bool"]

// Every integer type into every other: by assignment, cast, argument, result, comparison, choice.
u64 @F_to_@T(u64 a, u64 b)
{
	$F from = a;
	$T to = from;
	return to + ($T)b;
}

static noinline $T pass_@F_@T($F x) { return x; }
u64 through_call_@F_@T(u64 a, u64 b)
{
	return pass_@F_@T(a) + pass_@F_@T(b);
}

u64 compare_@F_with_@T(u64 a, u64 b)
{
	$F x = a;
	$T y = b;
	return (x < y) | (x <= y) << 1 | (x == y) << 2 | (x > (s32)b) << 3 | ((u32)a >= y) << 4;
}

u64 mixed_@F_@T(u64 a, u64 b)
{
	$F x = a;
	$T y = b;
	return (x + y) * 3 - (x & y) + (a & 1 ? x : y) + sizeof(x + y) + sizeof(a & 1 ? x : y);
}

u64 stored_@F_as_@T(u64 a, u64 b)
{
	volatile $F x = a;
	volatile $T y = x;
	x = y;
	return x * 5 + y + (y = b);
}
