//! Checks that only words tell apart: without one of them another refuses the same program, later or in
//! other words; and those that nothing else reaches. The rule, what the kernel's log says of it, and the
//! running kernel as judge.
#![cfg(target_os = "linux")]

mod common;

use common::cases;
use skep_runtime::Image;
use skep_runtime::kernel::Kernel;
use skep_runtime::object::Code;
use skep_runtime::verify::{Options, verify_program};
use skep_stdlib::isa::asm;

/// Looks up the value of the first map into r0, by the key 0.
const LOOKUP: &str = "
    *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = map[idx:0]; call 1; if r0 == 0 goto out
";

/// The program's section, the kinds of its maps, its instructions, the rule that it breaks, and the words for
/// it: the kernel's, or else ours, with the place if it is that which tells.
type Assembled = (&'static str, &'static [&'static str], &'static str, &'static str, &'static str);

#[rustfmt::skip]
const ASSEMBLED: &[Assembled] = &[
    // Memory.
    ("iter/bpf_map_elem", &[], "r6 = *(u64 *)(r1 + 24); if r6 == 0 goto out; call 7; r0 &= 7; r6 += r0
        r0 = *(u8 *)(r6 + 0); out: r0 = 0; exit",
        "V0203", "R6 invalid variable buffer offset: off=0, var_off=(0x0; 0x7)"),
    ("tc", &[], "r0 = load_acquire((u32 *)(r1 + 0)); r0 = 0; exit", "V0110", "BPF_ATOMIC loads from R1 ctx is not allowed"),
    // What is never reached.
    ("tc", &[], "r0 = 0; if r0 == 0 goto out; call pc+100; out: exit",
        "V0501", "jump to slot 103, where no instruction starts"),
    // Addresses in values, also where none is used.
    ("tc", &["map_hash_8b"], "r1 = map[idx:0][0]+0; r0 = 0; exit",
        "V0117", "no direct value access support for this map type"),
    ("tc", &["map_array_two"], "r1 = map[idx:0][0]+0; r0 = 0; exit",
        "V0117", "invalid access to map value pointer, value_size=8 off=0"),
    // Helpers that some hooks of a program's type have.
    ("cgroup/sendmsg4", &[], "r2 = r10; r2 += -8; *(u64 *)(r10 - 8) = 0; r3 = 8; call 64; r0 = 1; exit",
        "V0302", "program of this type cannot use helper bpf_bind"),
    // What is 0 or -1 and masked is one of two numbers, walked apart.
    ("socket", &[], "call 7; r0 <<= 40; r0 s>>= 63; r0 &= 7; if r0 == 3 goto bad; r0 = 0; exit; bad: r0 = *(u64 *)(r0 + 0); exit", "", ""),
    ("socket", &[], "call 7; w0 <<= 20; w0 s>>= 31; w0 |= 8; if w0 == 9 goto bad; r0 = 0; exit; bad: r0 = *(u64 *)(r0 + 0); exit", "", ""),
    ("socket", &[], "call 7; r0 <<= 40; r0 s>>= 63; r0 &= 7; if r0 == 0 goto bad; r0 = 0; exit; bad: r0 = *(u64 *)(r0 + 0); exit",
        "V0109", "R0 invalid mem access 'scalar'"),
    ("socket", &[], "call 7; w0 <<= 20; w0 s>>= 31; w0 |= 8; if w0 == 8 goto bad; r0 = 0; exit; bad: r0 = *(u64 *)(r0 + 0); exit",
        "V0109", "R0 invalid mem access 'scalar'"),
    // Calls of an address.
    ("tc", &[], "r1 = 0; callx r1; r0 = 0; exit", "V0327", "unknown opcode 8d"),
    // Arithmetic.
    ("tc", &[], "r0 = 1; r0 <<= 64; exit", "V0207", "invalid shift 64"),
    ("tc", &[], "w0 = 1; w0 >>= 32; exit", "V0207", "invalid shift 32"),
    ("tc", &["map_array_48b"], "call 7; r0 &= 0xfffffff; r0 |= 0x10000000; r7 = r0; LOOKUP r0 += r7; r0 += r7; out: r0 = 0; exit",
        "V0203", "value 536870912 makes map_value pointer be out of bounds"),
    // Arguments of what is traced.
    ("tp_btf/task_newtask", &[], "r0 = *(u32 *)(r1 + 12); r0 = 0; exit",
        "V0106", "invalid bpf_context access off=12 size=4"),
    ("tp_btf/task_newtask", &[], "r0 = *(u64 *)(r1 + 16); r0 = 0; exit",
        "V0106", "invalid bpf_context access off=16 size=8"),
    ("tp_btf/workqueue_execute_end", &[], "r0 = *(u64 *)(r1 + 8); r0 = 0; exit",
        "V0106", "invalid bpf_context access off=8 size=8"),
    ("tracepoint", &[], "r0 = *(u64 *)(r1 + 0); r0 = 0; exit", "V0106", "invalid bpf_context access off=0 size=8"),
    // Arguments of helpers.
    ("tc", &[], "r1 = 3; r2 = r1; r3 = 0; r4 = 0; call 181; r0 = 0; exit",
        "V0304", "R2 type=scalar expected=func"),
    ("tc", &[], "r1 = r10; r1 += -8; *(u64 *)(r10 - 8) = 0; r2 = 8; r3 = r1; call 182; r0 = 0; exit",
        "V0304", "R3 type=fp expected=map_value"),
    ("tc", &["map_ringbuf"], "r1 = map[idx:0]; r2 = -1; r3 = 0; call 131; if r0 == 0 goto out; r1 = r0; r2 = 0; call 132
        out: r0 = 0; exit", "", ""),
    ("tc", &["map_ringbuf"], "call 5; r1 = map[idx:0]; r2 = r0; r3 = 0; call 131; if r0 == 0 goto out; r1 = r0; r2 = 0
        call 132; out: r0 = 0; exit", "V0304", "R2 is not a known constant'"),
    ("tc", &["map_ringbuf"], "r1 = map[idx:0]; r2 = 8; r3 = 0; call 131; r1 = r0; r2 = 0; call 132; r0 = 0; exit",
        "V0108", "the pointer to a ring buffer record may be null here"),
];

fn assembled(section: &str, maps: &[&str], text: &str) -> Image {
    let text = text.replace("LOOKUP", LOOKUP);
    let insns = asm::assemble(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    cases::image(section, Code::new(insns), maps)
}

/// Before the programs in C.
const HEAD: &str = r#"
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
#define BPF_MAP_TYPE_ARENA 33
#define ARENA __attribute__((address_space(1)))
#define GLOBAL __attribute__((noinline))
// Its members are known, not only its name.
#define WHOLE_TYPE(t) asm volatile("" :: "r"(TYPE(t)))
#define OPAQUE asm volatile("" ::: "memory")
#define TYPE(t) __builtin_btf_type_id(*(typeof(t) *)0, 0)
#define NEW(t) ((t *)bpf_obj_new_impl(TYPE(t), 0))
#define TAG(t) __attribute__((btf_type_tag(t)))
#define UNTRUSTED __attribute__((btf_decl_tag("arg:untrusted")))
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } ring SEC(".maps");
extern void bpf_throw(__u64 cookie) __ksym;
extern void *bpf_obj_new_impl(__u64 type, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *object, void *meta) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;
extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym;
extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym;
extern int bpf_res_spin_lock(void *lock) __ksym;
struct bpf_wq { __u64 words[2]; };
extern int bpf_wq_init(struct bpf_wq *work, void *map, unsigned flags) __ksym;
struct bpf_list_head { __u64 words[2]; };
struct bpf_list_node { __u64 words[3]; };
struct bpf_rb_root { __u64 words[2]; };
struct bpf_rb_node { __u64 words[4]; };
extern int bpf_list_push_front_impl(struct bpf_list_head *h, struct bpf_list_node *n, void *m, __u64 o) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *h) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *r, struct bpf_rb_node *n,
    bool (less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *m, __u64 o) __ksym;
#define __ulong(name, val) enum { __PASTE(__unique_value, __COUNTER__) = val } name
#define __PASTE_(a, b) a##b
#define __PASTE(a, b) __PASTE_(a, b)
#define CONTAINS(T, node) __attribute__((btf_decl_tag("contains:" #T ":" #node)))
#define PRIVATE(name) SEC(".bss." #name) __attribute__((aligned(8)))
#define ARRAY(map, T) \
    struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, T); } \
        map SEC(".maps")
