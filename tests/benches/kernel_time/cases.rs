//! The programs whose time in the kernel is compared, what each works on, and what its maps hold.
//!
//! Invariant: inputs are made from the table alone, and each makes its program do its work: the balancers
//! find a server, the tunnels an end, the parsers what they parse for.

use skep_tests::workloads;

/// What takes a program's time, by which goals differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Its own instructions.
    Compute,
    /// What it calls.
    Helpers,
}

/// A program in a source, and its input.
pub struct Case {
    pub class: Class,
    /// `selftests` or `workloads`.
    pub corpus: &'static str,
    /// Its file, without the extension.
    pub file: String,
    /// Its name; empty for the only one.
    pub program: &'static str,
    /// The section that it should be in, if the name of its own says no type.
    pub section: Option<&'static str>,
    /// What kind of packet it gets.
    pub input: &'static str,
    pub packet: Vec<u8>,
    /// Elements of maps.
    pub maps: Vec<Element>,
    /// A map of programs, and these in order.
    pub calls: Option<(&'static str, &'static [&'static str])>,
}

/// A map, a key and a value.
pub type Element = (&'static str, Vec<u8>, Vec<u8>);

/// Number of the virtual address that the balancers' tests use.
const VIP: u8 = 5;

/// Bytes, zero but for some.
fn bytes(len: usize, set: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = vec![0; len];
    set.iter().for_each(|&(at, byte)| bytes[at] = byte);
    bytes
}

/// An Ethernet header without addresses.
fn ethernet(protocol: u16) -> Vec<u8> {
    [vec![0; 12], protocol.to_be_bytes().to_vec()].concat()
}

/// An IPv4 header without options, for so much after it.
fn ip4(protocol: u8, after: u8) -> Vec<u8> {
    let total = 20 + after;
    vec![0x45, 0, 0, total, 0, 1, 0, 0, 64, protocol, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]
}

/// An IPv6 header, for so much after it.
fn ip6(next: u8, after: u8) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0, 0, after, next, 64];
    header.extend([[0; 15].as_slice(), &[1]].concat().repeat(2));
    header
}

/// A TCP header with so many words and these flags; the urgent pointer is what a test looks for.
fn tcp(words: u8, flags: u8) -> Vec<u8> {
    vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, words << 4, flags, 0, 0, 0, 0, 123, 0]
}

const IPIP: u8 = 4;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const IPV6: u8 = 41;
const ETH_IP: u16 = 0x0800;
const ETH_IPV6: u16 = 0x86dd;
const ETH_VLAN: u16 = 0x8100;
const SYN: u8 = 2;

/// The packet of the kernel's tests: addresses and ports are all zero, for the balancers to know them.
fn kernels4() -> Vec<u8> {
    let ip = bytes(20, &[(0, 5), (3, 123), (9, TCP)]);
    [ethernet(ETH_IP), ip, tcp(5, 0)].concat()
}

fn kernels6() -> Vec<u8> {
    let ip = bytes(40, &[(5, 123), (6, TCP)]);
    [ethernet(ETH_IPV6), ip, tcp(5, 0)].concat()
}

fn tcp4() -> Vec<u8> {
    [ethernet(ETH_IP), ip4(TCP, 20), tcp(5, SYN)].concat()
}

fn tcp6() -> Vec<u8> {
    [ethernet(ETH_IPV6), ip6(TCP, 20), tcp(5, SYN)].concat()
}

/// With the tag that a test looks for.
fn vlan() -> Vec<u8> {
    let tag = [4011u16.to_be_bytes(), ETH_IP.to_be_bytes()].concat();
    [ethernet(ETH_VLAN), tag, ip4(TCP, 20), tcp(5, SYN), vec![0; 10]].concat()
}

/// With 16 bytes of TCP options, of which a late one is the one that is looked for.
fn options() -> Vec<u8> {
    let options = vec![2, 4, 5, 0xb4, 1, 1, 0xfd, 6, 0xbb, 0xbb, 0xbb, 0xbb, 0, 0, 0, 0];
    [ethernet(ETH_IPV6), ip6(TCP, 36), tcp(9, 0), options].concat()
}

fn ping() -> Vec<u8> {
    let echo = bytes(64, &[(0, 8), (7, 1)]);
    let mut ip = ip4(ICMP, 64);
    (ip[15], ip[19]) = (2, 3);
    [ethernet(ETH_IP), ip, echo].concat()
}

