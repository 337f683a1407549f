//! Programs compiled by clang: the interpreter, and where it can the kernel, give the same.

mod common;

use common::{clang, ipv4, link, vm, vm_in};
use skep_runtime::Object;
use skep_runtime::host::Deterministic;
use skep_runtime::kernel::Kernel;
use skep_runtime::object::LinkOptions;
use skep_runtime::vm::{Engine, Input, Outcome, Value};

const HEADERS: &str = r#"
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
char LICENSE[] SEC("license") = "GPL";
"#;

fn compile(name: &str, source: &str) -> Option<Vec<u8>> {
    clang(name, &format!("{HEADERS}{source}"), &["-mcpu=v3"])
}

/// Runs every packet through `prog` in the interpreter and in the kernel, and compares
/// verdicts, packets and maps.
fn same_as_kernel(name: &str, source: &str, packets: &[Vec<u8>]) -> Option<Vec<Outcome>> {
    let image = link(&compile(name, source)?);
    let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u32);
    let mut vm = vm_in(image.clone(), Deterministic { cpus, ..Deterministic::default() });
    let mut kernel = match Kernel::load(&image) {
        Ok(kernel) => Some(kernel),
        Err(error) if error.errno == 1 && error.log.is_empty() => None,
        Err(error) => panic!("{name}: {error}"),
    };
    let program = vm.program("prog").unwrap();
    let mut outcomes = Vec::new();
    for (index, data) in packets.iter().enumerate() {
        let input = Input { data: data.clone(), ..Input::default() };
        let ours = vm.run(program, &input).unwrap();
        if let Some(kernel) = &mut kernel {
            let theirs = kernel.run(program, &input).unwrap();
            let maps = (&ours.maps, &theirs.maps);
            assert_eq!(ours.result, theirs.result, "{name}, packet {index}, {maps:?}");
            assert_eq!(ours.data, theirs.data, "{name}, packet {index}");
            for (ours, theirs) in ours.maps.iter().zip(&theirs.maps) {
                assert_eq!(ours, theirs, "{name}, packet {index}");
            }
        }
        outcomes.push(ours);
    }
    Some(outcomes)
}

fn packets() -> Vec<Vec<u8>> {
    vec![ipv4(6, &[0; 30]), ipv4(17, b"some payload of a datagram"), vec![0xa5; 64], ipv4(1, &[1; 1000])]
}

const XDP: &str = "SEC(\"xdp\") int prog(struct xdp_md *ctx) ";

#[test]
fn globals_strings_and_static_functions() {
    let source = r#"
struct pair { int a; long b; };
int zeroed;
int initialised = 5;
static long counter = 100;
const volatile int limit = 7;
static const char *const names[] = { "zero", "one", "two" };
struct pair pairs[3] = { {1, 2}, {3, 4}, {5, 6} };
static __noinline int scale(int x) { counter += x; return x * initialised; }
__noinline int twice(int x) { return scale(x) + scale(x + 1); }
SEC("xdp") int prog(struct xdp_md *ctx) {
    int sum = 0;
    for (int i = 0; i < limit && i < 3; i++)
        sum += pairs[i].a * 10 + pairs[i].b;
    zeroed += twice(sum & 0xff);
    return zeroed & 0xffff;
}"#;
    let Some(outcomes) = same_as_kernel("globals", source, &packets()) else { return };
    assert_eq!(outcomes[0].insns, outcomes[1].insns);
}

