//! Values as text by their types: the same text as the kernel's.

mod common;

use common::beside::{all_engines, in_kernel};
use common::{clang, link, vmlinux};
use skep_runtime::vm::{Input, Outcome};

const HEAD: &str = r#"
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
char LICENSE[] SEC("license") = "GPL";
struct { long len; char text[1016]; } shown[256];
char value[512] SEC(".data.value") = { 1 };
"#;
/// Bytes of an element of `shown`, and of the length in it.
const SHOWN: usize = 1024;
const LEN: usize = 8;

/// Values of the kernel's types: the type, and how it is filled.
const VALUES: &[(&str, &str)] = &[
    ("struct list_head", "v->next = (void *)0x1234;"),
    ("struct list_head", ""),
    (
        "struct sk_buff",
        "v->len = 7; v->pkt_type = 3; v->cb[0] = 'x'; v->cb[2] = 'z'; v->ip_summed = 2; v->protocol = 8;",
    ),
    ("struct qstr", "v->hash = 5; v->len = 6;"),
    ("struct in6_addr", "v->in6_u.u6_addr8[0] = 'a'; v->in6_u.u6_addr8[1] = 'b'; v->in6_u.u6_addr8[3] = 9;"),
    ("struct bpf_insn", "v->code = 0xb7; v->dst_reg = 3; v->src_reg = 10; v->off = -4; v->imm = -1;"),
    ("struct bpf_sock_tuple", "v->ipv4.saddr = 1; v->ipv6.dport = 80;"),
    ("struct bpf_fib_lookup", "v->family = 2; v->smac[1] = 200; v->dmac[5] = 'q'; v->ipv4_dst = 7;"),
    ("struct flow_keys_basic", "v->control.flags = 1; v->basic.n_proto = 8;"),
    ("struct timespec64", "v->tv_sec = -3; v->tv_nsec = 4;"),
    ("struct hlist_head", ""),
    ("struct sched_param", "v->sched_priority = -9;"),
    ("struct bpf_tunnel_key", "v->remote_ipv6[2] = 77; v->tunnel_tos = 1; v->local_ipv4 = 3;"),
    ("struct kernel_siginfo", "v->si_signo = 5; v->_sifields._kill._pid = 9;"),
    ("union bpf_attr", "v->map_type = 3; v->key_size = 4;"),
    ("atomic_t", "v->counter = 3;"),
    ("u64", "*v = 9;"),
    ("enum bpf_map_type", "*v = 2;"),
    ("enum bpf_map_type", "*v = 999;"),
    ("struct cpumask", "v->bits[0] = 5; v->bits[2] = 1;"),
    ("struct net_device_stats", "v->rx_packets = 5;"),
];

/// Every way to show them: compact, without names, with raw pointers, with zeros.
const WAYS: [u64; 8] = [0, 1, 2, 3, 4, 8, 9, 12];

#[test]
fn as_the_kernel_shows_them() {
    if vmlinux().is_none() {
        return;
    }
    let mut source = String::from(HEAD);
    let mut calls = String::new();
    for (index, (ty, fill)) in VALUES.iter().enumerate() {
        source += &format!(
            r#"
static __noinline int show{index}(void)
{{
    {ty} *v = (void *)value;
    struct btf_ptr pointer = {{ .ptr = value, .type_id = bpf_core_type_id_kernel({ty}) }};
    _Static_assert(sizeof({ty}) <= sizeof(value), "too large");
    __builtin_memset(value, 0, sizeof(value));
    {fill}
"#
        );
        for (way, flags) in WAYS.iter().enumerate() {
            let at = format!("shown[{}]", index * WAYS.len() + way);
            source += &format!(
                "{at}.len = bpf_snprintf_btf({at}.text, 1016, &pointer, sizeof(pointer), {flags});\n"
            );
        }
        source += "return 0; }\n";
        calls += &format!("show{index}();\n");
    }
    source += &format!("SEC(\"raw_tracepoint/sys_enter\") int prog(void *ctx) {{ {calls} return 0; }}\n");
    let Some(object) = clang("shown", &source, &["-mcpu=v3"]) else { return };
    let image = link(&object);
    let ours = all_engines(image.clone(), &Input::default());
    let Some(theirs) = in_kernel("shown", &image, &Input::default()) else { return };
    let (ours, theirs) = (texts(&ours), texts(&theirs));
    for (index, (ours, theirs)) in ours.iter().zip(&theirs).take(VALUES.len() * WAYS.len()).enumerate() {
        let ((ty, fill), flags) = (VALUES[index / WAYS.len()], WAYS[index % WAYS.len()]);
        assert!(ours.len() > LEN);
        assert_eq!(ours, theirs, "{ty} {fill} with flags {flags}");
    }
}

/// The length that was returned, and the text without the digits of pointers, which the kernel hashes.
fn texts(outcome: &Outcome) -> Vec<String> {
    let all = &outcome.maps.iter().find(|map| map.name.ends_with(".bss")).unwrap().entries[0].1;
    let text = |one: &[u8]| {
        let len = i64::from_le_bytes(*one.first_chunk().unwrap());
        let text = String::from_utf8_lossy(one[LEN..].split(|&byte| byte == 0).next().unwrap()).into_owned();
        let mut parts = text.split("0x0000");
        let mut kept = format!("{len:6}: {}", parts.next().unwrap());
        parts.for_each(|part| kept.push_str(part.get(12..).unwrap_or("")));
        kept
    };
    all.chunks_exact(SHOWN).map(text).collect()
}
