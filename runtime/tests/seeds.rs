//! The seed programs, compiled by clang, do what their introductions say.

mod common;

use common::{ipv4, link, seed, vm, vmlinux};
use skep_runtime::vm::{Input, MapPreset, Value};

const XDP_DROP: u64 = 1;
const XDP_PASS: u64 = 2;

#[test]
fn drop_icmp_drops_counts_and_prints() {
    let Some(bytes) = seed("drop_icmp.bpf.c") else { return };
    let mut vm = vm(link(&bytes));
    let mut run = |data: Vec<u8>| vm.run(0, &Input { data, ..Input::default() }).unwrap();
    assert_eq!(run(ipv4(6, &[0; 20])).result, Ok(XDP_PASS), "TCP");
    assert_eq!(run(vec![0; 60]).result, Ok(XDP_PASS), "not IP");
    assert_eq!(run(vec![0; 10]).result, Ok(XDP_DROP), "too short");
    let outcome = run(ipv4(1, &[8, 0, 0, 0]));
    assert_eq!(outcome.result, Ok(XDP_DROP), "ICMP");
    assert_eq!(outcome.trace, ["Dropping ICMP packet !"]);
    let outcome = run(ipv4(1, &[8, 0, 0, 0]));
    let count = &outcome.map("drop_count").unwrap().entries;
    assert_eq!(count, &[(vec![0; 4], vec![2, 0, 0, 0])]);
}

#[test]
fn execve_count_starts_where_user_space_says() {
    let Some(bytes) = seed("execve_count.bpf.c") else { return };
    let mut vm = vm(link(&bytes));
    let preset = MapPreset { map: "counter".into(), key: vec![0; 4], value: 100u64.to_le_bytes().to_vec() };
    let outcome = vm.run(0, &Input { maps: vec![preset], ..Input::default() }).unwrap();
    assert_eq!(outcome.result, Ok(0));
    assert_eq!(outcome.trace, ["execve called 101 times"]);
    let outcome = vm.run(0, &Input::default()).unwrap();
    assert_eq!(outcome.trace, ["execve called 102 times"]);
}

#[test]
fn execve_perf_sends_a_record() {
    let Some(bytes) = seed("execve_perf.bpf.c") else { return };
    let mut host = skep_runtime::host::Deterministic::default();
    host.task.tgid = 4242;
    host.task.comm = *b"bash\0\0\0\0\0\0\0\0\0\0\0\0";
    let mut vm = common::vm_in(link(&bytes), host);
    let outcome = vm.run(0, &Input::default()).unwrap();
    assert_eq!(outcome.result, Ok(0));
    let mut expected = 1u64.to_le_bytes().to_vec();
    expected.extend(4242u32.to_le_bytes());
    expected.extend(b"bash\0\0\0\0\0\0\0\0\0\0\0\0");
    expected.extend([0; 4]);
    assert_eq!(outcome.events.len(), 1);
    assert_eq!(outcome.events[0].map, "events");
    assert_eq!(outcome.events[0].data, expected);
}

#[test]
fn hash_values_inserts_updates_deletes() {
    let Some(bytes) = seed("hash_values.bpf.c") else { return };
    let mut vm = vm(link(&bytes));
    let (exec, exit) = (vm.program("on_exec").unwrap(), vm.program("on_exit").unwrap());
    let mut run = |program| vm.run(program, &Input::default()).unwrap();
    let fresh = run(exec);
    let value = |outcome: &skep_runtime::Outcome| {
        outcome.map("values").unwrap().entries.first().map(|(_, value)| value.clone())
    };
    let word = |value: &[u8], at: usize| u64::from_le_bytes(value[at..at + 8].try_into().unwrap());
    let first = value(&fresh).unwrap();
    assert_eq!(word(&first, 0), word(&first, 8));
    assert_eq!(first[16..20], [1, 0, 0, 0]);
    let second = value(&run(exec)).unwrap();
    assert_eq!(word(&second, 0), word(&first, 0));
    assert!(word(&second, 8) > word(&first, 8));
    assert_eq!(second[16..20], [2, 0, 0, 0]);
    assert_eq!(value(&run(exit)), None);
}

#[test]
fn trace_openat_prints_the_file() {
    let Some(bytes) = seed("trace_openat.bpf.c") else { return };
    let mut vm = vm(link(&bytes));
    let args = vec![Value::Int(3), Value::Str("/etc/passwd".into()), Value::Int(0)];
    let outcome = vm.run(0, &Input { args, ..Input::default() }).unwrap();
    assert_eq!(outcome.trace, ["Process 1 tried to open file /etc/passwd"]);
}

#[test]
fn tp_openat_reads_a_user_string() {
    let Some(bytes) = seed("tp_openat_args.bpf.c") else { return };
    let mut vm = vm(link(&bytes));
    let args = vec![Value::Int(3), Value::Str("/etc/hosts".into())];
    let outcome = vm.run(0, &Input { args, ..Input::default() }).unwrap();
    assert_eq!(outcome.trace, ["skep /etc/hosts"]);
    let outcome = vm.run(0, &Input::default()).unwrap();
    assert_eq!((outcome.result, outcome.trace.len()), (Ok(0), 0), "no string at address 0");
}

#[test]
fn sched_tracer_prints_two_names() {
    let Some(bytes) = seed("sched_tracer.bpf.c") else { return };
    let mut vm = vm(link(&bytes));
    let fields = vec![
        ("prev_comm".to_owned(), Value::Str("bash".into())),
        ("next_comm".to_owned(), Value::Str("kworker".into())),
        ("prev_pid".to_owned(), Value::Int(7)),
    ];
    let input = Input { fields, ..Input::default() };
    let outcome = vm.run(0, &input).unwrap();
    assert_eq!(outcome.trace, ["Old task was bash, new task is kworker"]);
    let outcome = vm.run(0, &input).unwrap();
    assert_eq!(outcome.map("counter_map").unwrap().entries[0].1, 2u64.to_le_bytes());
}

#[test]
fn kprobe_blk_reads_a_member_wherever_the_kernel_has_it() {
    let Some(bytes) = seed("kprobe_blk.bpf.c").filter(|_| vmlinux().is_some()) else { return };
    let fields = vec![("start_time_ns".to_owned(), Value::Int(123_456))];
    let rq = Value::Struct { ty: "request".into(), fields };
    let mut vm = vm(link(&bytes));
    let outcome = vm.run(0, &Input { args: vec![rq], ..Input::default() }).unwrap();
    assert_eq!(outcome.trace, ["request allocated at 123456 ns, now 1000000000 ns"]);
}

#[test]
fn all_seeds_link_against_their_own_types() {
    for name in ["kprobe_blk.bpf.c", "trace_openat.bpf.c", "drop_icmp_unchecked.bpf.c"] {
        let Some(bytes) = seed(name) else { return };
        skep_runtime::Object::parse(&bytes).unwrap().link(&Default::default()).unwrap();
    }
}
