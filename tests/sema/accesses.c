#define preserved __attribute__((preserve_access_index))
#define region(x) __builtin_preserve_access_index(x)
typedef unsigned int u32;
typedef unsigned long long u64;

struct inner { int a; int b[4]; };
struct plain { int a; struct inner in; struct { int c; int d; }; union { int e; long f; } u; struct inner arr[3]; int m[2][3]; };
typedef struct plain plain_t;
typedef struct { int x; int y; } nameless_t;

struct core {
	int a;
	struct core_inner { int b; int c[4]; } in;
	struct { int d; union { int e; long f; }; };
	struct core_inner arr[3];
	struct core *next;
	struct core_inner *ptr;
	u32 bit1 : 3;
	u32 : 5;
	u32 bit2 : 7;
	u64 last;
	int multi[2][3];
	struct plain foreign;
} preserved;
typedef struct core core_t;
union core_union { int a; long b; struct { int c; int d; }; } preserved;

enum e { E_A, E_B = 7, E_C };
enum e64 { E64_A = 0x100000000ull, E64_B };
typedef enum { T_A, T_B = 3 } e_t;

#define use(name, type, expr) long name(type *p) { return (long)(expr); }

use(f1, struct core, p->a)
use(f2, struct core, p->in.b)
use(f3, struct core, p->in.c[2])
use(f4, struct core, p->d)
use(f5, struct core, p->e)
use(f6, struct core, p->f)
use(f7, struct core, p->arr[1].b)
use(f8, struct core, p->arr[1].c[3])
use(f9, struct core, p->next->a)
use(f10, struct core, p->ptr[2].b)
use(f11, struct core, p->bit1)
use(f12, struct core, p->bit2)
use(f13, struct core, p->last)
use(f14, struct core, p[3].a)
use(f15, struct core, &p[2])
use(f16, struct core, p->foreign.in.a)
use(f17, core_t, p->a)
use(f18, core_t, p->in.b)
use(f19, core_t, p->bit1)
use(f20, union core_union, p->b)
use(f21, union core_union, p->d)
use(f22, const struct core, p->last)
use(f23, volatile struct core, p->last)
use(f24, struct core, (*p).a)
use(f25, struct core, (&p->in)->b)
use(f26, struct core, &p->arr[2])
use(f27, struct core, &p->multi[1])

long g1(struct core *p, long i) { return p->arr[i].b; }
long g2(struct core *p, long i) { return p->in.c[i]; }
long g3(struct core *p, long i) { return p[i].a; }
long g4(struct core *p, long v) { p->a = v; p->in.c[1] += v; p->bit2 = v; return 0; }
long g5(struct core **p) { return p[1]->a; }

use(h1, struct plain, region(p->a))
use(h2, struct plain, region(&p->in.b[2]))
use(h3, struct plain, region(&p->c))
use(h4, struct plain, region(&p->u.f))
use(h5, struct plain, region(&p->arr[2].b[1]))
use(h6, struct plain, region(&p->m[1][2]))
use(h7, struct plain, region(&p[4].in.a))
use(h8, plain_t, region(&p->in.b[3]))
use(h9, nameless_t, region(&p->y))
use(h10, struct plain, region(({ typeof(p) q = p; &q->in.a; })))

#define info(name, type, expr, kind) unsigned name(type *p) { return __builtin_preserve_field_info(expr, kind); }
info(i1, struct plain, p->a, 0)
info(i2, struct plain, p->in.b, 1)
info(i3, struct plain, p->u.f, 2)
info(i4, struct plain, p->d, 3)
info(i5, struct core, p->bit1, 4)
info(i6, struct core, p->bit2, 5)
info(i7, struct core, p->bit2, 0)
info(i8, struct core, p->bit2, 1)
info(i9, struct core, p->arr[1].c[2], 2)
info(i10, struct plain, ((struct plain *)0)->arr[2].a, 2)

unsigned t1(void) { return __builtin_preserve_type_info(*(struct plain *)0, 0); }
unsigned t2(void) { return __builtin_preserve_type_info(*(plain_t *)0, 1); }
unsigned t3(void) { return __builtin_preserve_type_info(*(struct core *)0, 2); }
unsigned t4(void) { return __builtin_preserve_type_info(*(enum e *)0, 0); }
unsigned t5(void) { return __builtin_btf_type_id(*(struct plain *)0, 0); }
unsigned t6(void) { return __builtin_btf_type_id(*(core_t *)0, 1); }
u64 n1(void) { return __builtin_preserve_enum_value(*(enum e *)E_B, 0); }
u64 n2(void) { return __builtin_preserve_enum_value(*(enum e *)E_C, 1); }
u64 n3(void) { return __builtin_preserve_enum_value(*(enum e64 *)E64_B, 1); }
u64 n4(void) { return __builtin_preserve_enum_value(*(e_t *)T_B, 1); }
