//! Resilient spin locks and sections without interrupts: what is right, each with what is wrong in one
//! point, and the running kernel as judge, of what walking it takes too.
#![cfg(target_os = "linux")]

mod common;

const HEAD: &str = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct bpf_res_spin_lock { __u32 val; };
struct bpf_list_head { __u64 opaque[2]; } __attribute__((aligned(8)));
struct bpf_list_node { __u64 opaque[3]; } __attribute__((aligned(8)));
struct bpf_refcount { __u32 opaque[1]; } __attribute__((aligned(4)));
int bpf_res_spin_lock(struct bpf_res_spin_lock *lock) __ksym;
void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock) __ksym;
int bpf_res_spin_lock_irqsave(struct bpf_res_spin_lock *lock, unsigned long *flags) __ksym;
void bpf_res_spin_unlock_irqrestore(struct bpf_res_spin_lock *lock, unsigned long *flags) __ksym;
void bpf_local_irq_save(unsigned long *flags) __ksym;
void bpf_local_irq_restore(unsigned long *flags) __ksym;
void *bpf_obj_new_impl(__u64 type, void *meta) __ksym;
void bpf_obj_drop_impl(void *object, void *meta) __ksym;
int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, __u64 off) __ksym;
void bpf_throw(__u64 cookie) __ksym;
#define NEW(t) ((t *)bpf_obj_new_impl(__builtin_btf_type_id(*(t *)0, 0), 0))
#define CONTAINS(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define OPAQUE asm volatile("" ::: "memory")
struct value { int n; struct bpf_res_spin_lock lock; };
struct plain { int n; struct bpf_spin_lock lock; };
struct two { struct bpf_spin_lock plain; struct bpf_res_spin_lock lock; };
struct item { struct bpf_res_spin_lock lock; struct bpf_list_node node; int data; };
struct holder { struct bpf_res_spin_lock lock; struct bpf_list_head head CONTAINS(item, node); };
struct counted { struct bpf_refcount count; struct bpf_res_spin_lock lock; int n; };
struct bare { struct bpf_res_spin_lock lock; int n; };
#define MAP(name, kind, of) struct { __uint(type, BPF_MAP_TYPE_##kind); __uint(max_entries, 2); __type(key, int); \
    __type(value, struct of); } name SEC(".maps")
MAP(a, ARRAY, value);
MAP(b, HASH, value);
MAP(plains, ARRAY, plain);
struct bpf_res_spin_lock global SEC(".bss.lock");
char LICENSE[] SEC("license") = "GPL";
#define FIND(v, type, map) int v##_key = 0; struct type *v = bpf_map_lookup_elem(&map, &v##_key); if (!v) return 0
"#;

