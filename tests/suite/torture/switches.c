//@ axes.T = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"]
//@ axes.B = { zero = "0", ten = "10", negative = "-3", high = "100" }
//@ axes.G = { dense = "1", pairs = "2", sparse = "7", far = "23" }
//@ axes.M = { small = "31", byte = "255", all = "-1" }

u64 cases_@B_@G_@T(u64 a, u64 b)
{
	$T x = a % 40 + ($B);
	u64 r = b;
	switch (x) {
	case ($T)($B): r += 1; break;
	case ($T)($B + 1 * $G): r *= 3;
	case ($T)($B + 2 * $G): r ^= 5; break;
	case ($T)($B + 3 * $G): return r - 7;
	default: r += 11; break;
	case ($T)($B + 4 * $G): r <<= 1;
	case ($T)($B + 5 * $G): r |= 0x100;
	}
	return r * 31 + (u64)x;
}

u64 ranges_@M_@T(u64 a, u64 b)
{
	u64 r = 0;
	switch (($T)(a & $M)) {
	case 0 ... 3: r = 1;
	case 5: r += b; break;
	case 6 ... 20: r = 3; break;
	case 21: case 23: case 25: r = 4; break;
	case 40 ... 99: r = b >> 3; break;
	case 100 ... 126: r = b * 5; break;
	}
	switch (($T)b) {
	case 0: r++;
	case 1 ... 0x7f: r += 100; break;
	default: r ^= 0x55;
	}
	return r;
}

u64 table_@G(u64 a, u64 b)
{
	switch (a % (12 * $G)) {
	case 0 * $G: return 71; case 1 * $G: return 33; case 2 * $G: return 5; case 3 * $G: return 97;
	case 4 * $G: return 12; case 5 * $G: return 8; case 6 * $G: return 41; case 7 * $G: return 60;
	case 8 * $G: return 2; case 9 * $G: return 19; case 10 * $G: return b; case 11 * $G: return b + 1;
	}
	return 1000;
}

u64 nested(u64 a, u64 b)
{
	u64 r = 0;
	for (int i = 0; i < 8; i++) {
		switch (a >> i & 3) {
		case 0: continue;
		case 1:
			switch (b >> i & 3) { case 0: r += 1; break; case 1: r += 2; case 2: r += 4; break; default: goto out; }
			break;
		case 2: r *= 3; break;
		default: { u64 local = b & 7; r ^= local; }
		}
		r += 100;
	}
out:
	return r;
}

u64 jumps_into_loop(u64 a, u64 b)
{
	u64 r = 0, n = a & 7;
	switch (b & 3) {
	case 0: do { r += 1;
	case 3:      r += 10;
	case 2:      r += 100;
	case 1:      r += 1000;
	        } while (n-- > 0 && r < 100000);
	}
	return r * 8 + n;
}

u64 only_default(u64 a, u64 b)
{
	switch (a) default: b++;
	switch (a & 1) { case 1: if (b & 1) { case 0: b += 5; } else b += 7; }
	switch (a) { }
	switch (({ b ^= 1; b & 3; })) { case 2: b++; }
	return b;
}

u64 wide_values(u64 a, u64 b)
{
	u64 r = 0;
	switch (a) { case 0x100000000ull: r = 1; break; case 0xffffffffffffffffull: r = 2; break; case 0x8000000000000000ull: r = 3; break; case 1: r = 4; break; case 0: r = 5; }
	switch ((s64)b) { case -1: r += 10; break; case -0x80000000ll: r += 20; break; case 0x7fffffff: r += 30; break; case (-0x7fffffffffffffffll - 1) ... -0x7ffffffffffffff0ll: r += 40; }
	return r;
}

enum op { ADD, SUB, MUL, DIV = 10, NEG = -5 };
static u64 apply(enum op op, u64 x, u64 y)
{
	switch (op) {
	case ADD: return x + y;
	case SUB: return x - y;
	case MUL: return x * y;
	case DIV: return y ? x / y : 0;
	case NEG: return -x;
	}
	return 0;
}
u64 enumerators(u64 a, u64 b)
{
	return apply(a % 3, a, b) + apply(DIV, a, b & 15) + apply(a & 1 ? NEG : SUB, b, 3);
}

u64 bool_and_char(u64 a, u64 b)
{
	u64 r = 0;
	switch ((bool)(a & 6)) { case 0: r = 1; break; case 1: r = 2; }
	switch ((char)b) { case 'a' ... 'z': r += 10; break; case '\xff': r += 20; break; case -128 ... -2: r += 30; }
	return r;
}