#define VALUE(map) ({ int key = 0; bpf_map_lookup_elem(&map, &key); })
"#;

/// A program in C, the rule that it breaks if it does, the words for it.
type InC = (&'static str, &'static str, &'static str);

const IN_C: &[InC] = &[
    (
        r#"struct { __uint(type, BPF_MAP_TYPE_ARENA); __uint(map_flags, 1 << 10); __uint(max_entries, 1);
            __ulong(map_extra, 0x1ull << 44); } one SEC(".maps");
        struct { __uint(type, BPF_MAP_TYPE_ARENA); __uint(map_flags, 1 << 10); __uint(max_entries, 1);
            __ulong(map_extra, 0x2ull << 44); } two SEC(".maps");
        SEC("tc") int f(struct __sk_buff *skb)
        { asm volatile("" :: "r"(&one)); asm volatile("" :: "r"(&two)); return 0; }"#,
        "V0321",
        "Only one arena per program",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb)
        { asm volatile("r1 = addr_space_cast(r1, 0, 1)" ::: "r1"); return 0; }"#,
        "V0321",
        "addr_space_cast insn can only be used in a program that has an associated arena",
    ),
    (
        r#"struct { __uint(type, BPF_MAP_TYPE_ARENA); __uint(map_flags, 1 << 10); __uint(max_entries, 1);
            __ulong(map_extra, 0x1ull << 44); } one SEC(".maps");
        GLOBAL int g(void ARENA *p __attribute__((btf_decl_tag("arg:arena")))) { OPAQUE; return p != 0; }
        SEC("tc") int f(struct __sk_buff *skb)
        { asm volatile("" :: "r"(&one)); return g((void ARENA *)(long)skb); }"#,
        "V0304",
        "R1 is not a pointer to arena or scalar.",
    ),
    (
        r#"GLOBAL int g(long a, long b) { OPAQUE; return a + b; }
        SEC("tc") __attribute__((naked)) int f(void) { asm volatile("r1 = 1; call g; r0 = 0; exit"); }"#,
        "V0201",
        "at 1: `r2` is used, but nothing was put into it",
    ),
    (
        r#"GLOBAL int g(long a) { OPAQUE; return a; }
        SEC("tc") int f(struct __sk_buff *skb) { return g((long)skb); }"#,
        "V0304",
        "R1 is not a scalar",
    ),
    (
        r#"GLOBAL long g(struct __sk_buff *skb) { OPAQUE; return (long)skb; }
        SEC("tc") int f(struct __sk_buff *skb) { g(skb); return 0; }"#,
        "V0403",
        "At subprogram exit the register R0 is not a scalar value (ctx)",
    ),
    (
        r#"struct pair { int a; };
        GLOBAL int g(struct pair pair) { OPAQUE; return pair.a; }
        SEC("tc") int f(struct __sk_buff *skb) { struct pair pair = { 1 }; return g(pair); }"#,
        "V0308",
        "at 1: the global function `g` cannot be verified on its own: a parameter is neither a number nor a pointer",
    ),
    (
        r#"GLOBAL void *g(int a) { OPAQUE; return 0; }
        SEC("tc") int f(struct __sk_buff *skb) { g(0); return 0; }"#,
        "V0308",
        "Global function g() doesn't return scalar. Only those are supported.",
    ),
    (
        r#"int bpf_xdp_metadata_rx_timestamp(const struct xdp_md *ctx, __u64 *timestamp) __ksym;
        SEC("xdp") int f(struct xdp_md *ctx) { __u64 t; return bpf_xdp_metadata_rx_timestamp(ctx, &t); }"#,
        "V0309",
        "metadata kfuncs require device-bound program",
    ),
    (
        r#"struct nothing_here { int a; };
        GLOBAL int g(struct nothing_here *p __attribute__((btf_decl_tag("arg:trusted")))) { OPAQUE; return 0; }
        SEC("tc") int f(struct __sk_buff *skb) { return g(0); }"#,
        "V0308",
        "arg#0 reference type('STRUCT nothing_here') has no matches",
    ),
    (
        r#"GLOBAL int g(void *p __attribute__((btf_decl_tag("arg:odd")))) { OPAQUE; return 0; }
        SEC("tc") int f(struct __sk_buff *skb) { return g(skb); }"#,
        "V0308",
        "arg#0 has unsupported set of tags",
    ),
    (
        r#"GLOBAL int g(int *p __attribute__((btf_decl_tag("arg:nullable")))) { OPAQUE; return p ? *p : 0; }
        SEC("tc") int f(struct __sk_buff *skb) { return g(0); }"#,
        "V0308",
        "arg#0 has invalid combination of tags",
    ),
    (
        r#"__attribute__((visibility("hidden"))) GLOBAL int g(int *p) { OPAQUE; return *p; }
        SEC("tc") int f(struct __sk_buff *skb) { int n = skb->len; return g(&n); }"#,
        "",
        "",
    ),
    (
        r#"GLOBAL int g(int n __attribute__((btf_decl_tag("arg:nonnull")))) { OPAQUE; return n; }
        SEC("tc") int f(struct __sk_buff *skb) { return g(0); }"#,
        "V0308",
        "arg#0 has pointer tag, but is not a pointer type",
    ),
    (
        r#"struct task_struct { int pid; } __attribute__((preserve_access_index));
        GLOBAL int g(int *p UNTRUSTED, struct task_struct *task UNTRUSTED) { OPAQUE; return p[-7] + task->pid; }
        SEC("tc") int f(struct __sk_buff *skb) { return g((int *)3, (void *)skb); }"#,
        "",
        "",
    ),
    (
        r#"GLOBAL int g(int *p UNTRUSTED) { OPAQUE; *p = 0; return 0; }
        SEC("tc") int f(struct __sk_buff *skb) { return g((int *)3); }"#,
        "V0107",
        "R1 cannot write into rdonly_untrusted_mem",
    ),
    (
        r#"GLOBAL int g(char *p UNTRUSTED) { OPAQUE; return bpf_strncmp(p, 1, "a"); }
        SEC("tc") int f(struct __sk_buff *skb) { return g((char *)3); }"#,
        "V0304",
        "argument 1 of `bpf_strncmp` must be a pointer to memory, not memory that may not be there",
    ),
    (r#"SEC("tc") int f(struct __sk_buff *skb) { return *(int *)bpf_rdonly_cast(skb, 0); }"#, "", ""),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb) { return *(int *)bpf_rdonly_cast(skb, TYPE(int)); }"#,
        "V0304",
        "kfunc bpf_rdonly_cast type ID argument must be of a struct or void",
    ),
    (
        r#"static int each(__u32 i, void *p) { return 0; }
        SEC("tc") int f(struct __sk_buff *skb) { bpf_loop((long)skb, each, 0, 0); return 0; }"#,
        "V0304",
        "at 4: argument 1 of `bpf_loop` must be a number, not the context",
    ),
    (
        r#"static int each(__u32 i, void *p) { bpf_ringbuf_reserve(&ring, 8, 0); return 0; }
        SEC("tc") int f(struct __sk_buff *skb) { bpf_loop(1, each, 0, 0); return 0; }"#,
        "V0402",
        "at 14: a reference is still held when the program ends",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb) { bpf_preempt_enable(); return 0; }"#,
        "V0405",
        "unmatched attempt to enable preemption (kernel function bpf_preempt_enable)",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb) { bpf_rcu_read_unlock(); return 0; }"#,
        "V0405",
        "unmatched rcu read unlock (kernel function bpf_rcu_read_unlock)",
    ),
    (
        r#"struct each { int n; };
        struct keeps { struct each TAG("percpu_kptr") *each; };
        ARRAY(keep, struct keeps);
        SEC("tc") int f(struct __sk_buff *skb) {
            struct keeps *v = VALUE(keep);
            struct each *each = v ? (void *)v->each : 0;
            WHOLE_TYPE(struct each);
            return each ? each->n : 0; }"#,
        "V0110",
        "at 13: an allocated object cannot be read or written directly",
    ),
    (
        r#"struct each { int n; };
        struct keeps { struct each TAG("kptr") *each; };
        ARRAY(keep, struct keeps);
        SEC("syscall") int f(void *ctx) {
            struct keeps *v = VALUE(keep);
            if (!v) return 0;
            WHOLE_TYPE(struct each);
            bpf_rcu_read_lock();
            struct each *each = v->each;
            bpf_rcu_read_unlock();
            if (each) each->n = 1;
            return 0; }"#,
        "V0107",
        "only read is supported",
    ),
    (
        r#"struct each { int n, more[4]; };
        struct keeps { struct each TAG("kptr") *each; };
        ARRAY(keep, struct keeps);
        SEC("tc") int f(struct __sk_buff *skb) {
            struct keeps *v = VALUE(keep);
            struct each *each = NEW(struct each);
            if (!each) return 0;
            if (!v) { bpf_obj_drop_impl(each, 0); return 0; }
            each = bpf_kptr_xchg(&v->each, (void *)each + 4);
            if (each) bpf_obj_drop_impl(each, 0);
            return 0; }"#,
        "V0304",
        "at 17: argument 2 of `bpf_kptr_xchg` must be null or an acquired object of the pointer's type, not an allocated object",
    ),
    (
        r#"struct inner { int n; };
        struct each { struct inner TAG("kptr") *inner; };
        struct keeps { struct each TAG("kptr") *each; };
        ARRAY(keep, struct keeps);
        SEC("tc") int f(struct __sk_buff *skb) {
            struct keeps *v = VALUE(keep);
            WHOLE_TYPE(struct each);
            WHOLE_TYPE(struct inner);
            struct each *each = v ? v->each : 0;
            if (!each) return 0;
            struct inner *inner = bpf_kptr_xchg(&each->inner, 0);
            if (inner) bpf_obj_drop_impl(inner, 0);
            return 0; }"#,
        "V0304",
        "R1 type=rcu_ptr_ expected=map_value, ptr_",
    ),
    (
        r#"struct task_struct { int n; };
        struct keeps { struct task_struct TAG("kptr_untrusted") *task; };
        ARRAY(keep, struct keeps);
        SEC("tp_btf/task_newtask") int f(unsigned long long *ctx) {
            struct keeps *v = VALUE(keep);
            WHOLE_TYPE(struct task_struct);
            if (v) v->task = (void *)ctx[0] + 8;
            return 0; }"#,
        "V0115",
        "at 13: write of a field of type `kptr_untrusted`, which only helpers may touch",
    ),
    (
        r#"struct cgroup { int n; };
        struct keeps { struct cgroup TAG("kptr_untrusted") *group; };
        ARRAY(keep, struct keeps);
        SEC("tp_btf/task_newtask") int f(unsigned long long *ctx) {
            struct keeps *v = VALUE(keep);
            WHOLE_TYPE(struct cgroup);
            if (v) v->group = (void *)ctx[0];
            return 0; }"#,
        "V0115",
        "at 12: write of a field of type `kptr_untrusted`, which only helpers may touch",
    ),
    (
        r#"struct cgroup { int n; };
        struct keeps { struct cgroup TAG("kptr_untrusted") *group; };
        ARRAY(keep, struct keeps);
        SEC("tp_btf/task_newtask") int f(unsigned long long *ctx) {
            struct keeps *v = VALUE(keep);
            WHOLE_TYPE(struct cgroup);
            if (v) v->group = (void *)ctx[1];
            return 0; }"#,
        "V0115",
        "at 12: write of a field of type `kptr_untrusted`, which only helpers may touch",
    ),
    (
        r#"struct timed { struct bpf_timer timer; };
        ARRAY(timers, struct timed);
        SEC("tc") int f(struct __sk_buff *skb) {
            struct timed *v = NEW(struct timed);
            if (!v) return 0;
            bpf_timer_init(&v->timer, &timers, 0);
            bpf_obj_drop_impl(v, 0);
            return 0; }"#,
        "V0304",
        "R1 type=ptr_ expected=map_value",
    ),
    (
        r#"struct leaf { struct bpf_list_node node; };
        struct tree { struct bpf_list_node node; struct bpf_list_head head CONTAINS(leaf, node); struct bpf_spin_lock lock; };
        PRIVATE(A) struct bpf_spin_lock lock;
        PRIVATE(A) struct bpf_list_head trees CONTAINS(tree, node);
        SEC("tc") int f(struct __sk_buff *skb) {
            WHOLE_TYPE(struct leaf);
            struct tree *tree = NEW(struct tree);
            if (!tree) return 0;
            bpf_spin_lock(&lock);
            bpf_list_push_front_impl(&trees, &tree->node, 0, 0);
            bpf_list_pop_front(&tree->head);
            bpf_spin_unlock(&lock);
            return 0; }"#,
        "V0304",
        "at 19: argument 1 of `bpf_list_pop_front` must be the head of a list or the root of a tree, not an allocated object",
    ),
    (
        r#"struct node { struct bpf_rb_node node; };
        PRIVATE(A) struct bpf_spin_lock lock;
        PRIVATE(A) struct bpf_rb_root nodes CONTAINS(node, node);
        GLOBAL bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b) { return 0; }
        SEC("tc") int f(struct __sk_buff *skb) {
            struct node *node = NEW(struct node);
            if (!node) return 0;
            bpf_spin_lock(&lock);
            bpf_rbtree_add_impl(&nodes, &node->node, less, 0, 0);
            bpf_spin_unlock(&lock);
            return 0; }"#,
        "V0325",
        "callback function not static",
    ),
    (
        r#"struct node { struct bpf_rb_node node; };
        PRIVATE(A) struct bpf_spin_lock lock;
        PRIVATE(A) struct bpf_rb_root nodes CONTAINS(node, node);
        static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b) { return 0; }
        #define NEXT(name, next) static GLOBAL int name(void) { OPAQUE; return next(); }
        static GLOBAL int adds(void) {
            struct node *node = NEW(struct node);
            if (!node) return 0;
            bpf_spin_lock(&lock);
            bpf_rbtree_add_impl(&nodes, &node->node, less, 0, 0);
            bpf_spin_unlock(&lock);
            return 0; }
        NEXT(a, adds) NEXT(b, a) NEXT(c, b) NEXT(d, c) NEXT(e, d) NEXT(g, e)
        SEC("tc") int f(struct __sk_buff *skb) { return g(); }"#,
        "V0505",
        "at 31: more than 8 nested calls",
    ),
    (
        r#"static GLOBAL int ends(void) { asm volatile("r0 = 0; if r0 == 0 goto +4; r1 = 0; r2 = 0; r3 = 0; call 12" ::: "r0", "r1", "r2", "r3"); return 0; }
        GLOBAL int handle(__u64 cookie) { return ends(); }
        SEC("tc") __attribute__((btf_decl_tag("exception_callback:handle"))) int f(struct __sk_buff *skb)
        { bpf_throw(0); return 0; }"#,
        "V0302",
        "cannot tail call within exception cb",
    ),
    // What a structure points to that is no structure is probed wherever it is read, and not written.
    (
        r#"struct task_struct { void *stack; } __attribute__((preserve_access_index));
        SEC("tp_btf/task_newtask") int f(unsigned long long *ctx) {
            long *at = ((struct task_struct *)ctx[0])->stack;
            asm volatile("%0 += %1; %0 &= -8" : "+r"(at) : "r"(bpf_get_prandom_u32()));
            return *at != 0; }"#,
        "",
        "",
    ),
    (
        r#"struct task_struct { void *stack; } __attribute__((preserve_access_index));
        SEC("tp_btf/task_newtask") int f(unsigned long long *ctx) {
            long *at = ((struct task_struct *)ctx[0])->stack;
            asm volatile("r1 = %0; w1 += 1" :: "r"(at) : "r1");
            return 0; }"#,
        "V0202",
        "R1 32-bit pointer arithmetic prohibited",
    ),
    (
        r#"struct task_struct { void *stack; } __attribute__((preserve_access_index));
        SEC("tp_btf/task_newtask") int f(unsigned long long *ctx) {
            long *at = ((struct task_struct *)ctx[0])->stack, zero = 0;
            asm volatile("%0 = 0; %0 += %1" : "+r"(zero) : "r"(at));
            return *(char *)zero; }"#,
        "V0109",
        "R2 invalid mem access 'scalar'",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb) { return bpf_rdonly_cast(skb, -116) != 0; }"#,
        "V0304",
        "Unknown type ID 4294967180 passed to kfunc bpf_rdonly_cast",
    ),
    (
        r#"struct { __uint(type, BPF_MAP_TYPE_TASK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC);
            __type(key, int); __type(value, long); } m SEC(".maps");
        SEC("tp_btf/task_newtask") int f(unsigned long long *ctx) {
            void *task = (void *)ctx[0];
            return bpf_task_storage_get(&m, task, task, 1) != 0; }"#,
        "V0304",
        "bpf_task_storage_get() may write into memory pointed by R3 type=trusted_ptr_",
    ),
    (
        r#"struct task_struct { int pid; } __attribute__((preserve_access_index));
        struct v { struct task_struct TAG("kptr") *p; }; ARRAY(m, struct v);
        extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
        extern void bpf_task_release(struct task_struct *task) __ksym;
        SEC("tp_btf/task_newtask") int f(unsigned long long *ctx) {
            struct v *v = VALUE(m); if (!v) return 0;
            struct task_struct *old = bpf_kptr_xchg(&v->p, bpf_task_from_pid(1)); if (old) bpf_task_release(old);
            return 0; }"#,
        "V0304",
        "Possibly NULL pointer passed to helper arg2",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb) { bpf_throw((__u64)skb); return 0; }"#,
        "V0304",
        "R1 is not a scalar",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb) { return bpf_obj_new_impl(1ull << 32, 0) != 0; }"#,
        "V0316",
        "at 3: no object of this type can be allocated: its number is not a constant",
    ),
    (
        r#"struct many { int numbers[4]; };
        SEC("tc") int f(struct __sk_buff *skb) {
            struct many *o = NEW(struct many);
            if (!o) return 0;
            int at = bpf_get_prandom_u32() & 1;
            OPAQUE;
            int n = o->numbers[at];
            bpf_obj_drop_impl(o, 0);
            return n; }"#,
        "V0105",
        "at 12: read outside the memory",
    ),
    (
        r#"struct node { struct bpf_rb_node node; };
        PRIVATE(A) struct bpf_spin_lock lock;
        PRIVATE(A) struct bpf_rb_root nodes CONTAINS(node, node);
        SEC("tc") int f(struct __sk_buff *skb) {
            struct node *node = NEW(struct node);
            if (!node) return 0;
            bpf_spin_lock(&lock);
            bpf_rbtree_add_impl(&nodes, &node->node, 0, 0, 0);
            bpf_spin_unlock(&lock);
            return 0; }"#,
        "V0304",
        "arg2 expected pointer to func",
    ),
    (
        r#"SEC("tc") __attribute__((naked)) int f(void)
        { asm volatile("call bpf_rdonly_cast; r0 = 0; exit"); }
        void names(void) { bpf_rdonly_cast(0, 0); }"#,
        "V0201",
        "at 0: `r2` is used, but nothing was put into it",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb) { long lock = 0; return bpf_res_spin_lock(&lock); }"#,
        "V0304",
        "arg#0 doesn't point to map value or allocated object",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb) { return bpf_cast_to_kern_ctx((void *)skb + 4) != 0; }"#,
        "V0304",
        "dereference of modified ctx ptr R1 off=4 disallowed",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb) { return bpf_cast_to_kern_ctx(0) != 0; }"#,
        "V0304",
        "arg#0 expected pointer to ctx, but got scalar",
    ),
    (
        r#"struct works { struct bpf_wq work; };
        ARRAY(one, struct works);
        ARRAY(two, struct works);
        SEC("tc") int f(struct __sk_buff *skb)
        { struct works *v = VALUE(one); return v ? bpf_wq_init(&v->work, &two, 0) : 0; }"#,
        "V0304",
        "workqueue pointer in R1 map_uid=0 doesn't match map pointer in R2 map_uid=0",
    ),
    // Fields that are special to the kernel, or not.
    (
        r#"typedef struct bpf_spin_lock lock_t;
        struct v { lock_t lock; int n; };
        ARRAY(m, struct v);
        SEC("tc") int f(struct __sk_buff *skb)
        { struct v *v = VALUE(m); if (!v) return 0; bpf_spin_lock((void *)&v->lock); bpf_spin_unlock((void *)&v->lock); return 0; }"#,
        "V0304",
        "at 10: argument 1 of `bpf_spin_lock` must be the address of a spin lock, not a map value",
    ),
    (
        r#"struct v { const struct bpf_spin_lock lock; int n; };
        ARRAY(m, struct v);
        SEC("tc") int f(struct __sk_buff *skb)
        { struct v *v = VALUE(m); if (!v) return 0; bpf_spin_lock((void *)&v->lock); bpf_spin_unlock((void *)&v->lock); return 0; }"#,
        "V0304",
        "at 10: argument 1 of `bpf_spin_lock` must be the address of a spin lock, not a map value",
    ),
    (
        r#"typedef struct { struct bpf_spin_lock lock; int n; } inner_t;
        struct v { inner_t inner; };
        ARRAY(m, struct v);
        SEC("tc") int f(struct __sk_buff *skb)
        { struct v *v = VALUE(m); if (!v) return 0; bpf_spin_lock((void *)&v->inner.lock); bpf_spin_unlock((void *)&v->inner.lock); return 0; }"#,
        "V0304",
        "at 10: argument 1 of `bpf_spin_lock` must be the address of a spin lock, not a map value",
    ),
    (
        r#"struct w;
        struct v { struct w TAG("kptr") *p; };
        ARRAY(m, struct v);
        SEC("tc") int f(struct __sk_buff *skb)
        { struct v *v = VALUE(m); if (!v) return 0; bpf_kptr_xchg(&v->p, 0); return 0; }"#,
        "V0304",
        "R1 has no valid kptr",
    ),
    (
        r#"struct w;
        struct v { struct w TAG("kptr") *p; };
        ARRAY(m, struct v);
        SEC("tc") int f(struct __sk_buff *skb)
        { struct v *v = VALUE(m); if (!v) return 0; *(volatile long *)v = 5; return 0; }"#,
        "",
        "",
    ),
    (
        r#"struct w { int n; };
        struct v { struct w TAG("kptr") *const p; };
        ARRAY(m, struct v);
        SEC("tc") int f(struct __sk_buff *skb)
        { struct v *v = VALUE(m); if (!v) return 0; WHOLE_TYPE(struct w); *(volatile long *)v = 5; return 0; }"#,
        "",
        "",
    ),
    (
        r#"struct w { int n; };
        struct v { struct w TAG("kptr") *volatile p; };
        ARRAY(m, struct v);
        SEC("tc") int f(struct __sk_buff *skb)
        { struct v *v = VALUE(m); if (!v) return 0; WHOLE_TYPE(struct w); *(volatile long *)v = 5; return 0; }"#,
        "V0115",
        "store to referenced kptr disallowed",
    ),
    (
        r#"struct w { int n; };
        struct v { struct w TAG("kptr") *p[12]; };
        ARRAY(m, struct v);
        SEC("tc") int f(struct __sk_buff *skb)
        { struct v *v = VALUE(m); if (!v) return 0; WHOLE_TYPE(struct w); *(volatile long *)v = 5; return 0; }"#,
        "",
        "",
    ),
    (
        r#"struct v { struct bpf_timer one, two; };
        ARRAY(m, struct v);
        SEC("tc") int f(struct __sk_buff *skb)
        { struct v *v = VALUE(m); if (!v) return 0; *(volatile long *)v = 5; return 0; }"#,
        "",
        "",
    ),
    (
        r#"struct v { struct bpf_spin_lock one, two; };
        ARRAY(m, struct v);
        SEC("tc") int f(struct __sk_buff *skb)
        { struct v *v = VALUE(m); if (!v) return 0; *(volatile int *)v = 5; return 0; }"#,
        "V0115",
        "write of a field of type `bpf_spin_lock`, which only helpers may touch",
    ),
    (
        r#"struct nf_conn___init { unsigned mark; } __attribute__((preserve_access_index));
        struct bpf_ct_opts { int netns, error; __u8 protocol, rest[3]; };
        extern struct nf_conn___init *bpf_skb_ct_alloc(struct __sk_buff *skb, struct bpf_sock_tuple *tuple,
            __u32 size, struct bpf_ct_opts *opts, __u32 opts_size) __ksym;
        SEC("tc") int f(struct __sk_buff *skb) {
            struct bpf_sock_tuple tuple = {};
            struct bpf_ct_opts opts = { -1 };
            struct nf_conn___init *made = bpf_skb_ct_alloc(skb, &tuple, sizeof(tuple.ipv4), &opts, sizeof(opts));
            made->mark = 1;
            return 0; }"#,
        "V0108",
        "the pointer to a kernel structure may be null here",
    ),
    (
        r#"union nf_inet_addr { __u32 all[4]; };
        struct bpf_ct_opts { int netns, error; __u8 protocol, rest[3]; };
        struct nf_conn;
        struct nf_conn___init;
        extern struct nf_conn___init *bpf_skb_ct_alloc(struct __sk_buff *skb, struct bpf_sock_tuple *tuple,
            __u32 size, struct bpf_ct_opts *opts, __u32 opts_size) __ksym;
        extern int bpf_ct_set_nat_info(struct nf_conn___init *ct, union nf_inet_addr *to, int port, int way) __ksym;
        extern struct nf_conn *bpf_ct_insert_entry(struct nf_conn___init *ct) __ksym;
        extern void bpf_ct_release(struct nf_conn *ct) __ksym;
        SEC("tc") int f(struct __sk_buff *skb) {
            struct bpf_sock_tuple tuple = {};
            struct bpf_ct_opts opts = { -1 };
            union nf_inet_addr to = {};
            struct nf_conn___init *made = bpf_skb_ct_alloc(skb, &tuple, sizeof(tuple.ipv4), &opts, sizeof(opts));
            if (!made) return 0;
            bpf_ct_set_nat_info(made, &to, 7, 0);
            struct nf_conn *ct = bpf_ct_insert_entry(made);
            if (ct) bpf_ct_release(ct);
            return 0; }"#,
        "",
        "",
    ),
];