#[test]
fn moving_the_bounds_of_a_packet() {
    let by = [-300, -217, -216, -100, -14, 0, 5, 14, 30, 49, 50, 51, 200];
    for delta in by {
        let head = format!(
            r#"{XDP} {{
    int result = bpf_xdp_adjust_head(ctx, {delta});
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    if (data + 4 <= end) *(__u8 *)(data + 1) = 0x77;
    return (result & 0xff) << 16 | (end - data);
}}"#
        );
        same_as_kernel("head", &head, &packets());
        let tail = format!(
            r#"{XDP} {{
    int result = bpf_xdp_adjust_tail(ctx, {});
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    return (result & 0xff) << 16 | (end - data);
}}"#,
            -delta
        );
        same_as_kernel("tail", &tail, &packets());
    }
    for delta in [-400, -256, -252, -216, -40, -32, -6, -4, 0, 4] {
        let meta = format!(
            r#"{XDP} {{
    int result = bpf_xdp_adjust_meta(ctx, {delta});
    void *meta = (void *)(long)ctx->data_meta, *data = (void *)(long)ctx->data;
    if (meta + 4 <= data) *(__u32 *)meta = 42;
    int moved = bpf_xdp_adjust_head(ctx, 4);
    meta = (void *)(long)ctx->data_meta; data = (void *)(long)ctx->data;
    int value = meta + 4 <= data ? *(__u32 *)meta : -1;
    return (result & 0xff) << 24 | (moved & 0xff) << 16 | (value & 0xff) << 8 | (data - meta);
}}"#
        );
        same_as_kernel("meta", &meta, &packets());
    }
}

#[test]
fn maps_and_their_errors() {
    let source = r#"
struct key { __u32 a; __u16 b; __u16 pad; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 2); __type(key, struct key); __type(value, long); } table SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 16); __type(key, int); __type(value, long); } results SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_QUEUE); __uint(max_entries, 2); __type(value, int); } queue SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_STACK); __uint(max_entries, 2); __type(value, int); } stack SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, long); } own SEC(".maps");
struct lpm { __u32 len; __u8 ip[4]; };
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 4); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, struct lpm); __type(value, int); } trie SEC(".maps");
static __always_inline void note(int index, long value) { bpf_map_update_elem(&results, &index, &value, BPF_ANY); }
SEC("xdp") int prog(struct xdp_md *ctx) {
    struct key k1 = { 1, 2, 0 }, k2 = { 3, 4, 0 }, k3 = { 5, 6, 0 };
    long v = 9; int i = 7, j = 0;
    note(0, bpf_map_update_elem(&table, &k1, &v, BPF_EXIST));
    note(1, bpf_map_update_elem(&table, &k1, &v, BPF_NOEXIST));
    note(2, bpf_map_update_elem(&table, &k1, &v, BPF_NOEXIST));
    note(3, bpf_map_update_elem(&table, &k2, &v, BPF_ANY));
    note(4, bpf_map_update_elem(&table, &k3, &v, BPF_ANY));
    note(5, bpf_map_delete_elem(&table, &k3));
    note(6, bpf_map_delete_elem(&table, &k2));
    note(7, bpf_map_push_elem(&queue, &i, 0)); i++;
    note(8, bpf_map_push_elem(&queue, &i, 0)); i++;
    note(9, bpf_map_push_elem(&queue, &i, 0));
    bpf_map_push_elem(&queue, &i, BPF_EXIST);
    bpf_map_peek_elem(&queue, &j); note(10, j);
    bpf_map_pop_elem(&queue, &j); bpf_map_pop_elem(&queue, &j);
    note(11, bpf_map_pop_elem(&queue, &j));
    bpf_map_push_elem(&stack, &i, 0); i++; bpf_map_push_elem(&stack, &i, 0);
    bpf_map_pop_elem(&stack, &j); note(12, j); bpf_map_pop_elem(&stack, &j);
    struct lpm net = { 8, { 10, 1, 2, 3 } }, host = { 32, { 10, 9, 9, 9 } };
    note(13, bpf_map_update_elem(&trie, &net, &i, 0));
    int *found = bpf_map_lookup_elem(&trie, &host);
    note(14, found ? *found : -1);
    long *mine = bpf_map_lookup_elem(&table, &k1);
    if (mine) *mine += 1;
    note(15, mine ? *mine : -1);
    return bpf_map_delete_elem(&table, &k1);
}"#;
    let Some(outcomes) = same_as_kernel("maps", source, &packets()[..1]) else { return };
    let results = outcomes[0].map("results").unwrap();
    let noted: Vec<i64> =
        results.entries.iter().map(|(_, v)| i64::from_le_bytes(v.as_slice().try_into().unwrap())).collect();
    assert_eq!(noted[..7], [-2, 0, -17, 0, -7, -2, 0]);
}

