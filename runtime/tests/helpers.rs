//! Dynamic pointers, objects in lists and trees, timers, and other helpers that need more than one call:
//! all engines agree, and the kernel with them where it runs the program.

mod common;

use common::beside::{compile, same_as_kernel};
use common::{clang, link, vm_in};
use skep_runtime::host::Deterministic;
use skep_runtime::vm::{Input, MapPreset};

#[test]
fn dynamic_pointers() {
    let source = r#"
extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *ptr, __u32 start, __u32 end) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *ptr, struct bpf_dynptr *clone) __ksym;
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, char[32]); } values SEC(".maps");
SEC("xdp") int prog(struct xdp_md *ctx)
{
    struct bpf_dynptr packet, clone, memory;
    char buffer[8] = {}, *bytes;
    int key = 0, sum = 0;
    char *value = bpf_map_lookup_elem(&values, &key);

    if (!value || bpf_dynptr_from_xdp(ctx, 0, &packet))
        return -1;
    sum = bpf_dynptr_size(&packet);
    bytes = bpf_dynptr_slice(&packet, 4, buffer, sizeof(buffer));
    if (bytes)
        sum += bytes[1] * 100;
    sum += bpf_dynptr_adjust(&packet, 2, 40);
    bpf_dynptr_clone(&packet, &clone);
    sum += bpf_dynptr_size(&clone);
    sum += bpf_dynptr_write(&clone, 30, "abcdefg", 8, 0) * 3;
    sum += bpf_dynptr_write(&clone, 31, "abcdefg", 8, 0) * 5;
    bpf_dynptr_from_mem(value, 32, 0, &memory);
    sum += bpf_dynptr_write(&memory, 24, "abcdefg", 8, 0);
    sum += bpf_dynptr_read(buffer, 8, &memory, 25, 0) * 7;
    sum += bpf_dynptr_read(buffer, 8, &memory, 24, 1) * 11;
    sum += bpf_dynptr_read(buffer, 8, &memory, 24, 0);
    bytes = bpf_dynptr_data(&memory, 26, 4);
    if (bytes)
        sum += bytes[0];
    return sum + buffer[1];
}"#;
    let data: Vec<u8> = (0..64).collect();
    let Some(outcome) = same_as_kernel("dynptr", source, data) else { return };
    assert_eq!(&outcome.data[32..40], b"abcdefg\0");
}

#[test]
fn strings_into_dynptrs() {
    let source = r#"
extern int bpf_probe_read_kernel_str_dynptr(struct bpf_dynptr *p, __u32 off, __u32 size, const void *from) __ksym;
extern int bpf_copy_from_user_str_dynptr(struct bpf_dynptr *p, __u32 off, __u32 size, const void *from) __ksym;
char text[8] = "abcdef", value[16];
SEC("syscall") int prog(void *ctx)
{
    struct bpf_dynptr p;
    int sum;

    bpf_dynptr_from_mem(value, sizeof(value), 0, &p);
    sum = bpf_probe_read_kernel_str_dynptr(&p, 1, 16 - 1, text);
    sum += bpf_probe_read_kernel_str_dynptr(&p, 9, 4, text + 1) * 10;
    sum += (bpf_probe_read_kernel_str_dynptr(&p, 12, 8, text) < 0) * 100;
    sum += (bpf_copy_from_user_str_dynptr(&p, 0, 4, 0) == -14) * 1000;
    for (int i = 0; i < 16; i++)
        sum = sum * 3 + value[i];
    return sum;
}"#;
    same_as_kernel("dynptr_str", source, vec![]);
}

