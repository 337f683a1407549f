//@ axes.T = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"]
//@ axes.O = { add = "+", sub = "-", mul = "*", and = "&", or = "|", xor = "^" }
//@ axes.U = { neg = "-", not = "~", lognot = "!", plus = "+" }
//@ axes.D = { div = "/", mod = "%" }
//@ axes.S = { shl = "<<", shr = ">>" }
//@ axes.C = { lt = "<", le = "<=", gt = ">", ge = ">=", eq = "==", ne = "!=" }

u64 @O_@T(u64 a, u64 b)
{
	$T x = a, y = b;
	return x $O y;
}

u64 assign_@O_@T(u64 a, u64 b)
{
	$T x = a;
	x $O= b;
	return x;
}

u64 @U_@T(u64 a, u64 b)
{
	$T x = a;
	return $U x;
}

u64 @D_@T(u64 a, u64 b)
{
	$T x = a, y = b & 0x7f;
	return x $D (y ? y : 1);
}

u64 @S_@T(u64 a, u64 b)
{
	$T x = a;
	return x $S (b & (sizeof(+x) * 8 - 1));
}

u64 assign_@S_@T(u64 a, u64 b)
{
	$T x = a;
	x $S= b & 7;
	return x;
}

u64 @C_@T(u64 a, u64 b)
{
	$T x = a, y = b;
	return (x $C y) + 2 * (x $C x) + 4 * (x $C (s64)y);
}