/// A segment in the encapsulation that a redirector takes off: UDP with two headers for other hops.
fn redirected(inner: Vec<u8>, protocol: u8) -> Vec<u8> {
    let mut outer = ip4(UDP, 0);
    outer[16..20].fill(0);
    let generic = vec![1, protocol, 0, 0];
    [ethernet(ETH_IP), outer, vec![0; 8], generic, vec![0; 4], inner].concat()
}

/// An IPv6 packet to the port of a tunnel, and the packet in it.
fn tunnelled6() -> Vec<u8> {
    let inner = [ip6(TCP, 20), tcp(5, 0)].concat();
    let udp = bytes(8, &[(2, 0x17), (3, 0xc0)]);
    [ethernet(ETH_IPV6), ip6(UDP, 72), udp, vec![0; 4], inner].concat()
}

/// Extension headers before the segment.
fn extended6() -> Vec<u8> {
    let headers = [bytes(8, &[(0, 60)]), bytes(8, &[(0, 44)]), bytes(8, &[(0, TCP)])].concat();
    [ethernet(ETH_IPV6), ip6(0, 44), headers, tcp(5, 0)].concat()
}

fn ipip() -> Vec<u8> {
    [ethernet(ETH_IP), ip4(IPIP, 40), ip4(TCP, 20), tcp(5, 0)].concat()
}

/// What the flow dissector's first program goes on to, in the order of its map.
const DISSECTORS: [&str; 6] = [
    "flow_dissector_0",
    "flow_dissector_1",
    "flow_dissector_2",
    "flow_dissector_3",
    "flow_dissector_4",
    "flow_dissector_5",
];

/// Where the balancers send everything.
fn servers() -> Vec<Element> {
    vec![
        ("vip_map", bytes(24, &[(20, TCP)]), bytes(8, &[(4, VIP)])),
        ("ch_rings", bytes(4, &[(0, 11)]), bytes(4, &[(0, 3)])),
        ("reals", bytes(4, &[(0, 3)]), bytes(20, &[(0, 0x34), (1, 0x12)])),
    ]
}

/// Ends of tunnels, for both families.
fn tunnels() -> Vec<Element> {
    let end = |family: u8| {
        let key = bytes(24, &[(18, family), (20, TCP)]);
        ("vip2tnl", key, bytes(40, &[(32, family)]))
    };
    vec![end(2), end(10)]
}

