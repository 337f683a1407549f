//! Contexts: what the fields of a program's argument are, and who may touch them how.
//!
//! A context is not memory as C sees it: the kernel rewrites each access, so the verifier allows
//! only accesses that a field's row describes ([`access`]). The same rows describe the structures
//! that helpers return (`bpf_sock`, `bpf_tcp_sock`, ...). A test compares them with
//! `include/linux/bpf.h`.

use crate::programs::AttachType as A;
use crate::programs::ProgType::{self, *};
use crate::programs::{AttachType, ProgSet};

/// What reading a field gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Yield {
    /// A number.
    Scalar,
    /// The start of the packet (or of other data with an end of its own).
    Packet,
    /// The start of the data before the packet.
    PacketMeta,
    /// The end of the packet.
    PacketEnd,
    /// A full socket.
    Socket,
    /// A full socket or null.
    SocketOrNull,
    /// A socket of any state or null.
    SockCommonOrNull,
    /// The flow keys that a dissector fills.
    FlowKeys,
    /// A trusted pointer to this kernel structure.
    Btf(&'static str),
}

/// A row: a field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Bytes from the start of the context.
    pub offset: u32,
    /// Bytes.
    pub len: u32,
    /// Size of the accesses that it is made for: that of an element if it is an array.
    pub unit: u32,
    /// What a read of `unit` bytes gives.
    pub yields: Yield,
    /// Whether smaller reads are allowed; they give a number.
    pub narrow: bool,
    /// The smallest of them.
    pub least: u32,
    /// Whether they must begin where the field does.
    pub at_start: bool,
    /// Whether accesses of any size are allowed within the field, writes too.
    pub any_size: bool,
    /// Whether two elements may be accessed as one of 8 bytes.
    pub wide: bool,
    /// Whether 4 bytes may be read that start here, although the field is shorter.
    pub also_word: bool,
    /// Bytes after it that have no name, and may be read as zeros.
    pub padding: u32,
    /// Which programs may read it.
    pub readers: ProgSet,
    /// At which attach types; empty for any.
    pub read_at: &'static [AttachType],
    /// Which programs may write it.
    pub writers: ProgSet,
    /// At which attach types; empty for any.
    pub write_at: &'static [AttachType],
}

/// A row: a context or a structure that is accessed like one.
#[derive(Debug)]
pub struct ContextInfo {
    /// Its tag in C.
    pub name: &'static str,
    /// Bytes.
    pub size: u32,
    /// Its fields, by offset.
    pub fields: &'static [Field],
    /// Whether it is declared only inside the kernel, not in `linux/bpf.h`.
    pub kernel_only: bool,
}

/// The context with this tag.
pub fn context(name: &str) -> Option<&'static ContextInfo> {
    CONTEXTS.iter().find(|row| row.name == name)
}

/// What an access to `size` bytes at `offset` of the structure `name` gives, if it is allowed.
///
/// `program` is whose context it is; `None` for structures that helpers return, which programs
/// cannot write and attach types do not limit.
pub fn access(
    name: &str,
    program: Option<(ProgType, Option<AttachType>)>,
    offset: u32,
    size: u32,
    write: bool,
) -> Option<Yield> {
    let end = offset.checked_add(size)?;
    if size == 0 || !size.is_power_of_two() || size > 8 || !offset.is_multiple_of(size) {
        return None;
    }
    let fields = context(name)?.fields;
    let inside = |field: &&Field| {
        let word = field.also_word && offset == field.offset;
        let last = field.offset + if word { field.len.max(4) } else { field.len };
        field.offset <= offset && end <= last
    };
    let in_padding = |field: &&Field| {
        let start = field.offset + field.len;
        start <= offset && end <= start + field.padding && field.permits(program, false)
    };
    if !write && fields.iter().any(|field| in_padding(&field)) {
        return Some(Yield::Scalar);
    }
    let field = fields.iter().find(inside)?;
    if !field.permits(program, write) {
        return None;
    }
    let start = offset - field.offset;
    let exact = size == field.unit;
    let fits = exact
        || field.any_size
        || field.wide && size == 8
        || field.also_word && size == 4 && !write
        || field.narrow
            && !write
            && size < field.unit
            && size >= field.least
            && !(field.at_start && start != 0);
    // A narrow read stays within one element.
    let element = start / field.unit == (start + size - 1) / field.unit;
    if !fits || !(element || field.any_size || field.wide || field.also_word) {
        return None;
    }
    Some(if exact { field.yields } else { Yield::Scalar })
}