/// What is wrong with the verdict on a program that breaks this rule, or none.
fn judge(name: &str, image: &Image, rule: &str, words: &str) -> Option<String> {
    let options = Options { btf: common::vmlinux(), ..Options::default() };
    let ours = verify_program(image, 0, &options).0.err();
    let (slot, message) = ours.as_ref().map_or((0, String::new()), |it| (it.slot, it.cause.message()));
    let said = ours.as_ref().map_or(String::new(), |it| it.cause.kernel_log().join("\n"));
    let said = said.lines().next().unwrap_or_default();
    let found = ours.as_ref().map_or("", |it| it.cause.rule().code);
    let theirs = match common::have(&[common::Need::Kernel]).then(|| Kernel::load(image).err()) {
        Some(None) if rule.is_empty() => String::new(),
        Some(None) => return Some(format!("{name}: the kernel accepts it, not {found}: {said}")),
        Some(Some(error)) if rule.is_empty() => return Some(format!("{name}: {error}")),
        Some(Some(error)) => error.log,
        None => words.to_owned(),
    };
    let of_kernel = said == words && theirs.contains(words);
    let same = found == rule && (of_kernel || words == message || words == format!("at {slot}: {message}"));
    (!same).then(|| {
        format!(
            "{name}: at {slot}: {found}: {said} ({message}), not {rule}: {words}, by the kernel: {theirs}"
        )
    })
}

