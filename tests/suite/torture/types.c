//@ axes.U = ["u8", "s16", "u32", "s64"]
//@ axes.V = ["s8", "u16", "s32", "u64", "bool"]
//@ axes.N = { char = "char", schar = "signed char", uchar = "u8", short = "short", ushort = "u16", int = "int", uint = "u32", long = "long", ulong = "unsigned long", llong = "s64", bool = "bool" }

#define KIND(x) _Generic((x), char: 1, signed char: 2, u8: 3, short: 4, u16: 5, int: 6, u32: 7, long: 8, unsigned long: 9, s64: 10, u64: 11, bool: 12, default: 13)

u64 kind_of_@N(u64 a, u64 b)
{
	$N x = a, *p = &x;
	const $N c = b;
	volatile $N v = a;
	return KIND(x) + KIND(+x) * 16 + KIND(x + x) * 256ull + KIND(x << 1ull) * 4096ull + KIND(*p) * 65536ull + KIND(c) * (1ull << 20) + KIND(v) * (1ull << 24) +
		KIND(x + 1u) * (1ull << 28) + KIND(x + 1l) * (1ull << 32) + KIND(1 ? x : (short)1) * (1ull << 36) + KIND(!x) * (1ull << 40) + KIND(({ x; })) * (1ull << 44) + KIND((x, c)) * (1ull << 48);
}

u64 typeof_@N(u64 a, u64 b)
{
	$N x = a;
	__typeof__(x) y = b;
	__typeof__(x + y) z = x + y;
	__typeof__(&x) p = &y;
	__typeof__($N[3]) t = { a, b, a };
	__auto_type w = z;
	*p += 1;
	return x + y * 3ull + z * 5ull + t[b & 1] * 7ull + sizeof z + sizeof t * 16 + w;
}

u64 usual_conversions_@U_@V(u64 a, u64 b)
{
	$U x = a;
	$V y = b;
	return KIND(x + y) + KIND(x & y) * 16 + KIND(1 ? x : y) * 256 + KIND(x << y) * 4096ull + KIND(x < y) * 65536ull + (x * y < 0) + (x - y < 0) * 2 + (1 ? x : y) * 31ull;
}

enum small { S_NEGATIVE = -1, S_MOST = 127 };
enum plain { P_NONE, P_MOST = 0x7fffffff };
enum wide { W_MOST = 0xffffffff };
enum long_one { L_NEGATIVE = -1, L_MOST = 0x1ffffffff };
enum huge { H_MOST = 0xffffffffffffffffull };
enum __attribute__((packed)) tiny { T_LEAST = -128, T_MOST = 127 };
u64 sizes_of_enums(u64 a, u64 b)
{
	enum small s = a; enum plain p = b; enum wide w = a; enum long_one l = b; enum huge h = a; enum tiny t = b;
	return sizeof s + sizeof p * 2 + sizeof w * 4 + sizeof l * 8 + sizeof h * 16 + sizeof t * 32 + (s < 0) * 64 + (p < 0) * 128 + (w < 0) * 256 + (l < 0) * 512 + (h < 0) * 1024 + (t < 0) * 2048 +
		sizeof S_MOST * 4096 + sizeof L_MOST * 8192 + sizeof W_MOST * 16384 + s + p * 3ull + w * 5ull + l * 7ull + h * 11ull + t * 13ull;
}

u64 enum_arithmetic(u64 a, u64 b)
{
	enum huge h = H_MOST; enum long_one l = L_NEGATIVE; enum tiny t = T_MOST;
	h -= a; l += b; t++;
	h++; l |= 1; l <<= 3;
	return h + l * 3 + t * 5ull + (L_NEGATIVE < 0u) + (l > H_MOST) + (t == T_LEAST);
}

u64 characters(u64 a, u64 b)
{
	char c = a; signed char s = a; unsigned char u = a;
	return (c < 0) + (c == s) * 2 + (c == u) * 4 + (s == u) * 8 + c * 16ull + (char)(c + 1) + (u8)-c + (c >> 1) + 'A' + "\x80"[0] + '\n' * '\t' + '\\' + L'x' + u'y' + U'z' + b;
}

u64 truths(u64 a, u64 b)
{
	bool x = a, y = b & 0x100, z = (u8)b, w = &a != 0, p = (void *)a;
	x += y; y -= z; z *= 5; w ^= x; x |= 2; y++; z--;
	bool t[3] = { a > b, 0x10000, !a };
	return x + y * 2 + z * 4 + w * 8 + p * 16 + t[0] * 32 + t[1] * 64 + t[2] * 128 + (x == 1) * 256 + sizeof x * 512 + ~x + -y;
}

u64 sizes_and_alignments(u64 a, u64 b)
{
	struct s { u8 a; u64 b; u16 c; }; struct t { u8 a; struct s b; } PACKED; struct u { u8 a __attribute__((aligned(4))); u16 b; };
	union v { u8 a[5]; u32 b; }; typedef u8 w[3][5]; typedef struct { u8 a; } __attribute__((aligned(8))) x;
	u64 effects = sizeof(a++) + sizeof(({ b++; b; })) + _Alignof(u16);
	return effects + sizeof(struct s) * 3 + sizeof(struct t) * 5 + sizeof(struct u) * 7 + sizeof(union v) * 11 + sizeof(w) * 13 + sizeof(x) * 17 + _Alignof(struct s) * 19 + _Alignof(struct t) * 23 +
		_Alignof(struct u) * 29 + _Alignof(union v) * 31 + _Alignof(x) * 37 + sizeof(x[3]) * 41 + offsetof(struct t, b.c) * 43 + offsetof(struct u, b) * 47 + sizeof((struct s *)0)->b + sizeof(void) + a * b;
}

u64 typedefs_and_tags(u64 a, u64 b)
{
	typedef u8 T; struct T { u16 T; } t = { a }; enum E { E = 5 };
	{ T T = b; t.T += T; }
	typedef u64 (*function)(u64, u64); typedef T array[4];
	array x = { a, b };
	struct T *p = &t; p->T++;
	return t.T + x[b & 1] * 3 + E * 5 + sizeof(struct T) + sizeof(array) + sizeof(function) + (T)300;
}

u64 generic_selection(u64 a, u64 b)
{
	struct s { u8 x; } s; u8 t[3]; const char *c = "x";
	return _Generic(&s, struct s *: 1, default: 2) + _Generic(t, u8 *: 3, default: 4) * 5 + _Generic(c, const char *: 5, char *: 6) * 7 + _Generic(a + b, u64: a, default: b) + _Generic((u8)a, int: 1, u8: 2) * 11 +
		_Generic("abc", char *: 3, default: 4) * 13 + _Generic(0, default: 1, int: 2) * 17 + _Generic((void *)0, void *: 6, default: 7) * 19;
}

u64 packed_and_unaligned(u64 a, u64 b)
{
	struct { u8 a; u16 b; u32 c; u64 d; s16 e[3]; } PACKED r = { a, b, a, b, { a, b, a } }, *p = &r;
	p->c += p->b; p->d ^= p->a; p->e[b & 1]--; r.b++;
	return r.a + r.b * 3 + r.c * 5ull + r.d * 7 + r.e[0] * 11ull + r.e[1] * 13ull + r.e[2] * 17ull + sizeof r;
}
