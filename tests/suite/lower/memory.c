// Objects: layout, bit-fields, initialisers, pointers, records by value.
typedef unsigned long long u64;
typedef long long s64;
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;
typedef signed char s8;

struct packed_bits {
	u8 head : 3;
	u64 wide : 61;
	u64 all : 64;
	int low : 7;
	_Bool flag : 1;
	s64 tail : 40;
} __attribute__((packed));

u64 scattered(u64 a, u64 b)
{
	struct packed_bits p = { .head = 5, .wide = a, .all = b, .low = a, .flag = b, .tail = a ^ b };
	u64 r = p.wide * 3 + p.all + p.head + p.low + p.flag + p.tail;
	p.wide += b;
	p.tail -= a;
	p.low ^= 21;
	p.flag = 0;
	p.head++;
	p.all = ~p.all;
	u64 raw = 0;
	for (u32 i = 0; i < sizeof p; i++)
		raw = raw * 31 + ((u8 *)&p)[i];
	return r ^ raw ^ (u64)(p.tail = b) ^ (p.head = 12);
}

struct flags {
	u32 a : 1, b : 2, c : 5;
	u8 plain;
	u32 : 0;
	u32 d : 12, e : 20;
	enum { NONE, SOME = 3 } f : 2;
};

u64 neighbours(u64 a, u64 b)
{
	struct flags f = { 1, 2, 3, 200, 4, 5, SOME };
	f.c = a;
	f.plain += b;
	f.d = b >> 4;
	f.e += f.d;
	f.f = a & 3;
	return f.a + f.b * 3 + f.c * 5 + f.plain * 7 + f.d * 11 + (u64)f.e * 13 + f.f + sizeof f;
}

u64 volatile_bits(u64 a, u64 b)
{
	volatile struct flags f = { 0 };
	f.c = a;
	f.d = b;
	f.c++;
	return f.c + f.d + f.a;
}

u64 strings(u64 a, u64 b)
{
	char text[] = "hello, world of strings";
	char wide[40] = "short";
	const char *p = "literal";
	static const char table[][6] = { "one", "two", "three" };
	u64 r = sizeof text;
	for (u32 i = 0; i < sizeof wide; i++)
		r = r * 31 + wide[i];
	return r + text[a % sizeof text] + p[b % 7] + table[a % 3][b % 6] + (u8)"\xff\200x"[b % 3];
}

static u64 counter(void)
{
	static u64 calls = 40;
	static int zero;
	zero++;
	return calls++ + zero;
}

u64 statics(u64 a, u64 b) { return counter() * 100 + counter() + a + b; }

struct pair { u32 x; u64 y; };
struct deep { struct pair p[3]; union { u8 bytes[8]; u64 all; }; struct { u16 anon; }; };

static struct pair swap(struct pair p, u32 by)
{
	struct pair q = { p.y, p.x + by };
	p.x = 0;
	return q;
}

static struct deep nest(struct pair p)
{
	return (struct deep){ .p = { p, [2] = swap(p, 7) }, .all = p.y, .anon = p.x };
}

u64 by_value(u64 a, u64 b)
{
	struct pair p = { a, b };
	struct pair q = swap(swap(p, 1), 2);
	struct deep d = nest(q), e = d;
	e.bytes[3] = a;
	d.p[1] = e.p[2];
	struct pair *r = &d.p[a % 3];
	*r = (b & 1) ? p : nest(p).p[2];
	return p.x + q.y + d.p[1].x * 3 + d.p[a % 3].y + e.all + e.anon + nest(*r).bytes[b & 7] + swap(*r, 9).y;
}

u64 self_assign(u64 a, u64 b)
{
	struct pair p = { a, b }, *q = &p;
	p = *q;
	*q = p;
	struct pair r = p = *q;
	return r.x + p.y;
}

u64 pointers(u64 a, u64 b)
{
	struct odd { u8 c[7]; } odds[9] = { { { 1, 2, 3 } } };
	struct odd *p = odds + a % 9, *q = &odds[b % 9];
	u64 r = (p - q) + 100;
	u32 words[8] = { 1, 2, 3, [5] = 6 };
	u32 *w = words + 7, **ww = &w;
	(*ww)--;
	*--w += 5;
	w[-1] = a;
	*(w - 2) ^= b;
	r = r * 31 + (w > words) + (p < q) * 2 + (p == q) * 4 + !w + (w ? 8 : 0);
	for (u32 *i = words; i != words + 8; i++)
		r = r * 31 + *i;
	void *v = words;
	v += 4;
	r += *(u32 *)v + ((u8 *)v)[1] + (u64)((char *)v - (char *)words);
	_Bool t = w, f = (void *)0;
	return r + t + f + p->c[2] + (*q).c[1];
}

u64 compound_literals(u64 a, u64 b)
{
	struct pair *p = &(struct pair){ a, b };
	u32 *w = (u32[]){ a, 2, b, [6] = 9 };
	p->x += w[a & 3];
	return p->x + p->y + w[2] + w[6] + sizeof((int[]){ 1, 2, 3 });
}

union mix { u64 q; struct { u32 lo, hi; }; u8 b[8]; };
u64 unions(u64 a, u64 b)
{
	union mix m = { .q = a }, n = { { b } }, *p = &n;
	m.hi ^= p->lo;
	p->b[a & 7] = b;
	n = m;
	return m.q + n.b[3] + p->hi;
}

u64 zero_sized(u64 a, u64 b)
{
	struct none {} x, y = x;
	struct { int n; u8 rest[]; } flex = { a };

	return sizeof x + sizeof flex + flex.n + b;
}

u64 wide(u64 a, u64 b)
{
	unsigned __int128 x = a, y = b, z = (x << 64 | y) - 1;
	__int128 s = -(s64)b;
	struct { unsigned __int128 v; u8 c; } in = { z, a };
	u64 halves[2];
	__builtin_memcpy(halves, &in.v, 16);
	return halves[0] + halves[1] + (u64)(z >> 70) + (s < 0) + (s >> 3 < x) + (z == in.v) + (z > y) * 2 +
	       (u64)(~z ^ x) + (x ? 1 : 2) + !!s + (u8)z;
}
