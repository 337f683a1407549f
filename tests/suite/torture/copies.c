//@ axes.N = { from = 1, to = 40 }
//@ axes.L = ["48", "56", "63", "64", "72", "80", "96", "100"]
//@ axes.T = ["u8", "u16", "u32", "u64"]
//@ axes.C = { from = 1, to = 9 }

// Records of every size move whole: by assignment, memcpy, memmove, and as arguments.
struct bytes_@N { u8 at[$N]; };
static struct bytes_@N pass_@N(struct bytes_@N x, u8 y) { x.at[$N / 2] ^= y; return x; }
u64 bytes_@N(u64 a, u64 b)
{
	struct bytes_@N x = { { a } }, y = { { b } }, z;
	for (int i = 0; i < $N; i++)
		x.at[i] += a >> (i & 31);
	y = x;
	x.at[$N - 1]++;
	z = pass_@N(y, b);
	__builtin_memmove(&y, &z, $N);
	u64 sum = __builtin_memcmp(&x, &y, $N) != 0;
	for (int i = 0; i < $N; i++)
		sum = sum * 3 + x.at[i] + y.at[i] * 5 + z.at[i] * 7;
	return sum;
}

u64 set_@N(u64 a, u64 b)
{
	u8 x[48];
	__builtin_memset(x, 0x5a, 48);
	__builtin_memset(x + 3, 0, $N);
	__builtin_memset(x + 1, 0xc3, $N / 2);
	x[(a & 31) + 8] = b;
	u64 sum = 0;
	for (int i = 0; i < 48; i++)
		sum = sum * 3 + x[i];
	return sum;
}

struct large_@L { u8 at[$L]; };
u64 large_@L(u64 a, u64 b)
{
	struct large_@L x, y;
	__builtin_memset(&x, 0x11, sizeof x);
	x.at[a & 31] = b;
	x.at[$L - 1] = a;
	y = x;
	y.at[b & 31] ^= 1;
	u64 sum = 0;
	for (int i = 0; i < $L; i++)
		sum = sum * 5 + y.at[i];
	return sum + x.at[b & 15];
}

struct items_@T_@C { $T at[$C]; u8 tail; };
u64 items_@T_@C(u64 a, u64 b)
{
	struct items_@T_@C x = {}, y, *p = a & 1 ? &x : &y;
	y = (struct items_@T_@C){ { a, [$C - 1] = b }, 7 };
	p->at[$C / 2] += 5;
	x.tail += y.tail;
	struct items_@T_@C z = b & 1 ? x : y;
	z.at[0]--;
	u64 sum = sizeof x + z.tail * 3;
	for (int i = 0; i < $C; i++)
		sum = sum * 31 + x.at[i] + y.at[i] * 3 + z.at[i] * 5;
	return sum;
}

u64 unaligned_@T_@C(u64 a, u64 b)
{
	u8 bytes[32] = {};
	$T x = a, y;
	__builtin_memcpy(bytes + $C, &x, sizeof x);
	bytes[$C + 1] ^= b;
	__builtin_memcpy(&y, bytes + $C - 1, sizeof y);
	return x + y * 3ull + bytes[$C] * 5;
}
