//! One program for each check that the kernels' own tables and selftests do not reach: the rule that
//! refuses it, and the running kernel as judge.
#![cfg(target_os = "linux")]

mod common;

use common::cases::assembled;
use skep_runtime::Image;
use skep_runtime::kernel::Kernel;
use skep_runtime::verify::{Options, verify_program};
use skep_stdlib::features::{Kernel as Version, Target};

/// The program's section, the kinds of its maps, its instructions, the rule that it breaks.
type Assembled = (&'static str, &'static [&'static str], &'static str, &'static str);

#[rustfmt::skip]
const ASSEMBLED: &[Assembled] = &[
    // Memory.
    ("tc", &["map_array_48b"], "LOOKUP r6 = *(u64 *)(r0 + 0); if r6 s> 9 goto out; if r6 s< -5 goto out; r0 += r6
        r0 = *(u8 *)(r0 + 8); out: r0 = 0; exit", "V0203"),
    ("flow_dissector", &[], "r2 = *(u64 *)(r1 + 144); r0 = *(u32 *)(r2 + 56); r0 = 0; exit", "V0105"),
    ("tp_btf/task_newtask", &[], "r6 = *(u64 *)(r1 + 0); call 7; r0 &= 7; r6 += r0; r0 = *(u32 *)(r6 + 0)
        r0 = 0; exit", "V0112"),
    ("tc", &["map_kptr"], "LOOKUP r1 = 5; *(u64 *)(r0 + 0) = r1; out: r0 = 0; exit", "V0115"),
    ("tc", &["map_kptr"], "r6 = r1; LOOKUP *(u64 *)(r0 + 0) = r6; out: r0 = 0; exit", "V0115"),
    ("tc", &["map_ringbuf"], "r1 = map[idx:0]; r2 = 8; r3 = 0; r4 = r10; r4 += -16; call 198; call 7; r0 &= 7
        r6 = r10; r6 += -16; r6 += r0; r6 = *(u8 *)(r6 + 0); r1 = r10; r1 += -16; r2 = 0; call 200; r0 = 0; exit", "V0104"),
    ("tc", &[], "*(u32 *)(r10 - 8) = r1; r0 = 0; exit", "V0206"),
    // Contexts.
    ("tracepoint", &[], "r0 = *(u32 *)(r1 + 9); r0 = 0; exit", "V0106"),
    ("tracepoint", &[], "r0 = *(u64 *)(r1 + 8192); r0 = 0; exit", "V0106"),
    ("tracepoint", &[], "*(u64 *)(r1 + 8) = 0; r0 = 0; exit", "V0106"),
    ("kprobe", &[], "r0 = *(u64 *)(r1 - 8); r0 = 0; exit", "V0106"),
    ("kprobe", &[], "r0 = *(u64 *)(r1 + 168); r0 = 0; exit", "V0106"),
    ("tc", &[], "r1 += 4; *(u32 *)(r1 + 4) = 0; r0 = 0; exit", "V0114"),
    ("syscall", &[], "*(u32 *)(r1 + 2) = 0; r0 = 0; exit", "V0106"),
    ("tp_btf/task_newtask", &[], "r0 = *(u32 *)(r1 + 4); r0 = 0; exit", "V0106"),
    // Arguments of helpers.
    ("tc", &["map_timer", "map_timer"], "LOOKUP r1 = r0; r2 = map[idx:1]; r3 = 0; call 169; out: r0 = 0; exit", "V0304"),
    ("tc", &["map_timer"], "LOOKUP r1 = r0; r1 += 8; r2 = map[idx:0]; r3 = 0; call 169; out: r0 = 0; exit", "V0304"),
    ("tc", &["map_timer"], "r1 = r10; r1 += -16; r2 = map[idx:0]; r3 = 0; call 169; r0 = 0; exit", "V0304"),
    ("tc", &["map_sockmap"], "*(u64 *)(r10 - 8) = 0; r1 = map[idx:0]; r2 = r10; r2 += -8; r3 = r2; r4 = 0; call 2
        r0 = 0; exit", "V0304"),
    ("tc", &["map_ringbuf"], "call 7; r2 = r0; r1 = map[idx:0]; r3 = 0; call 131; r0 = 0; exit", "V0304"),
    ("tc", &[], "r1 = 3; r2 = subprog[f]; r3 = 5; r4 = 0; call 181; r0 = 0; exit; f: r0 = 0; exit", "V0304"),
    // Jumps.
    ("tc", &[], "if r1 == 0 goto +1; r1 = 0x100000001 ll; r0 = 0; exit", "V0501"),
    // Calls.
    ("tc", &[], "call 195896080; exit", "V0602"),
    ("tp_btf/task_newtask", &[], "r6 = r1; r1 = *(u64 *)(r1 + 0); r2 = 0; r3 = 0; r4 = r10; r4 += -4; r5 = 4; call 49
        r0 = 0; exit", "V0302"),
    ("xdp", &[], "r6 = r1; r0 = *(u8 *)skb[0]; r0 = 2; exit", "V0326"),
    ("tc", &[], "r1 = 0; if r1 == 0 goto out; callx r1; out: r0 = 0; exit", "V0327"),
    ("tc", &[], "r6 = 1; r0 = *(u8 *)skb[0]; r0 = 0; exit", "V0109"),
    ("tc", &[], "r1 = 3; r2 = subprog[f]; r3 = 0; r4 = 0; call 181; r0 = 0; exit
        f: r6 = r1; r0 = *(u8 *)skb[0]; r0 = 0; exit", "V0326"),
    ("tc", &["map_ringbuf"], "r1 = 3; r2 = subprog[f]; r3 = 0; r4 = 0; call 181; r0 = 0; exit
        f: r1 = map[idx:0]; r2 = 8; r3 = 0; call 131; r0 = 0; exit", "V0402"),
    ("tc", &[], "call pc+1; exit; call pc+1; exit; call pc+1; exit; call pc+1; exit; call pc+1; exit; call pc+1; exit
        call pc+1; exit; r1 = 3; r2 = subprog[f]; r3 = 0; r4 = 0; call 181; r0 = 0; exit; f: r0 = 0; exit", "V0505"),
];

/// What is wrong with the verdict on a program that breaks this rule.
fn judge(name: &str, image: &Image, rule: &str) -> Option<String> {
    let options = Options { btf: common::vmlinux(), ..Options::default() };
    let report = verify_program(image, 0, &options).0.err();
    let found = report.as_ref().map_or("", |report| report.cause.rule().code);
    if found != rule {
        let words = report.map(|report| (report.slot, report.cause.message()));
        return Some(format!("{name}: {found}, not {rule}: {words:?}"));
    }
    if !common::have(&[common::Need::Kernel]) {
        return None;
    }
    Kernel::load(image).is_ok().then(|| format!("{name}: the kernel accepts it"))
}

#[test]
fn assembled_programs_are_refused() {
    let judged = ASSEMBLED.iter().filter_map(|&(section, maps, text, rule)| {
        judge(&format!("{section}: {text}"), &assembled(section, maps, text), rule)
    });
    let wrong: Vec<String> = judged.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// So many paths may wait.
#[test]
fn jumps_may_be_too_many() {
    let text = |count| format!("r0 = *(u32 *)(r1 + 0); {} out: exit", "if r0 == 5 goto out;".repeat(count));
    assert_eq!(judge("few jumps", &assembled("tc", &[], &text(9000)), "V0603"), None);
}

/// Kernels that want stack to be written before it is read want all of it where the offset varies.
#[test]
fn old_kernels_want_written_stack() {
    let text = "r0 = *(u32 *)(r1 + 0); r0 &= 8; r2 = r10; r2 += -16; r2 += r0; *(u64 *)(r10 - 16) = 0
        r0 = *(u8 *)(r2 + 0); exit";
    let image = assembled("tc", &[], text);
    let on = |kernel| {
        let target = Target { kernel, ..Target::default() };
        let report = verify_program(&image, 0, &Options { target, ..Options::default() }).0.err();
        report.map_or("", |report| report.cause.rule().code)
    };
    assert_eq!((on(Version(5, 15)), on(Version(6, 18))), ("V0104", ""));
}

/// A kernel before the helper, and a license that is not the helper's.
#[test]
fn helpers_have_a_version_and_a_license() {
    let text = "r1 = r10; r1 += -8; *(u64 *)(r10 - 8) = 0; r2 = 8; call 6; r0 = 0; exit";
    let image = Image { license: "Proprietary".to_owned(), ..assembled("tracepoint", &[], text) };
    assert_eq!(judge("license", &image, "V0303"), None);
    let image = assembled("lsm/file_open", &[], "r0 = 0; exit");
    let image = Image { license: "Proprietary".to_owned(), ..image };
    assert_eq!(judge("license of a type", &image, "V0319"), None);
}

/// Kernels before what a program needs.
#[test]
fn what_is_newer_than_the_kernel_is_refused() {
    let rule_on = |kernel: Version, image: &Image| {
        let options = Options { target: Target { kernel, ..Target::default() }, ..Options::default() };
        let options = Options { btf: common::vmlinux(), ..options };
        verify_program(image, 0, &options).0.map_err(|report| report.cause.rule().code)
    };
    let nothing = "r0 = 0; exit";
    assert_eq!(rule_on(Version(5, 10), &assembled("tc", &[], "call 208; r0 = 0; exit")), Err("V0307"));
    assert_eq!(rule_on(Version(5, 10), &assembled("netfilter", &[], nothing)), Err("V0317"));
    assert_eq!(rule_on(Version(5, 4), &assembled("tc", &["map_ringbuf"], nothing)), Err("V0317"));
    let text = r#"SEC("tc") int f(struct __sk_buff *skb)
        { struct each *o = bpf_percpu_obj_new_impl(TYPE(struct each), 0); return !o; }"#;
    let Some(bytes) = common::clang("rules-newer", &format!("{HEAD}\n{text}"), &["-mcpu=v3"]) else { return };
    if common::vmlinux().is_some() {
        assert_eq!(rule_on(Version(6, 1), &common::link(&bytes)), Err("V0310"));
    }
}

/// Before the programs in C.
const HEAD: &str = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } ring SEC(".maps");
struct value { struct bpf_spin_lock lock; int n; };
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, struct value); }
    locked SEC(".maps");
extern void bpf_throw(__u64 cookie) __ksym;
extern void *bpf_obj_new_impl(__u64 type, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *object, void *meta) __ksym;
extern void *bpf_percpu_obj_new_impl(__u64 type, void *meta) __ksym;
extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym;
extern int bpf_copy_from_user_str(void *to, __u32 size, const void *from, __u64 flags) __ksym;
extern void *bpf_arena_alloc_pages(void *map, void *at, __u32 pages, int node, __u64 flags) __ksym;
extern int bpf_res_spin_lock(void *lock) __ksym;
#define TYPE(t) __builtin_btf_type_id(*(typeof(t) *)0, 0)
#define NEW(t) ((t *)bpf_obj_new_impl(TYPE(t), 0))
struct object { int a, b; struct bpf_spin_lock lock; int c; };
struct each { int n; };
#define GLOBAL __attribute__((noinline))
// What a call gives is not known from its arguments.
#define OPAQUE asm volatile("" ::: "memory")
"#;

/// A program in C, and the rule that it breaks.
const IN_C: &[(&str, &str)] = &[
    // Functions that helpers call.
    (
        r#"GLOBAL int each(__u32 i, void *p) { return 0; }
        SEC("tc") int f(struct __sk_buff *skb) { bpf_loop(3, each, 0, 0); return 0; }"#,
        "V0325",
    ),
    (
        r#"static int pulls(__u32 i, struct __sk_buff **p) { bpf_skb_pull_data(*p, 0); return 0; }
        GLOBAL int moves(struct __sk_buff *skb) { struct __sk_buff *p = skb; bpf_loop(1, pulls, &p, 0); return 0; }
        SEC("tc") int f(struct __sk_buff *skb) {
            char *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
            if (data + 1 > end) return 0;
            moves(skb);
            return *data; }"#,
        "V0109",
    ),
    // Global functions.
    (
        r#"GLOBAL int g(void *p __attribute__((btf_decl_tag("arg:odd")))) { OPAQUE; return 0; }
        SEC("tc") int f(struct __sk_buff *skb) { return g(skb); }"#,
        "V0308",
    ),
    (
        r#"GLOBAL int g(int n) { OPAQUE; return n; }
        SEC("tc") int f(struct __sk_buff *skb) {
            int key = 0;
            struct value *v = bpf_map_lookup_elem(&locked, &key);
            if (!v) return 0;
            bpf_spin_lock(&v->lock);
            int n = g(v->n);
            bpf_spin_unlock(&v->lock);
            return n; }"#,
        "V0313",
    ),
    (
        r#"GLOBAL __attribute__((naked)) int g(void) { asm volatile("exit"); }
        SEC("tc") int f(struct __sk_buff *skb) { return g(); }"#,
        "V0201",
    ),
    // Objects.
    (
        r#"SEC("tc") int f(struct __sk_buff *skb)
        { struct object *o = NEW(struct object); int a = o->a; bpf_obj_drop_impl(o, 0); return a; }"#,
        "V0108",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb)
        { struct object *o = NEW(struct object); if (!o) return 0; ((volatile int *)o)[8] = 1; bpf_obj_drop_impl(o, 0);
          return 0; }"#,
        "V0105",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb)
        { struct object *o = NEW(struct object); if (!o) return 0; ((volatile int *)o)[2] = 1; bpf_obj_drop_impl(o, 0);
          return 0; }"#,
        "V0115",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb)
        { struct object *o = NEW(struct object); if (!o) return 0; *(volatile long *)o = 1; bpf_obj_drop_impl(o, 0);
          return 0; }"#,
        "V0105",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb)
        { struct each *o = bpf_percpu_obj_new_impl(TYPE(struct each), 0); if (o) return o->n; return 0; }"#,
        "V0110",
    ),
    (r#"SEC("tc") int f(struct __sk_buff *skb) { return bpf_obj_new_impl(TYPE(int), 0) != 0; }"#, "V0316"),
    // Kernel functions.
    (
        r#"SEC("syscall") int f(void *ctx) { return bpf_arena_alloc_pages((void *)5, 0, 1, 0, 0) != 0; }"#,
        "V0304",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb)
        { int key = 0; void *v = bpf_map_lookup_elem(&locked, &key); return v ? bpf_res_spin_lock(v) : 0; }"#,
        "V0304",
    ),
    (
        r#"struct timed { struct bpf_timer timer; };
        struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int);
            __type(value, struct timed); } timers SEC(".maps");
        GLOBAL int late(void *map, int *key, struct timed *v) { OPAQUE; return 0; }
        SEC("tc") int f(struct __sk_buff *skb)
        { int key = 0; struct timed *v = bpf_map_lookup_elem(&timers, &key);
          return v ? bpf_timer_set_callback(&v->timer, late) : 0; }"#,
        "V0325",
    ),
    (
        r#"SEC("tc") int f(struct __sk_buff *skb) { return *(int *)bpf_rdonly_cast(skb, TYPE(int)); }"#,
        "V0304",
    ),
    (
        r#"SEC("tp_btf/task_newtask") int f(void *ctx)
        { char text[8]; return bpf_copy_from_user_str(text, 8, 0, 0); }"#,
        "V0311",
    ),
    // Exceptions.
    (
        r#"GLOBAL int handle(__u64 cookie) { return 0; }
        SEC("tc") __attribute__((btf_decl_tag("exception_callback:handle"))) int f(struct __sk_buff *skb) {
            void *p = bpf_ringbuf_reserve(&ring, 8, 0);
            if (!p) return 0;
            if (skb->len == 7) bpf_throw(0);
            bpf_ringbuf_discard(p, 0);
            return 0; }"#,
        "V0402",
    ),
];

#[test]
fn programs_in_c_are_refused() {
    let mut wrong = Vec::new();
    for (index, (text, rule)) in IN_C.iter().enumerate() {
        let source = format!("{HEAD}\n{text}");
        let Some(bytes) = common::clang(&format!("rules-{index}"), &source, &["-mcpu=v3"]) else { return };
        if common::vmlinux().is_none() {
            return;
        }
        wrong.extend(judge(text, &common::link(&bytes), rule));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