#[test]
fn loops_callbacks_and_iteration() {
    let source = r#"
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, int); __type(value, int); } table SEC(".maps");
struct state { long sum; int left; };
static long step(__u32 index, void *data) { struct state *s = data; s->sum += index * 3; return index >= 9; }
static long visit(struct bpf_map *map, const void *key, void *value, void *data) {
    struct state *s = data; s->sum += *(int *)key * 100 + *(int *)value; *(int *)value += 1; return 0; }
SEC("xdp") int prog(struct xdp_md *ctx) {
    struct state s = { 0, 10 };
    for (int i = 0; i < 5; i++) { int k = i, v = i * i; bpf_map_update_elem(&table, &k, &v, 0); }
    long ran = bpf_loop(100, step, &s, 0);
    int bad = bpf_loop(1 << 24, step, &s, 0);
    long seen = bpf_for_each_map_elem(&table, visit, &s, 0);
    return (s.sum + ran * 10000 + seen * 1000000 + (bad == -7) * 10000000);
}"#;
    let Some(outcomes) = same_as_kernel("loops", source, &packets()[..1]) else { return };
    let sum = 3 * 45 + (1 + 2 + 3 + 4) * 100 + (1 + 4 + 9 + 16);
    assert_eq!(outcomes[0].result, Ok(sum + 10 * 10_000 + 5 * 1_000_000 + 10_000_000));
}

#[test]
fn tail_calls_and_inner_maps() {
    let source = r#"
struct ctx;
int prog_two(struct xdp_md *ctx);
struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, int); } first SEC(".maps"), second SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 4); __type(key, int); __array(values, struct inner); }
    outer SEC(".maps") = { .values = { [0] = &first, [2] = &second } };
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __uint(key_size, 4); __array(values, int(struct xdp_md *)); }
    jumps SEC(".maps") = { .values = { [1] = &prog_two } };
int hops;
SEC("xdp") int prog(struct xdp_md *ctx) {
    for (int i = 0; i < 4; i++) {
        int zero = 0, key = i, *value;
        void *map = bpf_map_lookup_elem(&outer, &key);
        if (map && (value = bpf_map_lookup_elem(map, &zero))) *value += i + 1;
    }
    bpf_tail_call(ctx, &jumps, 0);
    bpf_tail_call(ctx, &jumps, 1);
    return 1000;
}
SEC("xdp") int prog_two(struct xdp_md *ctx) { hops++; bpf_tail_call(ctx, &jumps, 1); return hops; }
"#;
    let Some(outcomes) = same_as_kernel("tail_calls", source, &packets()[..2]) else { return };
    assert_eq!(outcomes[0].result, Ok(33));
    assert_eq!(outcomes[0].map("second").unwrap().entries[0].1, [3, 0, 0, 0]);
}

/// A program that takes the place of a function returns to that function's caller, who finds its registers.
#[test]
fn tail_calls_from_functions() {
    let source = r#"
int other(struct xdp_md *ctx);
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 2); __uint(key_size, 4); __array(values, int(struct xdp_md *)); }
    jumps SEC(".maps") = { .values = { [1] = &other } };
int one = 1, rounds;
static __attribute__((noinline)) int leave(struct xdp_md *ctx, int where) {
    int kept = one + where;
    bpf_tail_call(ctx, &jumps, where);
    return kept;
}
SEC("xdp") int prog(struct xdp_md *ctx) {
    int a = one + 10, b = a * 3, c = b ^ 77;
    int stays = leave(ctx, 0), goes = leave(ctx, 1);
    return a + 2 * b + 3 * c + 1000 * stays + 10000 * goes + 100000 * leave(ctx, 1);
}
SEC("xdp") int other(struct xdp_md *ctx) {
    int a = one + 2, b = a * 5, c = b ^ 3, d = c + one;
    for (int i = 0; i < 3; i++) {
        a += bpf_get_smp_processor_id() & 0; b += a; c ^= b; d += c;
        bpf_get_smp_processor_id();
    }
    if (rounds++ == 1) bpf_tail_call(ctx, &jumps, 1);
    return (a + b + c + d) & 7;
}
"#;
    same_as_kernel("tail_calls_from_functions", source, &packets()[..2]);
}

