//@ axes.N = ["1", "2", "3", "7", "16", "33"]
//@ axes.C = { lt = "<", le = "<=", ne = "!=" }
//@ axes.T = ["u8", "s8", "u16", "s32", "u32", "u64", "s64"]
//@ axes.D = { up = "i = 0; i < 13; i++", down = "i = 12; i >= 0; i--", by_three = "i = 1; i <= 31; i += 3", doubling = "i = 1; i < 100; i *= 2", halving = "i = 90; i; i /= 2" }

u64 count_@C_@N_as_@T(u64 a, u64 b)
{
	u64 sum = 0;
	for ($T i = 0; i $C $N; i++)
		sum = sum * 3 + (a >> i) + i;
	return sum + b;
}

u64 loop_@D_as_@T(u64 a, u64 b)
{
	s64 sum = 0;
	for (s32 $D) {
		$T x = i + a;
		if (x == ($T)b) continue;
		if (sum > 1000000) break;
		sum = sum * 3 + x;
	}
	return sum;
}

u64 bounded_by_value_@N(u64 a, u64 b)
{
	u64 sum = 0, n = a % ($N + 1);
	for (u32 i = 0; i < $N; i++) {
		if (i >= n) break;
		sum += b >> i;
	}
	u32 i = b & 3;
	do sum ^= a << i; while (++i < 4);
	return sum;
}

u64 count_down(u64 a, u64 b)
{
	u64 sum = a;
	u32 left = b & 7;
	while (left--) sum = sum * 5 + left;
	return sum;
}

u64 nested_@N(u64 a, u64 b)
{
	u64 sum = 0;
	for (int i = 0; i < $N; i++) {
		for (int j = i; j < 5; j++) {
			if ((a >> j & 1) == 0) continue;
			if (sum & 1 << 20) goto done;
			for (int k = 0; k < 2; k++)
				sum += i * j + k + b;
		}
	}
done:
	return sum;
}

u64 search_@T(u64 a, u64 b)
{
	static const $T sorted[16] = { 1, 3, 4, 7, 9, 12, 15, 20, 22, 30, 41, 55, 60, 77, 90, 120 };
	$T key = b & 0x7f;
	u32 low = 0, high = 16;
	for (int i = 0; i < 5 && low < high; i++) {
		u32 mid = (low + high) / 2;
		if (mid > 15) return 99;
		if (sorted[mid] < key) low = mid + 1; else high = mid;
	}
	return low + a;
}

u64 sort_@T(u64 a, u64 b)
{
	$T t[6] = { a, b, a >> 8, b >> 8, a >> 16, 5 };
	for (int i = 0; i < 5; i++)
		for (int j = 0; j < 5 - i; j++)
			if (t[j] > t[j + 1]) { $T x = t[j]; t[j] = t[j + 1]; t[j + 1] = x; }
	return t[0] + t[1] * 3ull + t[2] * 5ull + t[3] * 7ull + t[4] * 11ull + t[5] * 13ull;
}

u64 goto_forwards(u64 a, u64 b)
{
	u64 r = 0;
	if (a & 1) goto one;
	if (a & 2) goto two;
	r = b;
	goto end;
one:	r += 1;
	if (b & 1) goto end;
two:	r += 2;
	{ u64 inner = b; if (inner & 2) goto three; r += inner; }
	goto end;
three:	r *= 3;
end:
	return r;
}

u64 goto_backwards(u64 a, u64 b)
{
	u32 n = 0; u64 r = a;
again:
	r = r * 5 + b;
	if (++n < (b & 7)) goto again;
	if (r & 1 && n < 12) { n += 3; goto again; }
	return r + n;
}

u64 goto_into_block(u64 a, u64 b)
{
	u64 r = b; u32 i = 0;
	if (a & 1) goto middle;
	for (; i < 5; i++) {
		r += i;
	middle:
		r *= 3;
	}
	return r;
}

u64 crossing_loops(u64 a, u64 b)
{
	u32 i = 0, n = 0; u64 r = a;
first:
	if (n++ > 9) return r;
	r += b;
	if (r & 1) goto second;
	if (i++ < 3) goto first;
	return r ^ 1;
second:
	r = r * 3 + 2;
	if (r & 4) goto first;
	if (n++ < 8) goto second;
	return r + 5;
}

u64 short_circuits(u64 a, u64 b)
{
	u64 n = 0;
	bool x = a && (n++, b) && (n += 2, a > b), y = a & 1 || (n += 4, b & 1) || (n += 8, 0), z = (a || b) && !(a && b);
	if ((a & 1 && b & 1) || (a & 2 && !(b & 2))) n += 16;
	if (!(a & 4) && (b & 4 || a & 8)) n += 32; else if (a == b) n += 64;
	return n * 8 + x + y * 2 + z * 4;
}

u64 ternaries(u64 a, u64 b)
{
	u64 r = a ? b ? a > b ? 1 : 2 : 3 : b ? 4 : 5;
	r += (a & 1 ? a : b) + ((a & 2 ? : b) & 0xff) + (a & 4 ? (u8)a : (s8)b) + (a > b ? a - b : b - a);
	return r * 31 + (!a ?: 7) + (a == 1 ? (r++, r) : (r--, b)) + r;
}

u64 commas(u64 a, u64 b)
{
	u64 i, j, r = 0;
	for (i = 0, j = 10; i < j; i++, j--) r += (a++, b--, a ^ b) >> i;
	return (r, r + i, r + j + a + b);
}

u64 statement_expressions(u64 a, u64 b)
{
	u64 r = ({ u64 x = a; if (x & 1) x += b; else x ^= b; x; }) + ({ int t[2] = { a, b }; t[b & 1]; });
	r += ({ u64 n = 0; for (u32 i = 0; i < 6; i++) { if (i == (b & 7)) break; n += i; } n; });
	return r + ({ if (a == 0) return 77; a; }) + ({ ({ b; }) + ({ a * 2; }); });
}

u64 early_returns(u64 a, u64 b)
{
	for (u32 i = 0; i < 20; i++) {
		if ((a >> i & 3) == 3) return i;
		if ((b >> i & 7) == 7) { if (i & 1) return i + 100; else continue; }
		while (i & 4) { if (a & 16) return i + 200; break; }
	}
	return 1000;
}

u64 state_machine(u64 a, u64 b)
{
	enum { IDLE, RUN, WAIT, DONE } state = IDLE;
	u64 r = 0;
	for (u32 i = 0; i < 16 && state != DONE; i++) {
		u8 in = a >> (i * 4) & 3;
		switch (state) {
		case IDLE: state = in ? RUN : IDLE; r += 1; break;
		case RUN: if (in == 3) { state = WAIT; break; } r += 10; state = in == 2 ? DONE : RUN; break;
		case WAIT: r += b & 7; state = in & 1 ? RUN : IDLE; break;
		case DONE: break;
		}
	}
	return r * 4 + state;
}

u64 dead_code(u64 a, u64 b)
{
	if (0) { lost: a += 5; goto found; }
	if (a & 1) goto lost;
	while (0) b++;
	do { if (b & 1) continue; b += 3; } while (0);
	for (; 0;) a++;
	if (1) ; else b = 0;
found:
	return a * 3 + b;
}

u64 volatile_loops(u64 a, u64 b)
{
	volatile u32 n = a & 7; volatile u64 sum = b;
	for (u32 i = 0; i < 8; i++) { if (!n) break; n--; sum += sum >> 1; }
	return sum + n;
}
