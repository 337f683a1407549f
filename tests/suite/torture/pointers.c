//@ axes.T = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"]

u64 walk_@T(u64 a, u64 b)
{
	$T t[8] = { a, b, 3, -4, a >> 8, 6, b >> 8, 8 }, *p = t, *end = t + 8;
	u64 sum = 0;
	while (p < end)
		sum = sum * 31 + *p++;
	p = &t[4];
	*p-- += 3; *--p -= b; ++*p; (*p)++; p[2] ^= *(p + 1); 2[t]++;
	for (p = end; p-- != t;)
		sum = sum * 3 + *p;
	return sum + (end - t) + (&t[5] - &t[2]) * 10 + (p + 1 == t);
}

u64 index_@T(u64 a, u64 b)
{
	$T t[16];
	for (u32 i = 0; i < 16; i++)
		t[i] = a * i + b;
	t[a & 15] = b; t[(u8)b & 15] += t[a >> 4 & 15]; *(t + (b >> 4 & 7) + 1) = 1;
	return t[a & 15] + t[b & 15] * 3ull + t[(a + b) & 15] * 5ull + t[15 - (a & 15)];
}

static noinline void fill_@T($T *p, $T value) { p[0] = value; p[1] = value + 1; p[3] = p[0] ^ p[1]; }
u64 through_call_@T(u64 a, u64 b)
{
	$T t[8] = {};
	fill_@T(t, a);
	fill_@T(t + 4, b);
	return t[0] + t[1] * 3ull + t[2] * 5ull + t[3] * 7ull + t[4] * 11ull + t[7] * 13ull;
}

u64 matrix_@T(u64 a, u64 b)
{
	$T m[3][4] = { { 1, 2 }, { a }, { b, 1 } }, (*row)[4] = m + 1, *flat = &m[0][0];
	(*row)[2] = a; row[1][3] = b; flat[5] ^= 9; m[b & 1][a & 3]++;
	return m[1][1] + (*row)[0] * 3ull + flat[11] * 5ull + m[a & 1][b & 3] + sizeof m + sizeof *row * 100 + (row - m);
}

u64 aliases_@T(u64 a, u64 b)
{
	u64 word = a;
	$T *part = ($T *)&word;
	part[0] += b;
	u8 *byte = (u8 *)part;
	byte[7] ^= 0x80; byte[(b & 6) + 1]++;
	return word + *part * 3ull + *(u16 *)(byte + 2);
}

u64 pointers_to_pointers(u64 a, u64 b)
{
	u64 x = a, y = b, *p = &x, *q = &y, **pp = a & 1 ? &p : &q;
	**pp += 5; *pp = &y; *p ^= 3;
	u64 *t[3] = { p, q, &x };
	return *t[0] + **pp * 3 + *t[2] * 5 + x + y;
}

u64 null_and_comparisons(u64 a, u64 b)
{
	u64 x[2] = { a, b }, *p = a & 1 ? x : 0, *q = b & 1 ? x + 1 : 0;
	u64 n = !p + (p == 0) * 2 + (q != (void *)0) * 4 + (p && q) * 8 + (p || q) * 16 + (p == q) * 32;
	return n + (p ? *p : 7) + (q ? *q : 9);
}

u64 void_pointers(u64 a, u64 b)
{
	u64 words[2] = { a, b };
	void *p = words;
	p += 3;
	u64 first = *(u8 *)p;
	p = (void *)words + 8;
	return first + *(u32 *)p * 3ull + (p - (void *)words) + sizeof(*p) + *(s8 *)(p + 1);
}

u64 rows_by_pointer(u64 a, u64 b)
{
	u8 text[4][5] = { "abcd", "efgh", "ijkl", "mnop" };
	u8 (*row)[5] = &text[a & 3];
	u8 *c = *row;
	c[b & 3] -= 32;
	return text[a & 3][b & 3] * 100 + (*row)[1] + c[2] + sizeof *row;
}

u64 const_strings(u64 a, u64 b)
{
	static const char names[3][8] = { "alpha", "beta", "gamma" };
	const char *s = names[a & 1];
	u64 h = 5381;
	for (int i = 0; i < 8 && s[i]; i++)
		h = h * 33 + s[i];
	return h + "0123456789abcdef"[b & 15] + sizeof "abc" + __builtin_strlen("hello");
}
