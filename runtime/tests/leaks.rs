//! Machines that were made, used and dropped leave nothing: neither memory nor mappings.
#![cfg(target_os = "linux")]

mod common;

use common::beside::compile;
use skep_runtime::host::Deterministic;
use skep_runtime::vm::{Engine, Input, Vm};

const SOURCE: &str = r#"
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 64); __type(key, int); __type(value, char[100]); } hash SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } ring SEC(".maps");
static int visit(__u32 i, void *data) { char value[100] = {}; bpf_map_update_elem(&hash, &i, value, 0); return 0; }
SEC("xdp") int prog(struct xdp_md *ctx)
{
    long *record;
    bpf_loop(64, visit, 0, 0);
    record = bpf_ringbuf_reserve(&ring, 8, 0);
    if (!record)
        return 0;
    *record = 1;
    bpf_ringbuf_submit(record, 0);
    bpf_printk("%d", ctx->data_end - ctx->data);
    return 2;
}"#;

/// Pages that the process has in memory, and how many mappings.
fn used() -> (usize, usize) {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = pages.split(' ').nth(1).unwrap().parse().unwrap();
    (pages, std::fs::read_to_string("/proc/self/maps").unwrap().lines().count())
}

/// There is one test, as others in the process would use memory too.
#[test]
fn machines_leave_nothing() {
    let Some(image) = compile("leaks", SOURCE) else { return };
    let proven = skep_runtime::verify::verify(image.clone(), &Default::default()).ok();
    let rounds = |count: u32| {
        for _ in 0..count {
            for mut vm in Vm::every(&image, proven.clone(), &|| Box::new(Deterministic::default())).unwrap() {
                let outcome = vm.run(0, &Input { data: vec![0; 64], ..Input::default() }).unwrap();
                assert_eq!(outcome.result, Ok(2), "{}", vm.name());
            }
        }
        used()
    };
    let (pages, mappings) = rounds(50);
    let (later_pages, later_mappings) = rounds(500);
    // A page for each machine would be 3500 of them.
    assert!(later_pages < pages + 250, "{pages} pages, then {later_pages}");
    assert!(later_mappings < mappings + 20, "{mappings} mappings, then {later_mappings}");
}
