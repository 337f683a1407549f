//! Helpers whose work is seen outside of the program: text for readers, requests to the kernel, names from
//! mocked memory. All engines agree.

mod common;

use common::beside::{all_engines, compile};
use skep_runtime::vm::{Input, Outcome, Value};

const HEAD: &str = r#"
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
"#;

fn run(name: &str, source: &str, args: Vec<Value>) -> Option<Outcome> {
    common::vmlinux()?;
    let image = compile(name, &format!("{HEAD}{source}"))?;
    Some(all_engines(image, &Input { args, ..Input::default() }))
}

fn structure(ty: &str, fields: &[(&str, Value)]) -> Value {
    let fields = fields.iter().map(|(path, value)| ((*path).into(), value.clone())).collect();
    Value::Struct { ty: ty.into(), fields }
}

#[test]
fn what_iterators_print() {
    let source = r#"
SEC("iter/task") int prog(struct bpf_iter__task *ctx)
{
    struct seq_file *seq = ctx->meta->seq;
    struct task_struct *task = ctx->task;
    char fmt[] = "%d %s|", bad[] = "%q";
    __u64 args[2];
    if (!task)
        return 0;
    args[0] = task->pid;
    args[1] = (__u64)task->comm;
    if (bpf_seq_printf(seq, fmt, sizeof(fmt), args, sizeof(args)))
        return 1;
    if (bpf_seq_printf(seq, bad, sizeof(bad), args, 8) != -22)
        return 1;
    return bpf_seq_write(seq, "done\n", 5) ? 1 : 0;
}"#;
    let meta = structure("bpf_iter_meta", &[("seq", structure("seq_file", &[]))]);
    let task = structure("task_struct", &[("pid", Value::Int(42)), ("comm", Value::Str("bash".into()))]);
    let Some(outcome) = run("iter", source, vec![meta, task]) else { return };
    assert_eq!(outcome.result, Ok(0));
    assert_eq!(outcome.printed, "42 bash|done\n");
}

#[test]
fn requests_are_written_down() {
    let source = r#"
SEC("kprobe") int prog(struct pt_regs *ctx)
{
    if (bpf_send_signal(100) != -22 || bpf_send_signal(10) || bpf_send_signal_thread(9))
        return 1;
    return bpf_override_return(ctx, -12) ? 2 : 0;
}"#;
    let Some(outcome) = run("requests", source, vec![]) else { return };
    assert_eq!(outcome.result, Ok(0));
    assert_eq!(outcome.requests, ["send_signal(10)", "send_signal_thread(9)", "override_return(-12)"]);
    let result = outcome.data.get(80..88).map(<[u8]>::to_vec);
    assert_eq!(result, Some((-12i64).to_le_bytes().to_vec()));
}

#[test]
fn paths_are_put_together() {
    let source = r#"
SEC("fentry/dentry_open") int prog(__u64 *ctx)
{
    struct path *path = (void *)ctx[0];
    char text[16] = {}, small[8] = {};
    if (bpf_d_path(path, small, sizeof(small)) != -36)
        return 1;
    return bpf_d_path(path, text, sizeof(text)) == 9 && text[4] == '/' && text[7] == 's' ? 0 : 2;
}"#;
    let entry = |text: &str, above: Option<Value>| {
        let mut fields = vec![("d_name.name", Value::Str(text.into()))];
        fields.extend(above.map(|above| ("d_parent", above)));
        structure("dentry", &fields)
    };
    let file = entry("hos", Some(entry("etc", Some(entry("/", None)))));
    let Some(outcome) = run("path", source, vec![structure("path", &[("dentry", file)])]) else { return };
    assert_eq!(outcome.result, Ok(0));
}
