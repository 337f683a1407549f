// Control flow that the generator of random programs does not make.
typedef unsigned long long u64;
typedef unsigned int u32;

u64 duff(u64 a, u64 b)
{
	u64 sum = 0, n = (a & 31) + 1, turns = (n + 7) / 8;
	switch (n % 8) {
	case 0: do { sum += b;
	case 7:      sum ^= a;
	case 6:      sum += 6;
	case 5:      sum *= 3;
	case 4:      sum += b >> 3;
	case 3:      sum ^= b;
	case 2:      sum += 2;
	case 1:      sum += 1;
		} while (--turns > 0);
	}
	return sum;
}

u64 backward_goto(u64 a, u64 b)
{
	u64 n = a % 50, x = b;
again:
	if (n == 0)
		goto done;
	x = x * 6364136223846793005ull + 1442695040888963407ull;
	n--;
	if (x & 1)
		goto again;
	x >>= 1;
	goto again;
done:
	return x;
}

u64 signed_ranges(u64 a, u64 b)
{
	u64 r = 0;
	for (int i = -8; i < 8; i++) {
		switch (i + (int)(a % 3)) {
		case -5 ... -3: r += 1; break;
		case -1 ... 2: r += 100; break;
		case 5: r ^= b;
		default: r += 7;
		case 6: r *= 3;
		}
	}
	return r;
}

u64 nested_switch(u64 a, u64 b)
{
	switch (a & 3) {
	case 0:
		switch (b & 3) {
		case 1: return 1;
		default: break;
		case 2: return 2;
		}
		return 3;
	case 1: {
		u64 i;
		for (i = 0; i < 10; i++) {
			switch (i ^ (b & 7)) {
			case 4: continue;
			case 6: break;
			default: a += i;
			}
			if (a > 20)
				break;
		}
		return a * 10 + i;
	}
	}
	return 99;
}

u64 switch_64(u64 a, u64 b)
{
	switch (a ^ b) {
	case 0x100000000ull: return 1;
	case 0xffffffffffffffffull: return 2;
	case 0: return 3;
	case 1ull << 63 ... (1ull << 63) + 10: return 4;
	}
	return 5;
}

u64 switch_without_braces(u64 a, u64 b)
{
	switch (a & 1)
		case 1: return b;
	switch (b) default: return a + 5;
}

u64 loops(u64 a, u64 b)
{
	u64 n = 0;
	for (;;) {
		if (++n > a % 17)
			break;
	}
	do
		n += 3;
	while (n < b % 40);
	while (1) {
		n++;
		if (n & 8)
			continue;
		if (n > 30)
			break;
		n += 2;
	}
	for (u64 i = 0, j = 10; i < j; i++, j--)
		n += i * j;
	return n;
}

u64 jump_into_block(u64 a, u64 b)
{
	u64 r = 1;
	if (a & 1)
		goto inside;
	while (r < 1000) {
		r *= 2;
inside:
		r += b & 7;
		r++;
	}
	return r;
}

u64 short_circuit(u64 a, u64 b)
{
	u64 n = 0;
	if (a && n++ == 0 && (b || n++) && !(a == b || n++ > 5))
		n += 100;
	int t = (a > b) || (n += 10, b > 3);
	int u = (a & 4) && (b & 4);
	return n * 4 + t * 2 + u + !a + !!b + (a ? !b : !!a);
}

u64 dead_code(u64 a, u64 b)
{
	return a + b;
	a++;
	for (int i = 0; i < 3; i++)
		b += a;
label:
	if (b)
		goto label;
	return b;
}

static void stop(u64 x) __attribute__((noreturn));
static void stop(u64 x) { for (;;) x++; }

u64 unreachable(u64 a, u64 b)
{
	if ((a | 1) == 0)
		stop(b);
	switch (b & 1) {
	case 0: return a;
	case 1: return b;
	default: __builtin_unreachable();
	}
}

static u64 recursive(u64 n) { return n < 2 ? n : recursive(n - 1) + recursive(n - 2); }
u64 fibonacci(u64 a, u64 b) { return recursive(a % 12) * 1000 + recursive(b % 10); }

u64 local_labels(u64 a, u64 b)
{
	u64 r = 0;
#define FIND(x, y) ({ __label__ found; u64 i_; for (i_ = 0; i_ < 64; i_++) if ((x) >> i_ == (y)) goto found; found: i_; })
	r += FIND(a, 1);
	r = r * 100 + FIND(b, 3);
	return r;
}

u64 empty(u64 a, u64 b)
{
	;
	{}
	if (a) ; else b++;
	for (; a & 1; a++) ;
	return a ^ b;
}
