//! Helpers for packets, messages and headers: all engines agree, and the kernel with them where it runs
//! the program.

mod common;

use common::beside::{all_engines, compile, in_kernel, same_as_kernel};
use skep_runtime::vm::{Input, Outcome, Value};

/// An Ethernet, IPv4 and TCP header with a maximum segment size, then 8 bytes.
fn tcp_packet(flags: u8) -> Vec<u8> {
    let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    packet.extend([0x45, 0, 0, 52, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend([0x30, 0x39, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, flags, 1, 0, 0, 0, 0, 0, 2, 4, 5, 0xa0]);
    packet.extend([1, 2, 3, 4, 5, 6, 7, 8]);
    packet
}

#[test]
fn tunnels() {
    let source = r#"
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, char[64]); } kept SEC(".maps");
static __always_inline int put(struct __sk_buff *skb, int at, void *from, int len) { return bpf_skb_store_bytes(skb, at, from, len, 0); }
SEC("tc") int prog(struct __sk_buff *skb)
{
    struct bpf_tunnel_key key = {}, back = {};
    __u64 answers[8] = {};
    char options[8] = "abcdefg", other[12] = {};
    answers[0] = bpf_skb_get_tunnel_key(skb, &back, sizeof(back), 0);
    answers[1] = bpf_skb_set_tunnel_opt(skb, options, sizeof(options));
    key.tunnel_id = 7; key.remote_ipv4 = 0x0a000001; key.local_ipv4 = 0x0a000002; key.tunnel_tos = 3; key.tunnel_ttl = 9;
    answers[2] = bpf_skb_set_tunnel_key(skb, &key, sizeof(key), FLAGS);
    answers[3] = bpf_skb_get_tunnel_key(skb, &back, SIZE, GET);
    answers[4] = bpf_skb_get_tunnel_opt(skb, other, sizeof(other));
    answers[5] = bpf_skb_set_tunnel_opt(skb, options, OPT);
    answers[6] = bpf_skb_get_tunnel_opt(skb, other, sizeof(other));
    answers[7] = bpf_skb_get_tunnel_opt(skb, options, 4);
    put(skb, 14, answers, sizeof(answers));
    put(skb, 80, &back, sizeof(back));
    put(skb, 130, other, sizeof(other));
    return options[0];
}"#;
    let mut data = vec![0; 200];
    data[12..14].copy_from_slice(&[8, 0]);
    // Flags of setting, size and flags of getting, bytes of options.
    let ways = [
        ("0", "sizeof(back)", "0", "8"),
        ("BPF_F_ZERO_CSUM_TX | BPF_F_DONT_FRAGMENT", "sizeof(back)", "BPF_F_TUNINFO_FLAGS", "4"),
        ("BPF_F_SEQ_NUMBER | (1 << 4)", "28", "BPF_F_TUNINFO_FLAGS", "6"),
        ("0", "8", "0", "4"),
        ("0", "9", "0", "8"),
        ("0", "sizeof(back)", "BPF_F_TUNINFO_IPV6", "8"),
        ("BPF_F_TUNINFO_IPV6", "sizeof(back)", "BPF_F_TUNINFO_IPV6", "8"),
        ("BPF_F_TUNINFO_IPV6", "8", "BPF_F_TUNINFO_IPV6", "8"),
        ("1 << 6", "sizeof(back)", "0", "8"),
        ("0", "sizeof(back)", "1 << 2", "8"),
    ];
    for (index, (set, size, get, options)) in ways.into_iter().enumerate() {
        let source =
            source.replace("FLAGS)", &format!("{set})")).replace("SIZE, GET", &format!("{size}, {get}"));
        let name = format!("tunnel{index}");
        if same_as_kernel(&name, &source.replace("OPT)", &format!("{options})")), data.clone()).is_none() {
            return;
        }
    }
}