const OBJECTS: &str = r#"
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))
#define container_of(p, type, member) ((type *)((void *)(p) - __builtin_offsetof(type, member)))
extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, __u64 off) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, __u64 off) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node, bool (less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta, __u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
#define obj_new(type) ((type *)bpf_obj_new_impl(__builtin_btf_type_id(*(type *)0, 0), 0))
"#;

#[test]
fn lists_of_objects() {
    let source = r#"
struct item { long number; struct bpf_list_node node; };
private(A) struct bpf_spin_lock lock;
private(A) struct bpf_list_head head __contains(item, node);
static int put(long number, int front)
{
    struct item *item = obj_new(struct item);
    if (!item)
        return 1;
    item->number = number;
    bpf_spin_lock(&lock);
    if (front)
        bpf_list_push_front_impl(&head, &item->node, 0, 0);
    else
        bpf_list_push_back_impl(&head, &item->node, 0, 0);
    bpf_spin_unlock(&lock);
    return 0;
}
SEC("tc") int prog(struct __sk_buff *ctx)
{
    struct bpf_list_node *node;
    int sum = 0;
    if (put(1, 0) || put(2, 0) || put(3, 1))
        return -1;
    for (int i = 0; i < 4; i++) {
        bpf_spin_lock(&lock);
        node = bpf_list_pop_front(&head);
        bpf_spin_unlock(&lock);
        if (!node)
            return sum * 10 + i;
        struct item *item = container_of(node, struct item, node);
        sum = sum * 10 + item->number;
        bpf_obj_drop_impl(item, 0);
    }
    return -2;
}"#;
    let source = format!("{OBJECTS}{source}");
    let Some(outcome) = same_as_kernel("list", &source, vec![0; 64]) else { return };
    assert_eq!(outcome.result, Ok(3123));
}

#[test]
fn trees_of_objects() {
    let source = r#"
struct item { long number; struct bpf_rb_node node; };
private(A) struct bpf_spin_lock lock;
private(A) struct bpf_rb_root root __contains(item, node);
static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
    return container_of(a, struct item, node)->number < container_of(b, struct item, node)->number;
}
static int put(long number)
{
    struct item *item = obj_new(struct item);
    if (!item)
        return 1;
    item->number = number;
    bpf_spin_lock(&lock);
    bpf_rbtree_add_impl(&root, &item->node, less, 0, 0);
    bpf_spin_unlock(&lock);
    return 0;
}
SEC("tc") int prog(struct __sk_buff *ctx)
{
    struct bpf_rb_node *node;
    int sum = 0;
    if (put(5) || put(2) || put(9) || put(2))
        return -1;
    for (int i = 0; i < 5; i++) {
        bpf_spin_lock(&lock);
        node = bpf_rbtree_first(&root);
        if (node)
            node = bpf_rbtree_remove(&root, node);
        bpf_spin_unlock(&lock);
        if (!node)
            return sum * 10 + i;
        struct item *item = container_of(node, struct item, node);
        sum = sum * 10 + item->number;
        bpf_obj_drop_impl(item, 0);
    }
    return -2;
}"#;
    let source = format!("{OBJECTS}{source}");
    let Some(outcome) = same_as_kernel("rbtree", &source, vec![0; 64]) else { return };
    assert_eq!(outcome.result, Ok(22594));
}

/// Timers run before the next run, when their time has come; a deleted element's does not.
#[test]
fn timers_run_when_they_are_due() {
    let source = r#"
struct element { struct bpf_timer timer; int fired; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, int); __type(value, struct element); } timers SEC(".maps");
static int fire(void *map, int *key, struct element *element)
{
    element->fired += *key;
    bpf_timer_start(&element->timer, 1000000, 0);
    return 0;
}
SEC("tc") int prog(struct __sk_buff *ctx)
{
    int key = 3;
    struct element empty = {}, *element = bpf_map_lookup_elem(&timers, &key);
    if (!element) {
        bpf_map_update_elem(&timers, &key, &empty, 0);
        element = bpf_map_lookup_elem(&timers, &key);
        if (!element)
            return -1;
        if (bpf_timer_start(&element->timer, 0, 0) != -22)
            return -2;
        if (bpf_timer_init(&element->timer, &timers, 1))
            return -3;
        if (bpf_timer_init(&element->timer, &timers, 1) != -16)
            return -4;
        bpf_timer_set_callback(&element->timer, fire);
        bpf_timer_start(&element->timer, 1000000, 0);
    }
    return element->fired;
}"#;
    let Some(image) = compile("timer", source) else { return };
    // The clock moves by a third of the timers' time at each reading.
    let mut vm = vm_in(image, Deterministic { tick_ns: 400_000, ..Deterministic::default() });
    let input = Input { data: vec![0; 64], ..Input::default() };
    let results: Vec<_> = (0..8).map(|_| vm.run(0, &input).unwrap().result.unwrap()).collect();
    assert_eq!(results[0], 0);
    assert!(results.windows(2).all(|pair| pair[0] <= pair[1]), "{results:?}");
    assert!(results[7] >= 3 && results[7] <= 12, "{results:?}");
}

