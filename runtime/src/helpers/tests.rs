//! The tables of code against the platform's tables.

use alloc::collections::BTreeSet;

use super::*;

#[test]
fn every_helper_with_code_exists_once() {
    let mut seen = BTreeSet::new();
    for &(name, _) in implemented() {
        assert!(Helper::from_name(name).is_some(), "no helper is called `{name}`");
        assert!(seen.insert(name), "`{name}` has code twice");
    }
}

#[test]
fn what_most_programs_call_has_code() {
    // The twenty helpers that most of the public programs use.
    let most_used = [
        "map_lookup_elem",
        "get_current_pid_tgid",
        "probe_read_kernel",
        "get_smp_processor_id",
        "get_current_task",
        "get_current_task_btf",
        "ktime_get_boot_ns",
        "map_update_elem",
        "ktime_get_ns",
        "map_delete_elem",
        "ringbuf_reserve",
        "ringbuf_submit",
        "trace_printk",
        "ringbuf_output",
        "perf_event_output",
        "probe_read_user",
        "probe_read",
        "probe_read_str",
        "probe_read_kernel_str",
        "tail_call",
    ];
    let names = implemented_names();
    for name in most_used {
        assert!(names.contains(&name), "`{name}` has no code");
    }
}

#[test]
fn a_helper_without_code_is_named() {
    let table = HelperTable::new(&Default::default());
    let missing = Helper::from_name("sys_bpf").unwrap();
    let fault = table.get(missing.id as i32).err();
    assert_eq!(fault, Some(FaultKind::HelperNotImplemented("sys_bpf".into())));
    assert_eq!(table.get(100_000).err(), Some(FaultKind::UnknownHelper(100_000)));
    assert_eq!(table.get(-1).err(), Some(FaultKind::UnknownHelper(-1)));
}
