//! Which kernel structures a program may read, hand on and give back: cases that were once accepted
//! wrongly, each with its right twin, and the running kernel as judge.
#![allow(clippy::print_stderr)]
#![cfg(target_os = "linux")]

mod common;

use skep_runtime::kernel::Kernel;
use skep_runtime::verify::{Options, verify_program};

const HEAD: &str = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define SEEN __attribute__((preserve_access_index))
struct file;
struct socket;
struct cgroup;
struct task_struct { int pid; struct task_struct *last_wakee; struct task_struct *group_leader; } SEEN;
struct bpf_iter_meta;
struct bpf_iter__task_file {
    struct bpf_iter_meta *meta; struct task_struct *task; unsigned fd; struct file *file;
} SEEN;
struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
void bpf_task_release(struct task_struct *p) __ksym;
struct task_struct *bpf_task_from_pid(int pid) __ksym;
void bpf_cgroup_release(struct cgroup *cgrp) __ksym;
int seen;
"#;

/// A program's name, its license, its text, the rule that it breaks.
type Case = (&'static str, &'static str, &'static str, Option<&'static str>);

const CASES: &[Case] = &[
    (
        "a helper is given another structure",
        "GPL",
        r#"SEC("iter/task_file") int f(struct bpf_iter__task_file *ctx)
        { struct task_struct *t = ctx->task; if (t) seen = bpf_sock_from_file((void *)t) != 0; return 0; }"#,
        Some("V0304"),
    ),
    (
        "a helper is given the structure that it wants",
        "GPL",
        r#"SEC("iter/task_file") int f(struct bpf_iter__task_file *ctx)
        { struct file *p = ctx->file; if (p) seen = bpf_sock_from_file(p) != 0; return 0; }"#,
        None,
    ),
    (
        "an argument of an iterator may be null",
        "GPL",
        r#"SEC("iter/task_file") int f(struct bpf_iter__task_file *ctx)
        { seen = ctx->task->pid; return 0; }"#,
        Some("V0108"),
    ),
    (
        "an argument of a tracepoint is trusted",
        "GPL",
        r#"SEC("tp_btf/task_newtask") int f(unsigned long long *ctx)
        { struct task_struct *t = bpf_task_acquire((void *)ctx[0]); if (t) bpf_task_release(t); return 0; }"#,
        None,
    ),
    (
        "an argument of a traced function is not trusted",
        "GPL",
        r#"SEC("fentry/wake_up_new_task") int f(unsigned long long *ctx)
        { struct task_struct *t = bpf_task_acquire((void *)ctx[0]); if (t) bpf_task_release(t); return 0; }"#,
        Some("V0304"),
    ),
    (
        "an argument of a traced function can be read",
        "GPL",
        r#"SEC("fentry/wake_up_new_task") int f(unsigned long long *ctx)
        { seen = ((struct task_struct *)ctx[0])->pid; return 0; }"#,
        None,
    ),
    (
        "what is followed from a trusted argument is not trusted",
        "GPL",
        r#"SEC("tp_btf/task_newtask") int f(unsigned long long *ctx)
        { struct task_struct *t = bpf_task_acquire(((struct task_struct *)ctx[0])->last_wakee);
          if (t) bpf_task_release(t); return 0; }"#,
        Some("V0304"),
    ),
    (
        "the member is known to stay",
        "GPL",
        r#"SEC("tp_btf/task_newtask") int f(unsigned long long *ctx)
        { struct task_struct *t = bpf_task_acquire(((struct task_struct *)ctx[0])->group_leader);
          if (t) bpf_task_release(t); return 0; }"#,
        None,
    ),
    (
        "an object is given back as another",
        "GPL",
        r#"SEC("tp_btf/task_newtask") int f(unsigned long long *ctx)
        { struct task_struct *t = bpf_task_from_pid(1); if (t) bpf_cgroup_release((void *)t); return 0; }"#,
        Some("V0304"),
    ),
    (
        "an object is given back as itself",
        "GPL",
        r#"SEC("tp_btf/task_newtask") int f(unsigned long long *ctx)
        { struct task_struct *t = bpf_task_from_pid(1); if (t) bpf_task_release(t); return 0; }"#,
        None,
    ),
    (
        "a structure is read without the license for it",
        "Proprietary",
        r#"SEC("tp_btf/task_newtask") int f(unsigned long long *ctx)
        { seen = ((struct task_struct *)ctx[0])->pid; return 0; }"#,
        Some("V0119"),
    ),
    (
        "a structure is read with the license for it",
        "Dual MIT/GPL",
        r#"SEC("tp_btf/task_newtask") int f(unsigned long long *ctx)
        { seen = ((struct task_struct *)ctx[0])->pid; return 0; }"#,
        None,
    ),
    (
        "an argument that the tracepoint may not have",
        "GPL",
        r#"SEC("tp_btf/sched_pi_setprio") int f(unsigned long long *ctx)
        { seen = ((struct task_struct *)ctx[1])->pid; return 0; }"#,
        Some("V0108"),
    ),
    (
        "the argument is compared first",
        "GPL",
        r#"SEC("tp_btf/sched_pi_setprio") int f(unsigned long long *ctx)
        { struct task_struct *t = (void *)ctx[1]; if (t) seen = t->pid; return 0; }"#,
        None,
    ),
    (
        "a structure is written without the license for it",
        "Proprietary",
        r#"SEC("tp_btf/task_newtask") int f(unsigned long long *ctx)
        { ((struct task_struct *)ctx[0])->pid = 1; return 0; }"#,
        Some("V0119"),
    ),
    (
        "a structure is written",
        "GPL",
        r#"SEC("tp_btf/task_newtask") int f(unsigned long long *ctx)
        { ((struct task_struct *)ctx[0])->pid = 1; return 0; }"#,
        Some("V0107"),
    ),
];

#[test]
fn kernel_structures() {
    let mut judged = 0;
    for (index, &(name, license, text, rule)) in CASES.iter().enumerate() {
        let license = format!("char LICENSE[] SEC(\"license\") = \"{license}\";");
        let source = format!("{HEAD}\n{license}\n{text}");
        let Some(bytes) = common::clang(&format!("trust-{index}"), &source, &["-mcpu=v3"]) else { return };
        let Some(btf) = common::vmlinux() else { return };
        let image = common::link(&bytes);
        let options = Options { btf: Some(btf), ..Options::default() };
        let report = verify_program(&image, 0, &options).0.err();
        let found = report.as_ref().map(|report| report.cause.rule().code);
        assert_eq!(found, rule, "{name}: {:?}", report.map(|report| report.cause.message()));
        match Kernel::load(&image) {
            Ok(_) => assert_eq!(rule, None, "{name}: the kernel accepts it"),
            // A sandboxed kernel refuses such programs before it looks at them.
            Err(error) if error.log.is_empty() => continue,
            Err(error) => assert!(rule.is_some(), "{name}: the kernel rejects it: {error}"),
        }
        judged += 1;
    }
    eprintln!("the kernel agreed on {judged} of {} cases", CASES.len());
}