#[test]
fn text_helpers() {
    let source = r#"
char out[64];
long number, overflow; unsigned long unsigned_number;
int codes[12];
SEC("xdp") int prog(struct xdp_md *ctx) {
    static const char fmt[] = "%d|%5u|%-4x|%04llx|%s|%c|%%";
    __u64 args[] = { -5, 42, 0xab, 0x1234, (unsigned long)"text", 'z' };
    codes[0] = bpf_snprintf(out, sizeof(out), fmt, args, sizeof(args));
    codes[1] = bpf_strncmp(out, 3, "-5|");
    codes[2] = bpf_strncmp(out, 3, "-5~");
    codes[3] = bpf_strncmp(out, 3, "-4");
    codes[4] = bpf_strtol("  -0x1f rest", 12, 0, &number);
    codes[5] = bpf_strtoul("0777", 4, 0, &unsigned_number);
    codes[6] = bpf_strtoul("-1", 2, 0, &unsigned_number);
    codes[7] = bpf_strtol("99999999999999999999", 20, 10, &overflow);
    codes[8] = bpf_strtol("zz", 2, 10, &overflow);
    codes[9] = bpf_strtol("12", 2, 7, &overflow);
    return number == -31;
}"#;
    let Some(outcomes) = same_as_kernel("text", source, &packets()[..1]) else { return };
    assert_eq!(outcomes[0].result, Ok(1));
}

#[test]
fn checksums_and_packet_bytes() {
    let source = r#"
long sums[3]; int codes[4]; char bytes[16];
SEC("xdp") int prog(struct xdp_md *ctx) {
    codes[0] = bpf_xdp_load_bytes(ctx, 6, bytes, 8);
    codes[1] = bpf_xdp_load_bytes(ctx, 4000, bytes, 8);
    codes[2] = bpf_xdp_store_bytes(ctx, 2, bytes, 4);
    codes[3] = bpf_xdp_get_buff_len(ctx);
    __be32 from[2] = { 0x01020304, 0xffff0000 }, to[4] = { 1, 2, 0x80000000, 0x7fffffff };
    sums[0] = (unsigned long)bpf_csum_diff(0, 0, to, sizeof(to), 0) % 0xffff;
    sums[1] = (unsigned long)bpf_csum_diff(from, sizeof(from), to, sizeof(to), 5) % 0xffff;
    sums[2] = bpf_csum_diff(from, 3, to, 4, 0);
    return codes[0] == 0;
}"#;
    same_as_kernel("checksum", source, &packets());
}

#[test]
fn traffic_control() {
    let source = r#"
int codes[8]; char bytes[16];
SEC("tc") int prog(struct __sk_buff *skb) {
    codes[0] = bpf_skb_load_bytes(skb, 12, bytes, 4);
    codes[1] = bpf_skb_load_bytes(skb, 100000, bytes + 4, 4);
    codes[2] = bpf_skb_load_bytes_relative(skb, 9, bytes + 8, 1, BPF_HDR_START_NET);
    __u16 mark = 0x1234;
    codes[3] = bpf_skb_store_bytes(skb, 4, &mark, 2, 0);
    codes[4] = bpf_l3_csum_replace(skb, 24, 0x0102, 0x0304, 2);
    codes[5] = skb->len;
    codes[6] = skb->protocol;
    void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
    if (data + 14 > end) return 2;
    codes[7] = ((__u8 *)data)[13];
    skb->mark = 77;
    return skb->mark;
}"#;
    same_as_kernel("tc", source, &packets());
}

#[test]
fn atomics_of_every_kind() {
    let source = r#"
long a = 5, b = 0xff, c = 3, d = 9; int e = 1; long got[8];
SEC("xdp") int prog(struct xdp_md *ctx) {
    got[0] = __sync_fetch_and_add(&a, 7);
    got[1] = __sync_fetch_and_or(&b, 0x100);
    got[2] = __sync_fetch_and_and(&b, 0x1f0);
    got[3] = __sync_fetch_and_xor(&c, 5);
    got[4] = __sync_lock_test_and_set(&d, 11);
    got[5] = __sync_val_compare_and_swap(&d, 11, 12);
    got[6] = __sync_val_compare_and_swap(&d, 99, 13);
    got[7] = __sync_fetch_and_add(&e, 2);
    return 0;
}"#;
    same_as_kernel("atomics", source, &packets()[..2]);
}