#[rustfmt::skip]
const CASES: &[(&str, &str, Option<&str>)] = &[
    ("held where the result is 0", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a);
        if (bpf_res_spin_lock(&v->lock)) return 0; v->n++; bpf_res_spin_unlock(&v->lock); return 0; }"#, None),
    ("given back where taking it may have failed", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a);
        bpf_res_spin_lock(&v->lock); v->n++; bpf_res_spin_unlock(&v->lock); return 0; }"#, Some("V0405")),
    ("held at the end", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a); return bpf_res_spin_lock(&v->lock); }"#,
        Some("V0405")),
    ("a global one", r#"SEC("tc") int f(void *ctx) { if (!bpf_res_spin_lock(&global)) bpf_res_spin_unlock(&global);
        return 0; }"#, None),
    ("a global one twice", r#"SEC("tc") int f(void *ctx) { if (bpf_res_spin_lock(&global)) return 0;
        if (!bpf_res_spin_lock(&global)) bpf_res_spin_unlock(&global); bpf_res_spin_unlock(&global); return 0; }"#,
        Some("V0324")),
    ("two, the newest given back first", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a); FIND(w, value, b);
        if (bpf_res_spin_lock(&v->lock)) return 0; if (!bpf_res_spin_lock(&w->lock)) bpf_res_spin_unlock(&w->lock);
        bpf_res_spin_unlock(&v->lock); return 0; }"#, None),
    ("two of one map", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a); FIND(w, value, a);
        if (bpf_res_spin_lock(&v->lock)) return 0; if (!bpf_res_spin_lock(&w->lock)) bpf_res_spin_unlock(&w->lock);
        bpf_res_spin_unlock(&v->lock); return 0; }"#, None),
    ("two, the oldest given back first", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a); FIND(w, value, b);
        if (bpf_res_spin_lock(&v->lock)) return 0;
        if (bpf_res_spin_lock(&w->lock)) { bpf_res_spin_unlock(&v->lock); return 0; }
        bpf_res_spin_unlock(&v->lock); bpf_res_spin_unlock(&w->lock); return 0; }"#, Some("V0405")),
    ("another one given back", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a); FIND(w, value, b);
        if (bpf_res_spin_lock(&v->lock)) return 0; bpf_res_spin_unlock(&w->lock); return 0; }"#, Some("V0405")),
    ("three, and loops", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a); FIND(w, value, b);
        for (int i = 0; i < 5; i++) { OPAQUE;
            if (bpf_res_spin_lock(&v->lock)) continue;
            if (bpf_res_spin_lock(&w->lock)) goto one;
            if (bpf_res_spin_lock(&global)) goto two;
            w->n++; bpf_res_spin_unlock(&global);
        two: bpf_res_spin_unlock(&w->lock); one: bpf_res_spin_unlock(&v->lock); } return 0; }"#, None),
    ("a function of the program is called", r#"static __attribute__((noinline)) int add(struct value *v) { OPAQUE; return v->n++; }
        SEC("tc") int f(void *ctx) { FIND(v, value, a); if (bpf_res_spin_lock(&v->lock)) return 0; add(v);
        bpf_res_spin_unlock(&v->lock); return 0; }"#, None),
    ("a global function is called", r#"__attribute__((noinline)) int add(int n) { OPAQUE; return n; }
        SEC("tc") int f(void *ctx) { FIND(v, value, a); if (bpf_res_spin_lock(&v->lock)) return 0; v->n = add(v->n);
        bpf_res_spin_unlock(&v->lock); return 0; }"#, Some("V0313")),
    ("taken in a function", r#"static __attribute__((noinline)) int take(struct value *v) { OPAQUE; return bpf_res_spin_lock(&v->lock); }
        SEC("tc") int f(void *ctx) { FIND(v, value, a); if (take(v)) return 0; v->n++;
        bpf_res_spin_unlock(&v->lock); return 0; }"#, None),
    ("a helper is called", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a); if (bpf_res_spin_lock(&v->lock)) return 0;
        v->n = bpf_get_prandom_u32(); bpf_res_spin_unlock(&v->lock); return 0; }"#, Some("V0313")),
    ("a plain one inside", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a); FIND(w, plain, plains);
        if (bpf_res_spin_lock(&v->lock)) return 0; bpf_spin_lock(&w->lock); bpf_spin_unlock(&w->lock);
        bpf_res_spin_unlock(&v->lock); return 0; }"#, Some("V0313")),
    ("inside a plain one", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a); FIND(w, plain, plains);
        bpf_spin_lock(&w->lock); if (!bpf_res_spin_lock(&v->lock)) bpf_res_spin_unlock(&v->lock);
        bpf_spin_unlock(&w->lock); return 0; }"#, None),
    ("a plain one is given back inside", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a); FIND(w, plain, plains);
        bpf_spin_lock(&w->lock); if (bpf_res_spin_lock(&v->lock)) { bpf_spin_unlock(&w->lock); return 0; }
        bpf_spin_unlock(&w->lock); bpf_res_spin_unlock(&v->lock); return 0; }"#, Some("V0405")),
    ("a plain one taken as resilient", r#"SEC("tc") int f(void *ctx) { FIND(w, plain, plains);
        if (!bpf_res_spin_lock((void *)&w->lock)) bpf_res_spin_unlock((void *)&w->lock); return 0; }"#, Some("V0304")),
    ("a resilient one taken as plain", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a);
        bpf_spin_lock((void *)&v->lock); bpf_spin_unlock((void *)&v->lock); return 0; }"#, Some("V0304")),
    ("another offset", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a);
        if (!bpf_res_spin_lock((void *)&v->n)) bpf_res_spin_unlock(&v->lock); return 0; }"#, Some("V0304")),
    ("on the stack", r#"SEC("tc") int f(void *ctx) { struct bpf_res_spin_lock lock = {};
        if (!bpf_res_spin_lock(&lock)) bpf_res_spin_unlock(&lock); return 0; }"#, Some("V0304")),
    ("read", r#"SEC("tc") int f(void *ctx) { FIND(v, value, a); return *(int *)&v->lock; }"#, Some("V0115")),
    ("in a socket filter", r#"SEC("socket") int f(void *ctx) { FIND(v, value, a);
        if (!bpf_res_spin_lock(&v->lock)) bpf_res_spin_unlock(&v->lock); return 0; }"#, Some("V0314")),
    ("in a tracing program", r#"SEC("kprobe") int f(void *ctx) { FIND(v, value, a);
        if (!bpf_res_spin_lock(&v->lock)) bpf_res_spin_unlock(&v->lock); return 0; }"#, Some("V0314")),
    ("around a list", r#"MAP(holders, ARRAY, holder); SEC("tc") int f(void *ctx) { FIND(h, holder, holders); struct item *i = NEW(struct item); if (!i) return 0;
        if (bpf_res_spin_lock(&h->lock)) { bpf_obj_drop_impl(i, 0); return 0; }
        bpf_list_push_front_impl(&h->head, &i->node, 0, 0); i->data = 3; bpf_res_spin_unlock(&h->lock); return 0; }"#, None),
    ("a borrowed object after another one is given back", r#"MAP(holders, ARRAY, holder); SEC("tc") int f(void *ctx) { FIND(v, value, a);
        FIND(h, holder, holders); struct item *i = NEW(struct item); if (!i) return 0;
        if (bpf_res_spin_lock(&h->lock)) { bpf_obj_drop_impl(i, 0); return 0; }
        if (bpf_res_spin_lock(&v->lock)) { bpf_res_spin_unlock(&h->lock); bpf_obj_drop_impl(i, 0); return 0; }
        bpf_list_push_front_impl(&h->head, &i->node, 0, 0); bpf_res_spin_unlock(&v->lock); i->data = 3;
        bpf_res_spin_unlock(&h->lock); return 0; }"#, Some("V0109")),
    ("the lock of a borrowed object", r#"MAP(holders, ARRAY, holder); SEC("tc") int f(void *ctx) { FIND(h, holder, holders);
        struct item *i = NEW(struct item); if (!i) return 0;
        if (bpf_res_spin_lock(&h->lock)) { bpf_obj_drop_impl(i, 0); return 0; }
        bpf_list_push_front_impl(&h->head, &i->node, 0, 0);
        if (!bpf_res_spin_lock(&i->lock)) bpf_res_spin_unlock(&i->lock); bpf_res_spin_unlock(&h->lock); return 0; }"#,
        Some("V0304")),
    ("in an object", r#"SEC("tc") int f(void *ctx) { struct counted *o = NEW(struct counted); if (!o) return 0;
        if (!bpf_res_spin_lock(&o->lock)) { o->n = 1; bpf_res_spin_unlock(&o->lock); } bpf_obj_drop_impl(o, 0); return 0; }"#, None),
    ("in an object that has no other field", r#"SEC("tc") int f(void *ctx) { struct bare *o = NEW(struct bare); if (!o) return 0;
        if (!bpf_res_spin_lock(&o->lock)) { o->n = 1; bpf_res_spin_unlock(&o->lock); } bpf_obj_drop_impl(o, 0); return 0; }"#,
        Some("V0304")),
    ("an object is dropped while it is locked", r#"SEC("tc") int f(void *ctx) { struct counted *o = NEW(struct counted);
        if (!o) return 0; bpf_res_spin_lock(&o->lock); bpf_obj_drop_impl(o, 0); return 0; }"#, Some("V0313")),
    // Sections without interrupts.
    ("a section", r#"SEC("tc") int f(void *ctx) { unsigned long flags; bpf_local_irq_save(&flags);
        int n = bpf_get_prandom_u32(); bpf_local_irq_restore(&flags); return n; }"#, None),
    ("a section is not left", r#"SEC("tc") int f(void *ctx) { unsigned long flags; bpf_local_irq_save(&flags); return 0; }"#,
        Some("V0405")),
    ("a section is thrown out of", r#"SEC("tc") int f(void *ctx) { unsigned long flags; bpf_local_irq_save(&flags);
        bpf_throw(0); bpf_local_irq_restore(&flags); return 0; }"#, Some("V0405")),
    ("entered and left in functions, in a loop", r#"static __attribute__((noinline)) int in(unsigned long *p) { OPAQUE; bpf_local_irq_save(p); return 1; }
        static __attribute__((noinline)) int out(unsigned long *p) { OPAQUE; bpf_local_irq_restore(p); return 1; }
        SEC("tc") int f(void *ctx) { unsigned long flags; for (int i = 0; i < 5; i++) { in(&flags); out(&flags); }
        return 0; }"#, None),
    ("in the order of leaving", r#"SEC("tc") int f(void *ctx) { unsigned long one, two; bpf_local_irq_save(&one);
        bpf_local_irq_save(&two); bpf_local_irq_restore(&two); bpf_local_irq_restore(&one); return 0; }"#, None),
    ("out of order", r#"SEC("tc") int f(void *ctx) { unsigned long one, two; bpf_local_irq_save(&one);
        bpf_local_irq_save(&two); bpf_local_irq_restore(&one); bpf_local_irq_restore(&two); return 0; }"#, Some("V0405")),
    ("flags over flags", r#"SEC("tc") int f(void *ctx) { unsigned long flags; bpf_local_irq_save(&flags);
        bpf_local_irq_save(&flags); bpf_local_irq_restore(&flags); return 0; }"#, Some("V0304")),
    ("flags that are no more", r#"SEC("tc") int f(void *ctx) { unsigned long flags; bpf_local_irq_save(&flags);
        bpf_local_irq_restore(&flags); bpf_local_irq_restore(&flags); return 0; }"#, Some("V0304")),
    ("flags are read", r#"SEC("tc") int f(void *ctx) { unsigned long flags; bpf_local_irq_save(&flags);
        int n = *(volatile unsigned long *)&flags; bpf_local_irq_restore(&flags); return n; }"#, Some("V0104")),
    ("flags are overwritten", r#"SEC("tc") int f(void *ctx) { unsigned long flags; bpf_local_irq_save(&flags);
        *(volatile unsigned long *)&flags = 0; bpf_local_irq_restore(&flags); return 0; }"#, Some("V0304")),
    ("flags at an odd place", r#"SEC("tc") int f(void *ctx) { char flags[16]; bpf_local_irq_save((void *)(flags + 4));
        bpf_local_irq_restore((void *)(flags + 4)); return 0; }"#, Some("V0304")),
    ("flags in a map", r#"SEC("tc") int f(void *ctx) { static unsigned long flags; bpf_local_irq_save(&flags);
        bpf_local_irq_restore(&flags); return 0; }"#, Some("V0304")),
    ("a helper sleeps", r#"SEC("syscall") int f(void *ctx) { unsigned long flags; char to[4]; bpf_local_irq_save(&flags);
        bpf_copy_from_user(to, 4, 0); bpf_local_irq_restore(&flags); return 0; }"#, Some("V0311")),
    ("a round of a helper enters one", r#"static int in(__u32 i, unsigned long *p) { bpf_local_irq_save(p); return 0; }
        SEC("tc") int f(void *ctx) { unsigned long flags; bpf_loop(1, in, &flags, 0); return 0; }"#, Some("V0405")),
    ("a round of a helper enters and leaves one", r#"static int in(__u32 i, unsigned long *p) { bpf_local_irq_save(p);
        bpf_local_irq_restore(p); return 0; }
        SEC("tc") int f(void *ctx) { unsigned long flags; bpf_loop(3, in, &flags, 0); return 0; }"#, None),
    // Both.
    ("a lock without interrupts", r#"SEC("tc") int f(void *ctx) { unsigned long flags; FIND(v, value, a);
        if (bpf_res_spin_lock_irqsave(&v->lock, &flags)) return 0; v->n++;
        bpf_res_spin_unlock_irqrestore(&v->lock, &flags); return 0; }"#, None),
    ("two of them", r#"SEC("tc") int f(void *ctx) { unsigned long one, two; FIND(v, value, a); FIND(w, value, b);
        if (bpf_res_spin_lock_irqsave(&v->lock, &one)) return 0;
        if (!bpf_res_spin_lock_irqsave(&w->lock, &two)) bpf_res_spin_unlock_irqrestore(&w->lock, &two);
        bpf_res_spin_unlock_irqrestore(&v->lock, &one); return 0; }"#, None),
    ("two of them, with the other's flags", r#"SEC("tc") int f(void *ctx) { unsigned long one, two; FIND(v, value, a);
        FIND(w, value, b); if (bpf_res_spin_lock_irqsave(&v->lock, &one)) return 0;
        if (!bpf_res_spin_lock_irqsave(&w->lock, &two)) bpf_res_spin_unlock_irqrestore(&w->lock, &one);
        bpf_res_spin_unlock_irqrestore(&v->lock, &two); return 0; }"#, Some("V0405")),
    ("given back with interrupts as they are", r#"SEC("tc") int f(void *ctx) { unsigned long flags; FIND(v, value, a);
        if (bpf_res_spin_lock_irqsave(&v->lock, &flags)) return 0; bpf_res_spin_unlock(&v->lock); return 0; }"#,
        Some("V0405")),
    ("the flags of a section", r#"SEC("tc") int f(void *ctx) { unsigned long one, two; FIND(v, value, a);
        bpf_local_irq_save(&one); if (bpf_res_spin_lock_irqsave(&v->lock, &two)) { bpf_local_irq_restore(&one); return 0; }
        bpf_res_spin_unlock_irqrestore(&v->lock, &one); bpf_local_irq_restore(&two); return 0; }"#, Some("V0405")),
    ("a lock inside a section", r#"SEC("tc") int f(void *ctx) { unsigned long flags; FIND(v, value, a);
        bpf_local_irq_save(&flags); if (!bpf_res_spin_lock(&v->lock)) bpf_res_spin_unlock(&v->lock);
        bpf_local_irq_restore(&flags); return 0; }"#, None),
    ("a section is left inside a lock", r#"SEC("tc") int f(void *ctx) { unsigned long flags; FIND(v, value, a);
        bpf_local_irq_save(&flags); if (bpf_res_spin_lock(&v->lock)) { bpf_local_irq_restore(&flags); return 0; }
        bpf_local_irq_restore(&flags); bpf_res_spin_unlock(&v->lock); return 0; }"#, Some("V0313")),
    // Maps whose values can have no such field: to programs these are plain memory.
    ("a map that has no locks", r#"MAP(many, LRU_HASH, value); SEC("tc") int f(void *ctx) { FIND(v, value, many);
        if (!bpf_res_spin_lock(&v->lock)) bpf_res_spin_unlock(&v->lock); return 0; }"#, Some("V0304")),
    ("two locks in a value", r#"MAP(both, ARRAY, two); SEC("tc") int f(void *ctx) { FIND(v, two, both);
        if (!bpf_res_spin_lock(&v->lock)) bpf_res_spin_unlock(&v->lock); return 0; }"#, Some("V0304")),
    ("a timer for each processor", r#"struct timed { struct bpf_timer timer; }; MAP(timers, PERCPU_ARRAY, timed);
        SEC("tc") int f(void *ctx) { FIND(v, timed, timers); bpf_timer_init(&v->timer, &timers, 1); return 0; }"#,
        Some("V0304")),
];

#[test]
fn locks_are_taken_and_given_back() {
    common::judged::cases("locks", HEAD, CASES);
}

/// What a lock that could not be taken leaves is negative in 32 bits only: the kernel takes all 64 for
/// negative, and would let this program give back what it does not hold.
#[test]
fn an_error_is_one_of_32_bits() {
    let sign = r#"SEC("tc") int f(void *ctx) { FIND(v, value, a); long failed = bpf_res_spin_lock(&v->lock);
        asm volatile("%0 = r0; %0 s>>= 63" : "=r"(failed)); if (!failed) bpf_res_spin_unlock(&v->lock); return 0; }"#;
    let Some(report) = common::judged::ours("sign", HEAD, sign) else { return };
    assert_eq!(report.result, Err("V0405"));
}
