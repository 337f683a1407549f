//! CO-RE against libbpf: what bpftool says it patches is what our linker patches.

mod common;

use std::collections::BTreeMap;
use std::process::Command;

use common::{Need, clang, have, link, tools};
use skep_runtime::object::CORE_POISON;
use skep_stdlib::isa::{CallTarget, Imm64, Insn, Operand};

const SOURCE: &str = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#define access_index __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";

struct list_head___mine { struct list_head___mine *next, *prev; } access_index;
struct task_struct___mine { int pid; int tgid; char comm[16]; struct list_head___mine tasks; struct task_struct___mine *real_parent; } access_index;
struct task_struct___gone { int never_there; } access_index;
struct nowhere { int x; } access_index;
struct sk_buff { unsigned int len; unsigned char pkt_type:3; unsigned char cloned:1; } access_index;
struct tcp_sock { unsigned int snd_cwnd; unsigned char nonagle:4; } access_index;
enum bpf_map_type___mine { BPF_MAP_TYPE_ARRAY___x = 100, BPF_MAP_TYPE_NEVER = 101 };
typedef unsigned int gfp_t;

SEC("raw_tp") int prog(void *ctx) {
    struct task_struct___mine *task = (void *)ctx;
    struct sk_buff *skb = (void *)ctx;
    struct tcp_sock *tcp = (void *)ctx;
    long sum = 0;
    sum += bpf_core_field_offset(task->tgid);
    sum += bpf_core_field_offset(task->tasks.prev);
    sum += bpf_core_field_offset(struct task_struct___mine, comm[3]);
    sum += bpf_core_field_size(task->comm);
    sum += bpf_core_field_size(skb->pkt_type);
    sum += bpf_core_field_exists(task->real_parent);
    sum += bpf_core_field_exists(struct task_struct___gone, never_there);
    sum += __builtin_preserve_field_info(skb->pkt_type, BPF_FIELD_SIGNED);
    sum += __builtin_preserve_field_info(task->pid, BPF_FIELD_SIGNED);
    sum += __builtin_preserve_field_info(skb->cloned, BPF_FIELD_LSHIFT_U64);
    sum += __builtin_preserve_field_info(skb->cloned, BPF_FIELD_RSHIFT_U64);
    sum += __builtin_preserve_field_info(skb->cloned, BPF_FIELD_BYTE_OFFSET);
    sum += __builtin_preserve_field_info(tcp->nonagle, BPF_FIELD_LSHIFT_U64);
    sum += bpf_core_type_exists(struct task_struct___mine);
    sum += bpf_core_type_exists(struct nowhere);
    sum += bpf_core_type_size(struct task_struct___mine);
    sum += bpf_core_type_size(struct nowhere);
    sum += bpf_core_type_exists(gfp_t);
    sum += bpf_core_type_matches(struct list_head___mine);
    sum += bpf_core_type_id_local(struct task_struct___mine);
    sum += bpf_core_type_id_kernel(struct task_struct___mine);
    sum += bpf_core_enum_value_exists(enum bpf_map_type___mine, BPF_MAP_TYPE_ARRAY___x);
    sum += bpf_core_enum_value_exists(enum bpf_map_type___mine, BPF_MAP_TYPE_NEVER);
    sum += bpf_core_enum_value(enum bpf_map_type___mine, BPF_MAP_TYPE_ARRAY___x);
    return sum;
}

SEC("raw_tp") int loads(void *ctx) {
    struct task_struct___mine *task = (void *)ctx;
    return task->pid + task->comm[2] + task->real_parent->tgid + ((struct task_struct___gone *)task)->never_there;
}
"#;

/// What a patched instruction holds now: its offset, its immediate, or poison.
fn patched(insn: &Insn, what: &str) -> Option<i64> {
    match insn {
        Insn::Load { off, .. } | Insn::Store { off, .. } if what == "off" => Some(i64::from(*off)),
        Insn::Mov { src: Operand::Imm(imm), .. } | Insn::Alu { src: Operand::Imm(imm), .. } => {
            Some(i64::from(*imm))
        }
        Insn::LoadImm64 { value: Imm64::Const(value), .. } => Some(*value as i64),
        _ => None,
    }
}

#[test]
fn every_kind_as_libbpf_does_it() {
    let Some(bytes) = clang("core", SOURCE, &["-Wno-int-conversion"]).filter(|_| common::vmlinux().is_some())
    else {
        return;
    };
    if !have(&[Need::Bpftool]) {
        return;
    }
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("core-vs-libbpf.o");
    std::fs::write(&path, &bytes).unwrap();
    // Loading fails at the latest when it comes to pinning; libbpf has relocated by then.
    let output = Command::new(tools::bpftool())
        .args(["-d", "prog", "loadall"])
        .arg(&path)
        .arg("/nonexistent/directory")
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let image = link(&bytes);
    let mut functions = BTreeMap::new();
    for program in &image.programs {
        functions.insert(program.name.clone(), program.code.clone());
    }
    let (mut compared, mut poisoned) = (0, 0);
    for line in log.lines().filter_map(|line| line.strip_prefix("libbpf: prog '")) {
        let Some((name, rest)) = line.split_once("': relo #") else { continue };
        let Some(at) = rest.split_once("insn #").and_then(|(_, rest)| rest.split([' ', ':']).next()) else {
            continue;
        };
        let insn = functions[name].at(at.parse().unwrap());
        if rest.contains("substituting") {
            assert_eq!(insn, Some(&Insn::Call(CallTarget::Helper(CORE_POISON))), "{line}");
            poisoned += 1;
        } else if let Some((before, value)) = rest.split_once(" -> ") {
            let what = before.rsplit(' ').nth(1).unwrap();
            let value: i64 =
                value.trim().parse::<u64>().map(|v| v as i64).or_else(|_| value.trim().parse()).unwrap();
            assert_eq!(insn.and_then(|insn| patched(insn, what)), Some(value), "{line}");
            compared += 1;
        }
    }
    if log.contains("relo #") || std::env::var("REQUIRE").unwrap_or_default().contains("kernel") {
        assert!(compared >= 25 && poisoned >= 1, "{compared} compared, {poisoned} poisoned:\n{log}");
    }
}
