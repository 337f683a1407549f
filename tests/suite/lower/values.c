// Conversions, arithmetic, builtins, barriers.
typedef unsigned long long u64;
typedef long long s64;
typedef unsigned int u32;
typedef int s32;
typedef unsigned short u16;
typedef short s16;
typedef unsigned char u8;
typedef signed char s8;

u64 conversions(u64 a, u64 b)
{
	s8 c = a; u8 d = b; s16 e = a; u16 f = b; s32 g = a; u32 h = b; s64 i = a; _Bool j = a & 2;
	u64 r = c + d;
	r = r * 31 + (e < f) + (g < h) + (c < d) + (i < (s64)b) * 2;
	r = r * 31 + (u8)(c * d) + (s8)(f - e) + (u16)g + (s16)h;
	r = r * 31 + (u64)c + (u64)g + (u32)e + (s64)h + j + (_Bool)(d & 0x10) + (_Bool)i;
	r = r * 31 + (c >> 1) + (g >> 3) + (h >> 3) + (i >> 5) + (d << 3) + (j << 4);
	r = r * 31 + -j + ~d + !f + -c + 'x' + (char)0xff;
	return r + (1 ? c : h) + (u64)(void *)(a | 1) + (s64)(s32)(u64)(void *)b;
}

static u8 narrow_unsigned(u32 x) { return x; }
static s8 narrow_signed(u64 x) { return x; }
static _Bool truth(u64 x) { return x; }
static s16 take(u8 a, s8 b, s16 c, _Bool d) { return a * 2 + b * 3 + c + d; }

u64 small_arguments(u64 a, u64 b)
{
	return narrow_unsigned(a) + narrow_signed(b) + truth(a & 4) + (u64)take(a, b, a >> 8, b >> 1) + take(300, 200, 70000, 2);
}

enum color { RED = -3, GREEN, BLUE = 70000 };
enum big { HUGE = 0x1234567890ull };
u64 enums(u64 a, u64 b)
{
	enum color c = a & 1 ? RED : BLUE;
	enum big h = HUGE;
	c += b & 3;
	return (u64)c + h + (c < 0) + sizeof h + GREEN;
}

u64 updates(u64 a, u64 b)
{
	u8 c = a; s8 d = b; u16 e = a; s32 f = b; _Bool g = 0; u32 w[4] = { 1, 2, 3, 4 }, *p = w;
	u64 r = c++; r = r * 31 + ++c; r = r * 31 + d--; r = r * 31 + --d;
	c += 300; c -= d; d *= c; e <<= 3; e >>= 1; f /= 7; f %= 1000; g |= a & 4; g ^= 1; g++; e &= ~5; e |= 9;
	r = r * 31 + (c += 5) + (d ^= 0x55) + (e -= 77);
	r = r * 31 + (f = d = c);
	r = r * 31 + *p++; r = r * 31 + *++p; r += (p -= 1, *p); r += (p += 1)[0]; r = r * 31 + (*p)++; r += w[2];
	c >>= b & 3;
	f <<= (u64)1;
	return r + c + d + e + f + g;
}

u64 divisions(u64 a, u64 b)
{
	s64 x = a, y = (b & 0xffff) + 1;
	s32 s = a, t = (b & 0xff) + 1;
	return x / y + x % y + s / t + s % t + a / (b | 1) + a % (b | 1) + (u32)a / 10 + x / 8 + x % 8 + s / -3 + a % 1000000007;
}

u64 count_bits(u64 a, u64 b)
{
	u64 r = __builtin_ctz((u32)a | 1) + __builtin_ctzll(a | 1ull << 63) * 2 + __builtin_clz((u32)b | 1) * 3;
	r += __builtin_clzll(b | 1) * 5 + __builtin_popcount(a) * 7 + __builtin_popcountll(b) * 11;
	r += __builtin_ffs(a) * 13 + __builtin_ffsll(b) * 17 + __builtin_ffsl(a & 0xf00000000) * 19;
	return r + __builtin_bswap16(a) + __builtin_bswap32(b) + __builtin_bswap64(a);
}

u64 hints(u64 a, u64 b)
{
	u64 r = 0;
	if (__builtin_expect(!!(a & 1), 0))
		r = 3;
	if (__builtin_expect(b > 5, 1) && !__builtin_expect(a == b, 0))
		r += 4;
	__builtin_prefetch(&r);
	r += __builtin_expect(a, 7) + __builtin_constant_p(12) + (__builtin_constant_p(a++) ? 100 : 0);
	char buffer[24];
	return r + a + __builtin_object_size(buffer, 0);
}

u64 barriers(u64 a, u64 b)
{
	u32 x = a; u8 c = b; s16 d = a;
	asm volatile("" : "+r"(a));
	asm volatile("" : "+r"(x), "+r"(b) :: "memory");
	asm("" : "=r"(c) : "0"(c));
	asm volatile("" :: "r"(x));
	asm volatile("" ::: "memory");
	asm volatile("" : "+m"(d));
	return a + x + b + c + d;
}