#[test]
fn what_buffers_say() {
    let source = r#"
SEC("tc") int prog(struct __sk_buff *skb)
{
    __u32 answers[9] = {};
    answers[0] = bpf_skb_change_type(skb, 2);
    answers[1] = skb->pkt_type;
    answers[2] = bpf_skb_change_type(skb, 4);
    bpf_set_hash(skb, 77);
    answers[3] = skb->hash;
    bpf_set_hash_invalid(skb);
    answers[4] = skb->hash;
    answers[5] = bpf_skb_change_proto(skb, 0x0008, 0);
    answers[6] = bpf_skb_change_proto(skb, 0xdd86, 1);
    answers[7] = bpf_skb_change_proto(skb, 0xdd86, 0);
    answers[8] = skb->len + skb->protocol;
    bpf_skb_store_bytes(skb, 34, answers, sizeof(answers), 0);
    return bpf_skb_change_proto(skb, 0xdd86, 0);
}"#;
    same_as_kernel("buffer", source, tcp_packet(2));
    let source = r#"
SEC("tc") int prog(struct __sk_buff *skb)
{
    int sum = bpf_skb_set_tstamp(skb, 5, 3) + 2 * bpf_skb_set_tstamp(skb, 0, 1) + 4 * bpf_skb_set_tstamp(skb, 9, 1);
    __u32 first = bpf_get_hash_recalc(skb), second = skb->hash;
    return sum * 100 + skb->tstamp_type * 10 + skb->tstamp + (first == second && first);
}"#;
    same_as_kernel("times", source, tcp_packet(2));
}

const COOKIES: &str = r#"
SEC("xdp") int prog(struct xdp_md *ctx)
{
    char *data = (char *)(long)ctx->data, *end = (char *)(long)ctx->data_end;
    struct iphdr *ip = (void *)(data + 14);
    struct tcphdr *tcp = (void *)(data + 34);
    long cookie, good, bad;
    if (data + 66 > end)
        return -1;
    cookie = bpf_tcp_raw_gen_syncookie_ipv4(ip, tcp, 24);
    if (bpf_tcp_raw_gen_syncookie_ipv4(ip, tcp, 20) != -22)
        return -2;
    tcp->ack_seq = __builtin_bswap32((__u32)cookie + 1);
    tcp->seq = __builtin_bswap32(__builtin_bswap32(tcp->seq) + 1);
    good = bpf_tcp_raw_check_syncookie_ipv4(ip, tcp);
    tcp->ack_seq += 0x100;
    bad = bpf_tcp_raw_check_syncookie_ipv4(ip, tcp);
    tcp->ack_seq = 0;
    return (cookie >> 32) * 100 + good * 10 - bad;
}"#;

#[test]
fn cookies() {
    let headers = "#include <linux/ip.h>\n#include <linux/tcp.h>\n";
    let Some(outcome) = same_as_kernel("cookie", &format!("{headers}{COOKIES}"), tcp_packet(2)) else {
        return;
    };
    assert_eq!(outcome.result, Ok(1440 * 100 + 13));
    // IPv6 has other sizes.
    let source = r#"
#include <linux/ipv6.h>
#include <linux/tcp.h>
SEC("xdp") int prog(struct xdp_md *ctx)
{
    char *data = (char *)(long)ctx->data, *end = (char *)(long)ctx->data_end;
    struct ipv6hdr *ip = (void *)(data + 14);
    struct tcphdr *tcp = (void *)(data + 54);
    long cookie;
    if (data + 74 > end)
        return -1;
    tcp->doff = 5;
    cookie = bpf_tcp_raw_gen_syncookie_ipv6(ip, tcp, 20);
    tcp->ack_seq = __builtin_bswap32((__u32)cookie + 1);
    tcp->seq = __builtin_bswap32(1);
    cookie = (cookie >> 32) + bpf_tcp_raw_check_syncookie_ipv6(ip, tcp);
    tcp->ack_seq = 0;
    return cookie;
}"#;
    let Some(outcome) = same_as_kernel("cookie6", source, vec![0; 80]) else { return };
    assert_eq!(outcome.result, Ok(1220));
}

