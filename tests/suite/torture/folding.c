//@ axes.T = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"]
//@ axes.X = { minus_one = "-1", byte = "0xa5", int = "0x80000000u", long = "0x8000000000000001ull", wide = "0x123456789abcdefll" }
//@ axes.V = { minus_three = "-3", many = "0x7ffffffeull" }

// What is known while compiling is what is found while running.
enum { of_@T_@X_@V = (($T)$X + ($T)$V) % 1000 };
static const u64 table_@T_@X_@V[] = {
	($T)$X + ($T)$V, ($T)$X - ($T)$V, ($T)$X * ($T)$V, ($T)$X / ($T)$V, ($T)$X % ($T)$V, ($T)$X & ($T)$V, ($T)$X ^ ($T)$V,
	($T)$X < ($T)$V, ($T)$X >= ($T)$V, ($T)$X == ($T)$V, ($T)$X << 5, ($T)$X >> 3, -($T)$X, ~($T)$X, !($T)$X, ($T)$X ? $V : 1,
};
u64 @X_and_@V_as_@T(u64 a, u64 b)
{
	$T x = opaque((u64)$X), y = opaque((u64)$V);
	u64 found[] = { x + y, x - y, x * y, x / y, x % y, x & y, x ^ y, x < y, x >= y, x == y, x << 5, x >> 3, -x, ~x, !x, x ? $V : 1 };
	u64 same = 0;
	for (int i = 0; i < 16; i++)
		same += (u64)(found[i] == table_@T_@X_@V[i]) << i;
	return same + (of_@T_@X_@V == (x + y) % 1000 ? 1 << 16 : 0) + found[a & 15] + table_@T_@X_@V[b & 15];
}

u64 literals(u64 a, u64 b)
{
	return sizeof(2147483647) + sizeof(2147483648) * 2 + sizeof(0x80000000) * 4 + sizeof(0xffffffff) * 8 + sizeof(0x100000000) * 16 +
		sizeof(1u) * 32 + sizeof(1l) * 64 + sizeof('a') * 128 + sizeof(0777) + (0x80000000 > -1) * 3 + (2147483648 > -1) * 5 + 0b1011 +
		(-2147483648 < 0) * 7 + ('\xff' < 0) * 9 + '\377' + '\0' + 'ab' + '\x41' + 01777 + (1 ? -1 : 0u) + a - b;
}

u64 conditional_types(u64 a, u64 b)
{
	return ((1 ? (u8)a : (s8)b) < 0) + ((0 ? (u32)a : (s32)b) < 0) * 2 + ((1 ? (u16)a : (s16)-1) < 0) * 4 + ((1 ? -1 : (u64)b) > 0) * 8 + (u64)(a ? (s32)b : 0u);
}
