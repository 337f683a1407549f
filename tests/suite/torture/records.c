//@ axes.A = ["u8", "s16", "u32", "s64"]
//@ axes.B = ["s8", "u16", "s32", "u64"]
//@ axes.P = { natural = "", packed = "PACKED", aligned = "__attribute__((aligned(16)))" }

struct r_@A_@B_@P { $A x; $B y; struct { $B in; $A out[2]; } inner; $A z; } $P;
static struct r_@A_@B_@P make_@A_@B_@P(u64 a, u64 b) { return (struct r_@A_@B_@P){ a, b, { a, { b, a } }, b }; }
static void swap_@A_@B_@P(struct r_@A_@B_@P *p, struct r_@A_@B_@P *q) { struct r_@A_@B_@P t = *p; *p = *q; *q = t; }
static u64 sum_@A_@B_@P(struct r_@A_@B_@P r) { return r.x + r.y * 3ull + r.inner.in * 5ull + r.inner.out[0] * 7ull + r.inner.out[1] * 11ull + r.z * 13ull; }
u64 record_@A_@B_@P(u64 a, u64 b)
{
	struct r_@A_@B_@P p = make_@A_@B_@P(a, b), q = make_@A_@B_@P(b, a), t[2];
	swap_@A_@B_@P(&p, &q);
	t[a & 1] = p; t[~a & 1] = q;
	t[0].inner = t[1].inner;
	t[1].inner.out[b & 1] ^= 3;
	return sum_@A_@B_@P(t[0]) + sum_@A_@B_@P(t[1]) * 31 + sizeof p + _Alignof(struct r_@A_@B_@P) * 100 +
		offsetof(struct r_@A_@B_@P, inner.out[1]) * 1000 + offsetof(struct r_@A_@B_@P, z) * 10000;
}

union u_@A_@B { $A x; $B y; u8 bytes[16]; struct { u16 low; $A high; } s; };
u64 union_@A_@B(u64 a, u64 b)
{
	union u_@A_@B u = { .bytes = { 1, 2, 3, 4, 5, 6, 7, 8 } }, v;
	u.x = a;
	v = u;
	v.s.low += b;
	u64 first = v.x + v.y * 3ull + v.bytes[1] * 5;
	v.y = b;
	return first * 31 + v.bytes[0] + v.bytes[7] + v.s.high + u.y + sizeof u;
}

u64 lists(u64 a, u64 b)
{
	struct node { u64 value; struct node *next; } n[4] = { { a, &n[1] }, { b, &n[2] }, { a ^ b, &n[3] }, { 7, 0 } };
	u64 sum = 0;
	for (struct node *p = n; p; p = p->next)
		sum = sum * 31 + p->value;
	n[0].next = n[1].next;
	return sum + n[0].next->value + n[0].next->next->value;
}

u64 anonymous_members(u64 a, u64 b)
{
	struct { u8 kind; union { struct { u16 port; u16 id; }; u32 both; }; struct { union { s8 c; u64 wide; }; }; } r = { .kind = a, .port = b, .wide = a };
	r.id = a >> 3;
	u64 sum = r.both;
	r.both ^= b;
	return sum + r.port * 3 + r.id * 5 + r.c * 7ull + r.wide + r.kind + sizeof r;
}

struct three { u64 x, y, z; };
static struct three rotate(struct three t) { return (struct three){ t.y, t.z, t.x }; }
u64 nested_calls(u64 a, u64 b)
{
	struct three t = rotate(rotate((struct three){ a, b, 5 }));
	return t.x + t.y * 3 + t.z * 5 + rotate(t).x * 7 + rotate(rotate(t)).z;
}

u64 choose_records(u64 a, u64 b)
{
	struct three x = { a, 1, 2 }, y = { 3, b, 4 };
	struct three z = a & 1 ? x : b & 1 ? y : (struct three){ 9, 9, 9 };
	return (a < b ? x : y).y + z.x * 3 + z.z + ({ struct three s = z; s.y++; s; }).y + (x = y, x).x;
}

u64 self_copies(u64 a, u64 b)
{
	struct three t[3] = { { a, b, 1 }, { b, a, 2 }, { 3, 4, 5 } };
	u32 i = a & 1, j = b >> 1 & 1;
	t[i] = t[j]; t[j] = t[j]; t[i].x = t[j].y; t[2] = t[i];
	return t[0].x + t[0].y * 3 + t[1].x * 5 + t[1].z * 7 + t[2].y * 11 + t[2].x * 13;
}

u64 pointers_to_members(u64 a, u64 b)
{
	struct three t = { a, b, a + b };
	u64 *p = &t.y, *q = &t.z;
	*p ^= 5;
	p[1] += *(p - 1);
	struct three *back = (struct three *)((char *)q - offsetof(struct three, z));
	return back->x + back->y * 3 + *q * 5 + (q - p) + (back == &t);
}

struct empty { };
u64 empty_records(u64 a, u64 b)
{
	struct empty e, f = e;
	struct { struct empty e; u32 x; u8 none[0]; } r = { {}, a };
	r.e = f;
	return r.x + sizeof e + sizeof r * 3 + b;
}

u64 arrays_in_records(u64 a, u64 b)
{
	struct { u8 n; u16 grid[3][4]; } r = { 5 }, s;
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 4; j++)
			r.grid[i][j] = a >> (i * 4 + j);
	s = r;
	s.grid[a & 1][b & 3] = 7;
	u16 (*row)[4] = &s.grid[1];
	return (*row)[b & 3] + row[1][2] * 3 + s.grid[0][a & 3] * 5 + sizeof r.grid[0] + r.grid[a & 1][b & 3];
}