/// What `prog` makes of a context with these fields. The kernel has no test run for these.
fn run(name: &str, source: &str, data: &[u8], fields: &[(&str, Value)]) -> Option<Outcome> {
    let fields = fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    Some(all_engines(compile(name, source)?, &Input { data: data.to_vec(), fields, ..Input::default() }))
}

#[test]
fn messages() {
    let source = r#"
#define SEEN ((long)msg->data_end - (long)msg->data)
SEC("sk_msg") int prog(struct sk_msg_md *msg)
{
    char *data, *end;
    if (bpf_msg_push_data(msg, 21, 1, 0) != -22 || bpf_msg_push_data(msg, 0, 1, 1) != -22 || SEEN != 20) return 1;
    if (bpf_msg_push_data(msg, 4, 2, 0) || msg->size != 22 || SEEN != 4) return 2;
    if (bpf_msg_pull_data(msg, 3, 3, 0) != -22 || bpf_msg_pull_data(msg, 3, 23, 0) != -22) return 3;
    if (bpf_msg_pull_data(msg, 3, 7, 0) || SEEN != 4) return 4;
    data = (char *)(long)msg->data; end = (char *)(long)msg->data_end;
    if (data + 4 > end || data[0] != 3 || data[3] != 4) return 5;
    data[1] = 'a'; data[2] = 'b';
    if (bpf_msg_pop_data(msg, 20, 3, 0) != -22 || bpf_msg_pop_data(msg, 10, 4, 0) || msg->size != 18) return 6;
    if (bpf_msg_pop_data(msg, 0, 1, 0) || msg->size != 17) return 7;
    return 0;
}"#;
    let data: Vec<u8> = (0..20).collect();
    let Some(outcome) = run("message", source, &data, &[("size", Value::Int(20))]) else { return };
    assert_eq!(outcome.result, Ok(0));
    assert_eq!(outcome.data, b"\x01\x02\x03ab\x04\x05\x06\x07\x0c\x0d\x0e\x0f\x10\x11\x12\x13");
}

#[test]
fn options_of_headers() {
    let source = r#"
SEC("sockops") int prog(struct bpf_sock_ops *ctx)
{
    unsigned char mss[4] = { 2 }, none[4] = { 8 }, bad[4] = { 1 }, magic[6] = { 254, 4, 0xeb, 0x9f }, new[4] = { 254, 4, 1, 2 };
    int op = ctx->op;
    if (op == BPF_SOCK_OPS_HDR_OPT_LEN_CB)
        return bpf_reserve_hdr_opt(ctx, 1, 0) == -22 && bpf_reserve_hdr_opt(ctx, 9, 0) == -28
            && !bpf_reserve_hdr_opt(ctx, 8, 0) && bpf_load_hdr_opt(ctx, mss, 4, 0) == -1 ? 1 : 2;
    if (bpf_load_hdr_opt(ctx, mss, 4, 0) != 4 || mss[2] != 5 || mss[3] != 0xa0) return 3;
    mss[1] = 0;
    if (bpf_load_hdr_opt(ctx, mss, 3, 0) != -28 || bpf_load_hdr_opt(ctx, none, 4, 0) != -42) return 4;
    if (bpf_load_hdr_opt(ctx, bad, 4, 0) != -22 || bpf_load_hdr_opt(ctx, magic, 6, 0) != 6 || magic[5] != 8) return 5;
    if (op != BPF_SOCK_OPS_WRITE_HDR_OPT_CB)
        return bpf_store_hdr_opt(ctx, new, 4, 0) == -1 && bpf_reserve_hdr_opt(ctx, 4, 0) == -1 ? 6 : 7;
    if (bpf_store_hdr_opt(ctx, magic, 6, 0) != -17 || bpf_store_hdr_opt(ctx, new, 4, 1) != -22) return 8;
    if (bpf_store_hdr_opt(ctx, new, 4, 0) || bpf_store_hdr_opt(ctx, new, 4, 0) != -17) return 9;
    new[2] = 9;
    if (bpf_store_hdr_opt(ctx, new, 4, 0)) return 12;
    new[2] = 8;
    return bpf_store_hdr_opt(ctx, new, 4, 0) == -28 ? 10 : 11;
}"#;
    let mut header = vec![0; 20];
    header.extend([1, 2, 4, 5, 0xa0, 254, 6, 0xeb, 0x9f, 7, 8]);
    let room = ("remaining_opt_len", Value::Int(8));
    let Some(measured) = run("opt", source, &header, &[("op", Value::Int(14)), room.clone()]) else { return };
    assert_eq!(measured.result, Ok(1));
    let room = ("remaining_opt_len", Value::Int(8));
    let written = run("opt", source, &header, &[("op", Value::Int(15)), room.clone()]).unwrap();
    assert_eq!(written.result, Ok(10));
    assert_eq!(written.data.get(header.len()..), Some(&[254, 4, 1, 2, 254, 4, 9, 2][..]));
    assert_eq!(run("opt", source, &header, &[("op", Value::Int(13)), room]).unwrap().result, Ok(6));
}