u64 overflows(u64 a, u64 b)
{
	s32 i; u32 u; s64 l; u64 m; u8 c; u64 r = 0;
#define TRY(op, x, y, p) r = r * 3 + __builtin_##op##_overflow(x, y, p) + *p;
	TRY(add, (s32)a, (s32)b, &i) TRY(sub, (s32)a, (s32)b, &i) TRY(mul, (s32)a, (s32)b, &i)
	TRY(add, (u32)a, (u32)b, &u) TRY(sub, (u32)a, (u32)b, &u) TRY(mul, (u32)a, (u32)b, &u)
	TRY(add, (s64)a, (s64)b, &l) TRY(sub, (s64)a, (s64)b, &l) TRY(mul, (s64)a, (s64)b, &l)
	TRY(add, a, b, &m) TRY(sub, a, b, &m) TRY(mul, a, b, &m)
	TRY(add, (u8)a, (s32)b, &c) TRY(mul, (u32)a, (u32)b, &l) TRY(sub, (s32)a, (u32)b, &m) TRY(mul, (s16)a, (u8)b, &c)
	return r;
}

u64 atomics(u64 a, u64 b)
{
	u64 x = a; u32 y = b; void *p = (void *)a;
	u64 r = __sync_fetch_and_add(&x, b) + __sync_add_and_fetch(&y, 3) * 3 + __sync_fetch_and_sub(&y, 9);
	r = r * 31 + __sync_fetch_and_or(&x, 0xf0) + __sync_fetch_and_and(&x, ~0x3c) + __sync_xor_and_fetch(&x, a);
	r = r * 31 + __sync_val_compare_and_swap(&y, y, 77) + __sync_val_compare_and_swap(&y, 3, 4) + __sync_bool_compare_and_swap(&x, x, b);
	r = r * 31 + __sync_lock_test_and_set(&y, (u32)a) + (u64)__sync_lock_test_and_set(&p, (void *)b);
	r = r * 31 + __atomic_load_n(&x, __ATOMIC_RELAXED) + __atomic_fetch_add(&x, 1, __ATOMIC_RELAXED);
	__sync_synchronize();
	return r + x + y + (u64)p;
}

u64 statement_expressions(u64 a, u64 b)
{
#define MAX(x, y) ({ __typeof__(x) x_ = (x); __typeof__(y) y_ = (y); x_ > y_ ? x_ : y_; })
	struct pair { u64 x, y; };
	u64 m = MAX(a, b) + MAX((s32)a, (s32)b);
	m += ({ struct pair p = { a, b }; p.y++; p; }).y;
	({ if (a & 1) m++; });
	m = (m ^= 3, a++, m + a) & 0xff;
	return m + ({ u64 i; u64 n = b; for (i = 0; i < 5; i++) n += i; n ^ i; }) + (a ?: 5) + ((u8)b ?: m);
}

u64 conditionals(u64 a, u64 b)
{
	u32 x = a; s64 y = b; u8 *p = a & 1 ? (u8 *)&x : 0;
	a & 2 ? x++ : (x += y);
	(a & 4) ? (void)(x ^= 5) : (void)0;
	return (a & 8 ? x : y) + (p ? *p : 9) + (b & 1 ? -1 : 1u) + (b & 2 ? p == 0 : p != 0) + (p && *p) + (x > y ? x > 3 : 4);
}

// Native code computes the same: each width, constant and unknown counts.
u64 rotations(u64 a, u64 b)
{
	u64 r = __builtin_rotateleft8(a, b) + __builtin_rotateright8(b, a) * 3;
	r = r * 31 + __builtin_rotateleft16(a, b) + __builtin_rotateright16(b, 5);
	r = r * 31 + __builtin_rotateleft32(a, b) + __builtin_rotateright32(b, a);
	r = r * 31 + __builtin_rotateleft64(a, b) + __builtin_rotateright64(b, a) + __builtin_rotateleft64(a, 64);
	return r + __builtin_rotateleft32(0x80000001u, 4) + __builtin_rotateright8(1, 1);
}

u64 reversals(u64 a, u64 b)
{
	u64 r = __builtin_bitreverse8(a) + __builtin_bitreverse16(b) * 3;
	r = r * 31 + __builtin_bitreverse32(a) + __builtin_bitreverse64(b);
	return r + __builtin_bitreverse16(5) + __builtin_bitreverse64(1);
}

u64 counts_of_all_widths(u64 a, u64 b)
{
	u64 r = __builtin_clzs(a | 1) + __builtin_ctzs(b | 0x100) * 3;
	r = r * 31 + __builtin_clzg((u8)a, 99) + __builtin_ctzg((u16)b, -1) + __builtin_clzg((u32)a, 7);
	r = r * 31 + __builtin_clzg(b, (int)a) + __builtin_popcountg((u8)b) + __builtin_popcountg(a);
	return r + __builtin_clzg((u16)1) + __builtin_ctzg((u8)0, 8);
}

u64 alignments(u64 a, u64 b)
{
	char *p = (char *)(a & 0xffffff);
	u64 r = __builtin_align_up(a, 16) * 3 + __builtin_align_down((u32)b, 8) + __builtin_is_aligned(b, 4);
	r = r * 31 + (u64)__builtin_align_up(p, 1 << (b & 7)) + (u64)__builtin_align_down(p, 32);
	return r + __builtin_is_aligned(p, 2) + __builtin_align_up(13, 4);
}

struct weights { int first; const char *name; short second; };
static const struct weights known = { 3, "x", 7 };
static int from_members = known.first * 10 + known.second;
static const int list[3] = { 1, 2 };
static int from_elements = list[1] + list[2];

u64 constants_of_parts(u64 a, u64 b)
{
	return from_members + from_elements * a + b;
}

u64 floating_constants(u64 a, u64 b)
{
	u64 r = 0.5 * 3000 + (int)(2.5f * 4) + (u64)1e9;
	return r * a + (0.1f < 0.2) + (0.1f + 0.2f == 0.3f) + b;
}