/// The workloads, and programs of the kernel tree that work on packets.
#[rustfmt::skip]
pub fn all() -> Vec<Case> {
    use Class::{Compute, Helpers};
    let of = |class, corpus, file: &str, program, input, packet| Case {
        class, corpus, file: file.into(), program, section: None, input, packet, maps: Vec::new(), calls: None,
    };
    let test = |class, file, program, input, packet| of(class, "selftests", file, program, input, packet);
    let dissect = |input, packet| Case {
        calls: Some(("jmp_table", &DISSECTORS)), ..test(Helpers, "bpf_flow", "_dissect", input, packet)
    };
    let balance = |file, program, input, packet| Case { maps: servers(), ..test(Helpers, file, program, input, packet) };
    let tunnel = |case: Case| Case { maps: tunnels(), ..case };
    let typed = |section, case: Case| Case { section: Some(section), ..case };
    let redirect = |file, input, inner: Vec<u8>, protocol|
        test(Helpers, file, "cls_redirect", input, redirected(inner, protocol));
    let segment4 = || [ip4(TCP, 20), tcp(5, SYN)].concat();
    let segment6 = || [ip6(TCP, 20), tcp(5, SYN)].concat();
    let mut cases: Vec<Case> = workloads::all().into_iter().filter(|it| it.name != "empty").map(|it| Case {
        packet: it.packet, ..of(Compute, "workloads", &it.name, "", "", Vec::new())
    }).collect();
    cases.extend([
        dissect("tcp4", tcp4()),
        dissect("tcp6", tcp6()),
        dissect("vlan", vlan()),
        dissect("ipip", ipip()),
        dissect("extended6", extended6()),
        test(Compute, "test_parse_tcp_hdr_opt", "xdp_ingress_v6", "options", options()),
        test(Helpers, "test_parse_tcp_hdr_opt_dynptr", "xdp_ingress_v6", "options", options()),
        typed("xdp", test(Compute, "test_xdp_vlan", "xdp_prognum0", "vlan", vlan())),
        typed("xdp", test(Compute, "test_xdp_vlan", "xdp_prognum1", "vlan", vlan())),
        typed("xdp", test(Helpers, "test_xdp_vlan", "xdp_prognum2", "vlan", vlan())),
        typed("xdp", test(Helpers, "test_xdp_vlan", "xdp_prognum3", "vlan", vlan())),
        test(Compute, "test_pkt_access", "test_pkt_access", "tcp4", kernels4()),
        test(Compute, "test_pkt_access", "test_pkt_access", "tcp6", kernels6()),
        test(Compute, "xdping_kern", "xdping_server", "ping", ping()),
        test(Compute, "loop4", "combinations", "tcp4", tcp4()),
        tunnel(test(Helpers, "test_xdp", "_xdp_tx_iptunnel", "tcp4", kernels4())),
        tunnel(test(Helpers, "test_xdp", "_xdp_tx_iptunnel", "tcp6", kernels6())),
        tunnel(test(Helpers, "test_xdp_loop", "_xdp_tx_iptunnel", "tcp4", kernels4())),
        tunnel(test(Helpers, "test_xdp_loop", "_xdp_tx_iptunnel", "tcp6", kernels6())),
        tunnel(test(Helpers, "test_xdp_dynptr", "_xdp_tx_iptunnel", "tcp4", kernels4())),
        tunnel(test(Helpers, "test_xdp_dynptr", "_xdp_tx_iptunnel", "tcp6", kernels6())),
        balance("test_l4lb", "balancer_ingress", "tcp4", kernels4()),
        balance("test_l4lb", "balancer_ingress", "tcp6", kernels6()),
        balance("test_l4lb_noinline", "balancer_ingress", "tcp4", kernels4()),
        balance("test_l4lb_noinline", "balancer_ingress", "tcp6", kernels6()),
        balance("test_l4lb_noinline_dynptr", "balancer_ingress", "tcp4", kernels4()),
        balance("test_xdp_noinline", "balancer_ingress_v4", "tcp4", kernels4()),
        balance("test_xdp_noinline", "balancer_ingress_v6", "tcp6", kernels6()),
        redirect("test_cls_redirect", "tcp4", segment4(), IPIP),
        redirect("test_cls_redirect", "tcp6", segment6(), IPV6),
        redirect("test_cls_redirect_subprogs", "tcp4", segment4(), IPIP),
        redirect("test_cls_redirect_dynptr", "tcp4", segment4(), IPIP),
        test(Helpers, "test_tcp_check_syncookie_kern", "check_syncookie_xdp", "tcp4", tcp4()),
        test(Helpers, "test_tcp_check_syncookie_kern", "check_syncookie_xdp", "tcp6", tcp6()),
        test(Helpers, "xdpwall", "edgewall", "tcp6", tcp6()),
        test(Helpers, "xdpwall", "edgewall", "tunnelled6", tunnelled6()),
        test(Helpers, "xdp_redirect_map", "xdp_redirect_map_0", "tcp4", tcp4()),
        test(Helpers, "test_xdp_adjust_tail_grow", "_xdp_adjust_tail_grow", "tcp4", tcp4()),
        test(Helpers, "test_xdp_adjust_tail_shrink", "_xdp_adjust_tail_shrink", "tcp4", tcp4()),
        test(Helpers, "test_skb_helpers", "test_skb_helpers", "tcp4", tcp4()),
        typed("tc", test(Helpers, "test_tc_tunnel", "__encap_ipip_none", "tcp4", to_tunnel())),
        typed("tc", test(Helpers, "test_tc_tunnel", "__encap_vxlan_eth", "tcp4", to_tunnel())),
        typed("tc", test(Helpers, "test_tc_tunnel", "__encap_ip6udp_mpls", "tcp6", to_tunnel6())),
    ]);
    cases
}

/// A packet to the port whose packets are encapsulated.
fn to_tunnel() -> Vec<u8> {
    let mut packet = tcp4();
    packet[36..38].copy_from_slice(&8000u16.to_be_bytes());
    packet
}

fn to_tunnel6() -> Vec<u8> {
    let mut packet = tcp6();
    packet[56..58].copy_from_slice(&8000u16.to_be_bytes());
    packet
}
