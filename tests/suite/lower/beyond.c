// What C means and BPF cannot do: copies of variable size, calls through variable pointers,
// pointers in data (loaders leave them null). It is lowered like all else.
typedef unsigned long long u64;
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;

static u64 twice(u64 x) { return x * 2; }
static u64 plus3(u64 x) { return x + 3; }
static u64 (*const table[])(u64) = { twice, plus3 };
static u64 apply(u64 (*f)(u64), u64 x) { return f(x) + (*f)(x); }

u64 function_pointers(u64 a, u64 b)
{
	u64 (*f)(u64) = a & 1 ? twice : &plus3;
	return apply(f, b) + table[b & 1](a) + (f == twice);
}

u64 copies(u64 a, u64 b)
{
	u8 from[32], to[32] = { 0 };
	for (u32 i = 0; i < 32; i++)
		from[i] = a >> (i & 7) ^ b + i;
	__builtin_memcpy(to + 3, from, (a & 15) + 1);
	__builtin_memmove(to + 1, to, 20);
	__builtin_memset(to + (b & 7), a, 5);
	*(u16 *)(to + 30) = 0x1234;
	u64 x;
	__builtin_memcpy(&x, to + 5, 8);
	u64 r = x + (__builtin_memcmp(from, to, 32) > 0) * 2 + !__builtin_memcmp(to, to, 8);
	for (u32 i = 0; i < 32; i++)
		r = r * 31 + to[i];
	return r;
}

static const u32 numbers[4] = { 10, 20, 30, 40 };
static const struct { u16 id; const char *name; int *where; } names[] = { { 1, "one" }, { 2, "two", (int *)8 } };
static u64 words[3] = { [2] = 5, [0] = (u64)1 << 40 };
static int tentative;
static u32 *inside = (u32 *)&words[1] + 1;

u64 globals(u64 a, u64 b)
{
	words[a % 3] += b;
	tentative += a;
	*inside ^= b;
	u64 r = numbers[a & 3] + names[b & 1].id + names[a & 1].name[b & 1] + words[2] + words[1] + tentative + (u64)names[1].where;
	words[a % 3] = 1;
	tentative = 0;
	*inside = 0;
	return r;
}