#[test]
fn kernel_parameters() {
    let source = r#"
SEC("cgroup/sysctl") int prog(struct bpf_sysctl *ctx)
{
    char name[32] = {}, value[8] = {};
    long len = bpf_sysctl_get_name(ctx, name, sizeof(name), 0);
    if (len != 17 || name[16] != 'm') return 2;
    if (bpf_sysctl_get_name(ctx, name, sizeof(name), BPF_F_SYSCTL_BASE_NAME) != 8 || name[7] != 'm') return 3;
    if (bpf_sysctl_get_name(ctx, name, 5, 0) != -7 || name[4]) return 4;
    if (bpf_sysctl_get_current_value(ctx, value, sizeof(value)) != 3 || value[2] != '3') return 5;
    if (bpf_sysctl_get_current_value(ctx, value, 3) != -7 || value[2]) return 6;
    len = bpf_sysctl_get_new_value(ctx, value, sizeof(value));
    if (!ctx->write) return len == -22 ? 7 : 8;
    if (len != 1 || value[0] != '9' || bpf_sysctl_set_new_value(ctx, "600", 3)) return 9;
    return bpf_sysctl_get_new_value(ctx, value, sizeof(value)) == 3 && value[0] == '6' ? 10 : 11;
}"#;
    let texts = [("name", "net/ipv4/tcp_mem!"), ("value", "123"), ("new_value", "9")];
    let mut fields: Vec<(&str, Value)> =
        texts.iter().map(|&(name, text)| (name, Value::Str(text.replace("mem!", "memm")))).collect();
    let Some(read) = run("sysctl", source, &[], &fields) else { return };
    assert_eq!(read.result, Ok(4 + 3));
    fields.push(("write", Value::Int(1)));
    let written = run("sysctl", source, &[], &fields).unwrap();
    assert_eq!(written.result, Ok(10));
    assert_eq!(written.requests, ["sysctl_set_new_value(\"600\")"]);
}

#[test]
fn names_of_the_kernel() {
    let source = r#"
SEC("syscall") int prog(void *ctx)
{
    char name[] = "task_struct", wrong[] = "no_such_type";
    int id = bpf_btf_find_by_name_kind(name, sizeof(name), 4, 0);
    if (bpf_btf_find_by_name_kind(name, sizeof(name) - 1, 4, 0) != -22) return -1;
    if (bpf_btf_find_by_name_kind(name, sizeof(name), 4, 1) != -22) return -2;
    if (bpf_btf_find_by_name_kind(wrong, sizeof(wrong), 4, 0) != -2) return -3;
    return bpf_sys_close(1000) == -9 ? id : -4;
}"#;
    let Some(image) = compile("names", source) else { return };
    let ours = all_engines(image.clone(), &Input::default());
    assert_eq!(ours.requests, ["sys_close(1000)"]);
    let Some(theirs) = in_kernel("names", &image, &Input::default()) else { return };
    assert_eq!(ours.result.map(|value| value as u32), theirs.result.map(|value| value as u32));
}