impl Field {
    fn permits(&self, program: Option<(ProgType, Option<AttachType>)>, write: bool) -> bool {
        let Some((ty, attach)) = program else { return !write };
        let (types, at) = if write { (self.writers, self.write_at) } else { (self.readers, self.read_at) };
        types.contains(ty) && (at.is_empty() || attach.is_some_and(|attach| at.contains(&attach)))
    }

    const fn yields(self, yields: Yield) -> Field {
        Field { yields, ..self }
    }

    const fn packet(self) -> Field {
        self.yields(Yield::Packet)
    }

    const fn packet_meta(self) -> Field {
        self.yields(Yield::PacketMeta)
    }

    const fn packet_end(self) -> Field {
        self.yields(Yield::PacketEnd)
    }

    const fn narrow(self) -> Field {
        Field { narrow: true, ..self }
    }

    /// Smaller reads, but only of the first bytes.
    const fn narrow_at_start(self) -> Field {
        Field { narrow: true, at_start: true, ..self }
    }

    const fn at_least(self, least: u32) -> Field {
        Field { least, ..self }
    }

    const fn any_size(self) -> Field {
        Field { any_size: true, ..self }
    }

    const fn wide(self) -> Field {
        Field { wide: true, ..self }
    }

    const fn also_word(self) -> Field {
        Field { also_word: true, ..self }
    }

    const fn padded(self, padding: u32) -> Field {
        Field { padding, ..self }
    }

    const fn read_by(self, readers: ProgSet) -> Field {
        Field { readers, ..self }
    }

    const fn read_at(self, read_at: &'static [AttachType]) -> Field {
        Field { read_at, ..self }
    }

    const fn write_by(self, writers: ProgSet) -> Field {
        Field { writers, ..self }
    }

    const fn write(self) -> Field {
        self.write_by(ALL)
    }

    const fn write_at(self, write_at: &'static [AttachType]) -> Field {
        Field { write_at, writers: ALL, ..self }
    }
}

const fn array(name: &'static str, offset: u32, len: u32, unit: u32) -> Field {
    Field {
        name,
        offset,
        len,
        unit,
        yields: Yield::Scalar,
        narrow: false,
        least: 1,
        at_start: false,
        any_size: false,
        wide: false,
        also_word: false,
        padding: 0,
        readers: ALL,
        read_at: &[],
        writers: ProgSet::only(&[]),
        write_at: &[],
    }
}

const fn field(name: &'static str, offset: u32, len: u32) -> Field {
    array(name, offset, len, len)
}

const fn only(types: &[ProgType]) -> ProgSet {
    ProgSet::only(types)
}

const fn row(name: &'static str, size: u32, fields: &'static [Field]) -> ContextInfo {
    ContextInfo { name, size, fields, kernel_only: false }
}

const ALL: ProgSet = ProgSet::ALL;
/// Traffic control.
const TC: ProgSet = only(&[SchedCls, SchedAct]);
/// All that see packets, except for the dissector, which sees only their data.
const PACKETS: ProgSet = ALL.without(&[FlowDissector]);
/// Programs whose `__sk_buff` shows the mark.
const NOT_SK_SKB: ProgSet = PACKETS.without(&[SkSkb]);
/// Programs that may set mark and priority.
const MARKERS: ProgSet = TC.plus(&[CgroupSkb, LwtIn, LwtOut, LwtXmit, LwtSeg6local]);
/// Programs whose `__sk_buff` shows addresses of the socket.
const SOCKET_VIEW: ProgSet = only(&[SkSkb, CgroupSkb]);
/// Where a socket is being made or closed.
const SOCK_MADE: &[AttachType] = &[A::CgroupInetSockCreate, A::CgroupInetSockRelease];
/// Where addresses are those of IPv4.
const ADDR4: &[AttachType] = &[
    A::CgroupInet4Bind,
    A::CgroupInet4Connect,
    A::CgroupInet4Getpeername,
    A::CgroupInet4Getsockname,
    A::CgroupUdp4Sendmsg,
    A::CgroupUdp4Recvmsg,
];
/// Where addresses are those of IPv6.
const ADDR6: &[AttachType] = &[
    A::CgroupInet6Bind,
    A::CgroupInet6Connect,
    A::CgroupInet6Getpeername,
    A::CgroupInet6Getsockname,
    A::CgroupUdp6Sendmsg,
    A::CgroupUdp6Recvmsg,
];