#[test]
fn ring_buffers() {
    let source = r#"
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } ring SEC(".maps");
SEC("xdp") int prog(struct xdp_md *ctx) {
    long *a = bpf_ringbuf_reserve(&ring, 16, 0);
    if (!a) return 1;
    long *b = bpf_ringbuf_reserve(&ring, 8, 0);
    if (!b) { bpf_ringbuf_discard(a, 0); return 2; }
    a[0] = 1; a[1] = 2; b[0] = 3;
    bpf_ringbuf_submit(b, 0);
    bpf_ringbuf_submit(a, 0);
    long *c = bpf_ringbuf_reserve(&ring, 8, 0);
    if (c) bpf_ringbuf_discard(c, 0);
    int last = 4;
    return bpf_ringbuf_output(&ring, &last, sizeof(last), 0);
}"#;
    let Some(outcomes) = same_as_kernel("ring", source, &packets()[..1]) else { return };
    let sizes: Vec<usize> = outcomes[0].events.iter().map(|event| event.data.len()).collect();
    assert_eq!(sizes, [16, 8, 4]);
    assert_eq!(outcomes[0].events[1].data, 3u64.to_le_bytes());
}

#[test]
fn configuration_values() {
    let source = r#"
extern int LINUX_KERNEL_VERSION __kconfig;
extern bool CONFIG_BPF __kconfig;
extern int CONFIG_HZ __kconfig;
extern const char CONFIG_NAME[8] __kconfig;
extern int CONFIG_ABSENT __kconfig __weak;
SEC("xdp") int prog(struct xdp_md *ctx) {
    return LINUX_KERNEL_VERSION + CONFIG_BPF * 1000 + CONFIG_HZ + CONFIG_NAME[1] * 10000 + CONFIG_ABSENT;
}"#;
    let source = format!("#include <stdbool.h>\n{source}");
    let Some(bytes) = compile("kconfig", &source) else { return };
    let object = Object::parse(&bytes).unwrap();
    let error = object.link(&LinkOptions::default()).unwrap_err();
    assert!(error.to_string().contains("CONFIG_"), "{error}");
    let mut options = LinkOptions::default();
    for (name, value) in
        [("LINUX_KERNEL_VERSION", "5"), ("CONFIG_BPF", "y"), ("CONFIG_HZ", "250"), ("CONFIG_NAME", "\"ab\"")]
    {
        options.kconfig.insert(name.into(), value.into());
    }
    let image = object.link(&options).unwrap();
    let result = vm(image.clone()).run(0, &Input::default()).unwrap().result;
    assert_eq!(result, Ok(5 + 1000 + 250 + 98 * 10_000));
    if let Err(error) = Kernel::load(&image) {
        assert!(error.errno == 1 && error.log.is_empty(), "{error}");
    }
    options.kconfig.insert("CONFIG_BPF".into(), "maybe".into());
    let error = object.link(&options).unwrap_err();
    assert_eq!(error.to_string(), "extern `CONFIG_BPF`: `maybe` is not `y` or `n`");
}

#[test]
fn number_iterators() {
    let source = r#"
struct numbers { __u64 opaque; } __attribute__((aligned(8)));
struct bpf_iter_num;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __weak __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __weak __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __weak __ksym;
static __always_inline int add(int start, int end) {
    struct numbers it; int *i, sum = 0;
    int made = bpf_iter_num_new((void *)&it, start, end);
    while ((i = bpf_iter_num_next((void *)&it))) sum += *i;
    bpf_iter_num_destroy((void *)&it);
    return made ? made : sum;
}
SEC("xdp") int prog(struct xdp_md *ctx) {
    return add(3, 9) + 100 * add(0, 4) - add(9, 3);
}"#;
    if common::vmlinux().is_none() {
        return;
    }
    let Some(outcomes) = same_as_kernel("iter", source, &packets()[..1]) else { return };
    assert_eq!(outcomes[0].result, Ok(33 + 600 + 22));
}