#[test]
fn work_of_a_task_runs_later() {
    let source = r#"
#define bpf_task_work bpf_task_work_of_the_header
#include <linux/bpf.h>
#undef bpf_task_work
#include <bpf/bpf_helpers.h>
struct bpf_task_work { __u64 opaque; } __attribute__((aligned(8)));
struct bpf_map { int id; } __attribute__((preserve_access_index));
struct task_struct { int pid; } __attribute__((preserve_access_index));
int bpf_task_work_schedule_signal_impl(struct task_struct *task, struct bpf_task_work *work, void *map,
    int (*f)(struct bpf_map *map, void *key, void *value), void *aux) __ksym;
struct element { int done; struct bpf_task_work work; };
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, struct element); } works SEC(".maps");
static int work(struct bpf_map *map, void *key, void *value) { ((struct element *)value)->done++; return 7; }
SEC("tc") int prog(struct __sk_buff *ctx)
{
    int key = 0;
    struct element *element = bpf_map_lookup_elem(&works, &key);
    struct task_struct *task = bpf_get_current_task_btf();
    if (!element)
        return -1;
    if (bpf_task_work_schedule_signal_impl(task, &element->work, &works, work, 0))
        return -2;
    if (bpf_task_work_schedule_signal_impl(task, &element->work, &works, work, 0) != -16)
        return -3;
    return element->done;
}
char LICENSE[] SEC("license") = "GPL";"#;
    let Some(bytes) = clang("work", source, &["-mcpu=v3"]) else { return };
    let mut vm = vm_in(link(&bytes), Deterministic::default());
    let input = Input { data: vec![0; 64], ..Input::default() };
    let results: Vec<_> = (0..3).map(|_| vm.run(0, &input).unwrap().result.unwrap()).collect();
    assert_eq!(results, [0, 1, 2]);
}

#[test]
fn a_lock_is_taken_once() {
    let source = r#"
struct bpf_res_spin_lock { __u32 val; };
int bpf_res_spin_lock(struct bpf_res_spin_lock *lock) __ksym;
void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock) __ksym;
int bpf_res_spin_lock_irqsave(struct bpf_res_spin_lock *lock, unsigned long *flags) __ksym;
void bpf_res_spin_unlock_irqrestore(struct bpf_res_spin_lock *lock, unsigned long *flags) __ksym;
struct element { int n; struct bpf_res_spin_lock lock; };
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, struct element); } values SEC(".maps");
SEC("tc") int prog(struct __sk_buff *ctx)
{
    unsigned long flags;
    int key = 0, failed;
    struct element *one = bpf_map_lookup_elem(&values, &key), *same = bpf_map_lookup_elem(&values, &key);
    if (!one || !same || bpf_res_spin_lock(&one->lock))
        return -1;
    failed = bpf_res_spin_lock_irqsave(&same->lock, &flags);
    if (!failed)
        bpf_res_spin_unlock_irqrestore(&same->lock, &flags);
    bpf_res_spin_unlock(&one->lock);
    if (bpf_res_spin_lock_irqsave(&same->lock, &flags))
        return -2;
    bpf_res_spin_unlock_irqrestore(&same->lock, &flags);
    return failed;
}"#;
    let Some(ran) = same_as_kernel("lock", source, vec![0; 64]) else { return };
    assert_eq!(ran.result.unwrap() as i32, -35);
}

#[test]
fn records_from_user_space() {
    let source = r#"
struct { __uint(type, BPF_MAP_TYPE_USER_RINGBUF); __uint(max_entries, 4096); } records SEC(".maps");
static long take(struct bpf_dynptr *record, void *data)
{
    int number = 0;
    bpf_dynptr_read(&number, sizeof(number), record, 0, 0);
    *(int *)data += number;
    return number == 7;
}
SEC("tc") int prog(struct __sk_buff *ctx)
{
    int sum = 0;
    long drained = bpf_user_ringbuf_drain(&records, take, &sum, 0);
    return drained * 100 + sum;
}"#;
    let Some(image) = compile("user_ringbuf", source) else { return };
    let mut vm = vm_in(image, Deterministic::default());
    let record = |number: u32| MapPreset {
        map: "records".into(),
        key: Vec::new(),
        value: number.to_le_bytes().to_vec(),
    };
    let maps = [1, 2, 7, 5].map(record).to_vec();
    let input = Input { data: vec![0; 64], maps, ..Input::default() };
    assert_eq!(vm.run(0, &input).unwrap().result, Ok(310));
    let input = Input { maps: Vec::new(), ..input };
    assert_eq!(vm.run(0, &input).unwrap().result, Ok(105));
}

#[test]
fn packets_change_their_size() {
    let source = r#"
SEC("tc") int prog(struct __sk_buff *ctx)
{
    int sum = bpf_skb_vlan_push(ctx, 0x0081, 5);
    sum += bpf_skb_adjust_room(ctx, 8, 1, 0) * 10;
    return sum * 10 + (ctx->len & 0xff);
}"#;
    let Some(image) = compile("room", source) else { return };
    let mut vm = vm_in(image, Deterministic::default());
    let mut data = common::ipv4(17, &[1, 2, 3, 4]);
    let len = data.len();
    let outcome = vm.run(0, &Input { data: data.clone(), ..Input::default() }).unwrap();
    assert!(outcome.result.is_ok());
    // The tag lies between addresses and type.
    data.splice(12..12, [0x81, 0, 0, 5]);
    assert_eq!(outcome.data[..16], data[..16], "{len}");
}