#[test]
fn assembled_programs() {
    let judged = ASSEMBLED.iter().filter_map(|&(section, maps, text, rule, words)| {
        judge(&format!("{section}: {text}"), &assembled(section, maps, text), rule, words)
    });
    let wrong: Vec<String> = judged.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn programs_in_c() {
    let mut wrong = Vec::new();
    for (index, (text, rule, words)) in IN_C.iter().enumerate() {
        let source = format!("{HEAD}\n{text}");
        let Some(bytes) = common::clang(&format!("checks-{index}"), &source, &["-mcpu=v3"]) else { return };
        if common::vmlinux().is_none() {
            return;
        }
        wrong.extend(judge(text, &common::link(&bytes), rule, words));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Up to 6.12. Kernel 6.18 takes it, though the compiled access is that of one path.
#[test]
fn one_operation_on_an_arena_and_on_the_stack() {
    let text = r#"struct { __uint(type, BPF_MAP_TYPE_ARENA); __uint(map_flags, 1 << 10); __uint(max_entries, 1);
            __ulong(map_extra, 0x1ull << 44); } area SEC(".maps");
        SEC("tc") int f(struct __sk_buff *skb) {
            long local = 0, *at = (void *)(long)skb->len;
            asm volatile("" :: "r"(&area));
            asm volatile("%0 = addr_space_cast(%0, 0, 1)" : "+r"(at));
            if (bpf_get_prandom_u32()) at = &local;
            asm volatile("lock *(u64 *)(%0 + 0) += %0" :: "r"(at) : "memory");
            return 0; }"#;
    let Some(bytes) = common::clang("checks", &format!("{HEAD}\n{text}"), &["-mcpu=v3"]) else { return };
    let options = Options { btf: common::vmlinux(), ..Options::default() };
    let report = verify_program(&common::link(&bytes), 0, &options).0.unwrap_err();
    assert_eq!(report.cause.kernel_log(), ["same insn cannot be used with different pointers"]);
}

/// Where the kernel's types are not known.
#[test]
fn without_the_types_of_the_kernel() {
    let text = "r1 = *(u64 *)(r1 + 168); if r1 == 0 goto out; call 137; out: r0 = 0; exit";
    let report = verify_program(&assembled("tc", &[], text), 0, &Options::default()).0.unwrap_err();
    let words = "`struct tcp_sock` without the kernel's BTF is not supported by this verifier yet";
    assert_eq!(report.cause.message(), words);
}