#[test]
fn values_of_tasks() {
    let source = r#"
struct { __uint(type, BPF_MAP_TYPE_TASK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, int); __type(value, long); } calls SEC(".maps");
SEC("tp_btf/event") int prog(unsigned long long *ctx) {
    struct task_struct *task = bpf_get_current_task_btf();
    long start = 5, *value = bpf_task_storage_get(&calls, task, &start, BPF_LOCAL_STORAGE_GET_F_CREATE);
    return value ? ++*value : -1;
}"#;
    let Some(bytes) = compile("storage", source) else { return };
    let mut vm = vm(link(&bytes));
    for expected in 6..9 {
        assert_eq!(vm.run(0, &Input::default()).unwrap().result, Ok(expected));
    }
}

#[test]
fn the_current_task_is_where_the_kernel_has_it() {
    let source = r#"
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
char LICENSE[] SEC("license") = "GPL";
SEC("raw_tp/event") int prog(void *ctx) {
    struct task_struct *task = (void *)bpf_get_current_task();
    return BPF_CORE_READ(task, pid) * 1000 + BPF_CORE_READ(task, real_parent, tgid);
}
SEC("ksyscall/openat") int BPF_KSYSCALL(call, int dfd, const char *name) {
    char text[16];
    long len = bpf_probe_read_user_str(text, sizeof(text), name);
    return dfd * 100 + len;
}"#;
    let Some(bytes) = clang("task", source, &[]).filter(|_| common::vmlinux().is_some()) else { return };
    let mut host = Deterministic::default();
    (host.task.pid, host.task.tgid) = (42, 17);
    let mut vm = vm_in(link(&bytes), host);
    let result = |outcome: Outcome| outcome.result;
    assert_eq!(result(vm.run(vm.program("prog").unwrap(), &Input::default()).unwrap()), Ok(42_017));
    let args = vec![Value::Int(3), Value::Str("/etc".into())];
    let program = vm.program("call").unwrap();
    assert_eq!(result(vm.run(program, &Input { args, ..Input::default() }).unwrap()), Ok(305));
}

#[test]
fn faults_are_data() {
    let run = |name: &str, body: &str| -> Option<Outcome> {
        let mut vm = vm(link(&compile(name, &format!("{XDP} {{ {body} }}"))?));
        Some(vm.run(0, &Input { data: vec![0; 60], budget: 10_000, ..Input::default() }).unwrap())
    };
    let fault = |name: &str, body: &str| Some(run(name, body)?.result.unwrap_err().to_string());
    let Some(unchecked) = fault("oob", "return *(int *)(long)(ctx->data + 60);") else { return };
    assert!(unchecked.contains("read of 4 bytes"), "{unchecked}");
    let endless = fault("loop", "for (;;) asm volatile(\"\"); return 0;").unwrap();
    assert!(endless.contains("budget"), "{endless}");
    let null =
        fault("null", "int zero = 0; asm volatile(\"\" : \"+r\"(zero)); return *(int *)(long)zero;").unwrap();
    assert!(null.contains("0x0"), "{null}");
    let missing = fault("missing", "return bpf_sys_bpf(0, (void *)ctx, 0);").unwrap();
    assert!(missing.contains("`sys_bpf` is not implemented here"), "{missing}");
}

#[test]
fn raw_tracepoints_and_probes_get_their_arguments() {
    let source = r#"
#include <bpf/bpf_tracing.h>
SEC("raw_tp/event") int raw(struct bpf_raw_tracepoint_args *ctx) { return ctx->args[0] + ctx->args[1]; }
SEC("fexit/func") long leave(unsigned long long *ctx) { return ctx[0] * 10 + ctx[1]; }
SEC("syscall") int call(int *ctx) { return ctx[0] + ctx[1]; }
"#;
    let Some(bytes) = compile("args", source) else { return };
    let mut vm = vm(link(&bytes));
    let args = vec![Value::Int(40), Value::Int(2)];
    assert_eq!(vm.run(0, &Input { args, ..Input::default() }).unwrap().result, Ok(42));
    let input = Input { args: vec![Value::Int(4)], ret: Some(7), ..Input::default() };
    assert_eq!(vm.run(1, &input).unwrap().result, Ok(47));
    let input =
        Input { data: [3u32, 4].into_iter().flat_map(u32::to_le_bytes).collect(), ..Input::default() };
    assert_eq!(vm.run(2, &input).unwrap().result, Ok(7));
}