/// Every context and accessible structure.
#[rustfmt::skip]
pub static CONTEXTS: &[ContextInfo] = &[
    row("xdp_md", 24, &[
        field("data", 0, 4).packet(),
        field("data_end", 4, 4).packet_end(),
        field("data_meta", 8, 4).packet_meta(),
        field("ingress_ifindex", 12, 4),
        field("rx_queue_index", 16, 4),
        field("egress_ifindex", 20, 4).read_at(&[A::XdpDevmap]),
    ]),
    row("__sk_buff", 192, &[
        field("len", 0, 4).narrow().read_by(PACKETS),
        field("pkt_type", 4, 4).narrow().read_by(PACKETS),
        field("mark", 8, 4).narrow().read_by(NOT_SK_SKB).write_by(MARKERS),
        field("queue_mapping", 12, 4).narrow().write_by(TC).read_by(PACKETS),
        field("protocol", 16, 4).narrow().read_by(PACKETS),
        field("vlan_present", 20, 4).narrow().read_by(PACKETS),
        field("vlan_tci", 24, 4).narrow().read_by(PACKETS),
        field("vlan_proto", 28, 4).narrow().read_by(PACKETS),
        field("priority", 32, 4).narrow().write_by(MARKERS.plus(&[SkSkb])).read_by(PACKETS),
        field("ingress_ifindex", 36, 4).narrow().read_by(PACKETS),
        field("ifindex", 40, 4).narrow().read_by(PACKETS),
        field("tc_index", 44, 4).narrow().write_by(TC.plus(&[SkSkb])).read_by(PACKETS),
        array("cb", 48, 20, 4).any_size().write_by(PACKETS.without(&[SkSkb])).read_by(PACKETS),
        field("hash", 68, 4).narrow().read_by(PACKETS),
        field("tc_classid", 72, 4).narrow().read_by(TC).write_by(TC),
        field("data", 76, 4).packet().read_by(ALL.without(&[SocketFilter])),
        field("data_end", 80, 4).packet_end().read_by(ALL.without(&[SocketFilter])),
        field("napi_id", 84, 4).narrow().read_by(PACKETS),
        field("family", 88, 4).narrow().read_by(SOCKET_VIEW),
        field("remote_ip4", 92, 4).read_by(SOCKET_VIEW),
        field("local_ip4", 96, 4).read_by(SOCKET_VIEW),
        array("remote_ip6", 100, 16, 4).read_by(SOCKET_VIEW),
        array("local_ip6", 116, 16, 4).read_by(SOCKET_VIEW),
        field("remote_port", 132, 4).narrow().read_by(SOCKET_VIEW),
        field("local_port", 136, 4).narrow().read_by(SOCKET_VIEW),
        field("data_meta", 140, 4).packet_meta().read_by(TC),
        field("flow_keys", 144, 8).yields(Yield::FlowKeys).read_by(only(&[FlowDissector])),
        field("tstamp", 152, 8).read_by(TC.plus(&[CgroupSkb])).write_by(TC.plus(&[CgroupSkb])),
        field("wire_len", 160, 4).narrow().read_by(TC),
        field("gso_segs", 164, 4).narrow().read_by(PACKETS),
        field("sk", 168, 8).yields(Yield::SockCommonOrNull).read_by(PACKETS),
        field("gso_size", 176, 4).narrow().read_by(PACKETS),
        field("tstamp_type", 180, 1).read_by(TC),
        field("hwtstamp", 184, 8).read_by(TC.plus(&[CgroupSkb])),
    ]),
    row("bpf_sock", 80, &[
        field("bound_dev_if", 0, 4).read_at(SOCK_MADE).write_at(SOCK_MADE),
        field("family", 4, 4).narrow_at_start(),
        field("type", 8, 4).narrow_at_start(),
        field("protocol", 12, 4).narrow_at_start(),
        field("mark", 16, 4).read_at(SOCK_MADE).write_at(SOCK_MADE),
        field("priority", 20, 4).read_at(SOCK_MADE).write_at(SOCK_MADE),
        field("src_ip4", 24, 4).narrow().read_at(&[A::CgroupInet4PostBind]),
        array("src_ip6", 28, 16, 4).narrow().read_at(&[A::CgroupInet6PostBind]),
        field("src_port", 44, 4).narrow_at_start().read_at(&[A::CgroupInet4PostBind, A::CgroupInet6PostBind]),
        field("dst_port", 48, 2).narrow().also_word(),
        field("dst_ip4", 52, 4).narrow(),
        array("dst_ip6", 56, 16, 4).narrow(),
        field("state", 72, 4).narrow_at_start(),
        field("rx_queue_mapping", 76, 4).narrow_at_start(),
    ]),
    row("bpf_sock_addr", 72, &[
        field("user_family", 0, 4),
        field("user_ip4", 4, 4).narrow().read_at(ADDR4).write_at(ADDR4),
        array("user_ip6", 8, 16, 4).narrow().wide().read_at(ADDR6).write_at(ADDR6),
        field("user_port", 24, 4).narrow().write(),
        field("family", 28, 4),
        field("type", 32, 4),
        field("protocol", 36, 4),
        field("msg_src_ip4", 40, 4).narrow().read_at(&[A::CgroupUdp4Sendmsg]).write_at(&[A::CgroupUdp4Sendmsg]),
        array("msg_src_ip6", 44, 16, 4).narrow().wide().read_at(&[A::CgroupUdp6Sendmsg]).write_at(&[A::CgroupUdp6Sendmsg]),
        field("sk", 64, 8).yields(Yield::Socket),
    ]),
    row("bpf_sock_ops", 224, &[
        field("op", 0, 4),
        // One of the four words, `reply`, may be written.
        field("reply", 4, 4).write(),
        array("args", 4, 16, 4),
        field("family", 20, 4),
        field("remote_ip4", 24, 4),
        field("local_ip4", 28, 4),
        array("remote_ip6", 32, 16, 4),
        array("local_ip6", 48, 16, 4),
        field("remote_port", 64, 4),
        field("local_port", 68, 4),
        field("is_fullsock", 72, 4),
        field("snd_cwnd", 76, 4),
        field("srtt_us", 80, 4),
        field("bpf_sock_ops_cb_flags", 84, 4),
        field("state", 88, 4),
        field("rtt_min", 92, 4),
        field("snd_ssthresh", 96, 4),
        field("rcv_nxt", 100, 4),
        field("snd_nxt", 104, 4),
        field("snd_una", 108, 4),
        field("mss_cache", 112, 4),
        field("ecn_flags", 116, 4),
        field("rate_delivered", 120, 4),
        field("rate_interval_us", 124, 4),
        field("packets_out", 128, 4),
        field("retrans_out", 132, 4),
        field("total_retrans", 136, 4),
        field("segs_in", 140, 4),
        field("data_segs_in", 144, 4),
        field("segs_out", 148, 4),
        field("data_segs_out", 152, 4),
        field("lost_out", 156, 4),
        field("sacked_out", 160, 4),
        field("sk_txhash", 164, 4).write(),
        field("bytes_received", 168, 8),
        field("bytes_acked", 176, 8),
        field("sk", 184, 8).yields(Yield::SocketOrNull),
        field("skb_data", 192, 8).packet(),
        field("skb_data_end", 200, 8).packet_end(),
        field("skb_len", 208, 4),
        field("skb_tcp_flags", 212, 4).narrow(),
        field("skb_hwtstamp", 216, 8),
    ]),
    row("sk_msg_md", 80, &[
        field("data", 0, 8).packet(),
        field("data_end", 8, 8).packet_end(),
        field("family", 16, 4),
        field("remote_ip4", 20, 4),
        field("local_ip4", 24, 4),
        array("remote_ip6", 28, 16, 4),
        array("local_ip6", 44, 16, 4),
        field("remote_port", 60, 4),
        field("local_port", 64, 4),
        field("size", 68, 4),
        field("sk", 72, 8).yields(Yield::Socket),
    ]),
    row("sk_reuseport_md", 56, &[
        field("data", 0, 8).packet(),
        field("data_end", 8, 8).packet_end(),
        field("len", 16, 4).narrow(),
        field("eth_protocol", 20, 4).narrow().at_least(2),
        field("ip_protocol", 24, 4).narrow(),
        field("bind_inany", 28, 4).narrow(),
        field("hash", 32, 4),
        field("sk", 40, 8).yields(Yield::Socket),
        field("migrating_sk", 48, 8).yields(Yield::SockCommonOrNull),
    ]),
    row("bpf_sk_lookup", 72, &[
        field("sk", 0, 8).yields(Yield::SocketOrNull),
        field("family", 8, 4).narrow(),
        field("protocol", 12, 4).narrow(),
        field("remote_ip4", 16, 4).narrow(),
        array("remote_ip6", 20, 16, 4).narrow(),
        field("remote_port", 36, 2).narrow().also_word().padded(2),
        field("local_ip4", 40, 4).narrow(),
        array("local_ip6", 44, 16, 4).narrow(),
        field("local_port", 60, 4).narrow(),
        field("ingress_ifindex", 64, 4).narrow(),
    ]),
    row("bpf_cgroup_dev_ctx", 12, &[
        field("access_type", 0, 4).narrow(),
        field("major", 4, 4),
        field("minor", 8, 4),
    ]),
    row("bpf_sysctl", 8, &[
        field("write", 0, 4).narrow(),
        field("file_pos", 4, 4).narrow().write(),
    ]),
    row("bpf_sockopt", 40, &[
        field("sk", 0, 8).yields(Yield::Socket),
        field("optval", 8, 8).packet(),
        field("optval_end", 16, 8).packet_end(),
        field("level", 24, 4).write_at(&[A::CgroupSetsockopt]),
        field("optname", 28, 4).write_at(&[A::CgroupSetsockopt]),
        field("optlen", 32, 4).write(),
        field("retval", 36, 4).read_at(&[A::CgroupGetsockopt]).write_at(&[A::CgroupGetsockopt]),
    ]),
    row("bpf_perf_event_data", 184, &[
        array("regs", 0, 168, 8),
        field("sample_period", 168, 8).narrow(),
        field("addr", 176, 8).narrow(),
    ]),
    row("bpf_tcp_sock", 112, &[
        field("snd_cwnd", 0, 4),
        field("srtt_us", 4, 4),
        field("rtt_min", 8, 4),
        field("snd_ssthresh", 12, 4),
        field("rcv_nxt", 16, 4),
        field("snd_nxt", 20, 4),
        field("snd_una", 24, 4),
        field("mss_cache", 28, 4),
        field("ecn_flags", 32, 4),
        field("rate_delivered", 36, 4),
        field("rate_interval_us", 40, 4),
        field("packets_out", 44, 4),
        field("retrans_out", 48, 4),
        field("total_retrans", 52, 4),
        field("segs_in", 56, 4),
        field("data_segs_in", 60, 4),
        field("segs_out", 64, 4),
        field("data_segs_out", 68, 4),
        field("lost_out", 72, 4),
        field("sacked_out", 76, 4),
        field("bytes_received", 80, 8),
        field("bytes_acked", 88, 8),
        field("dsack_dups", 96, 4),
        field("delivered", 100, 4),
        field("delivered_ce", 104, 4),
        field("icsk_retransmits", 108, 4),
    ]),
    row("bpf_xdp_sock", 4, &[
        field("queue_id", 0, 4),
    ]),
    row("bpf_flow_keys", 56, &[
        field("nhoff", 0, 2).narrow().write(),
        field("thoff", 2, 2).narrow().write(),
        field("addr_proto", 4, 2).narrow().write(),
        field("is_frag", 6, 1).narrow().write(),
        field("is_first_frag", 7, 1).narrow().write(),
        field("is_encap", 8, 1).narrow().write(),
        field("ip_proto", 9, 1).narrow().write(),
        field("n_proto", 10, 2).narrow().write(),
        field("sport", 12, 2).narrow().write(),
        field("dport", 14, 2).narrow().write(),
        field("ipv4_src", 16, 4).narrow().write(),
        field("ipv4_dst", 20, 4).narrow().write(),
        array("ipv6_src", 16, 16, 4).narrow().write(),
        array("ipv6_dst", 32, 16, 4).narrow().write(),
        field("flags", 48, 4).narrow().write(),
        field("flow_label", 52, 4).narrow().write(),
    ]),
    ContextInfo {
        name: "bpf_nf_ctx",
        size: 16,
        fields: &[
            field("state", 0, 8).yields(Yield::Btf("nf_hook_state")),
            field("skb", 8, 8).yields(Yield::Btf("sk_buff")),
        ],
        kernel_only: true,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::{Context, PROGRAMS};

    #[test]
    fn every_program_type_finds_its_context() {
        for program in PROGRAMS {
            if let Context::Fields(name) = program.context {
                assert!(context(name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn packets_are_seen_through_three_fields() {
        let xdp = |offset, size| access("xdp_md", Some((Xdp, Some(A::Xdp))), offset, size, false);
        assert_eq!(xdp(0, 4), Some(Yield::Packet));
        assert_eq!(xdp(4, 4), Some(Yield::PacketEnd));
        assert_eq!(xdp(8, 4), Some(Yield::PacketMeta));
        assert_eq!(xdp(12, 4), Some(Yield::Scalar));
        assert_eq!(xdp(0, 8), None);
        assert_eq!(xdp(12, 2), None);
        assert_eq!(xdp(20, 4), None, "only programs of device maps know where packets leave");
        assert_eq!(xdp(24, 4), None);
        assert_eq!(access("xdp_md", Some((Xdp, None)), 12, 4, true), None);
    }

    #[test]
    fn fields_differ_by_program() {
        let tc = Some((SchedCls, None));
        let filter = Some((SocketFilter, None));
        assert_eq!(access("__sk_buff", tc, 76, 4, false), Some(Yield::Packet));
        assert_eq!(access("__sk_buff", filter, 76, 4, false), None);
        assert_eq!(access("__sk_buff", tc, 8, 4, true), Some(Yield::Scalar));
        assert_eq!(access("__sk_buff", filter, 8, 4, true), None);
        assert_eq!(access("__sk_buff", filter, 9, 1, false), Some(Yield::Scalar));
        assert_eq!(access("__sk_buff", filter, 50, 2, true), Some(Yield::Scalar));
        assert_eq!(access("__sk_buff", filter, 64, 8, true), None);
        let bind4 = Some((CgroupSockAddr, Some(A::CgroupInet4Bind)));
        let bind6 = Some((CgroupSockAddr, Some(A::CgroupInet6Bind)));
        assert_eq!(access("bpf_sock_addr", bind4, 4, 4, true), Some(Yield::Scalar));
        assert_eq!(access("bpf_sock_addr", bind6, 4, 4, true), None);
        assert_eq!(access("bpf_sock_addr", bind6, 8, 8, true), Some(Yield::Scalar));
    }

    #[test]
    fn sockets_from_helpers_are_read_only() {
        assert_eq!(access("bpf_sock", None, 16, 4, false), Some(Yield::Scalar));
        assert_eq!(access("bpf_sock", None, 16, 4, true), None);
        assert_eq!(access("bpf_sock", None, 48, 4, false), Some(Yield::Scalar));
        assert_eq!(access("bpf_sock", None, 50, 2, false), None);
    }
}
