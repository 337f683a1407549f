//! What a user must be allowed to do for a kernel to take a program: the capabilities, and what needs
//! which.
//!
//! Without any, and where `kernel.unprivileged_bpf_disabled` is 0, a user may still load filters of
//! sockets and of the packets of control groups, with few helpers, on the maps that everybody may make.

use crate::helpers::Helper;
use crate::maps::MapType;
use crate::programs::ProgType;

/// A capability.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Capability {
    /// Programs of more than two types, functions, loops.
    Bpf,
    /// Addresses as numbers, kernel structures, no care for what processors guess.
    Perfmon,
    /// Programs and maps that redirect packets.
    NetAdmin,
}

impl Capability {
    /// Its name: `CAP_BPF`.
    pub const fn name(self) -> &'static str {
        match self {
            Capability::Bpf => "CAP_BPF",
            Capability::Perfmon => "CAP_PERFMON",
            Capability::NetAdmin => "CAP_NET_ADMIN",
        }
    }
}

/// The capabilities of a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities(u8);

impl Capabilities {
    /// All: root's.
    pub const ALL: Capabilities = Capabilities(u8::MAX);
    /// None: an ordinary user's.
    pub const NONE: Capabilities = Capabilities(0);

    /// This one in addition.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Capabilities {
        Capabilities(self.0 | 1 << capability as u8)
    }

    /// Is this one among them?
    #[inline]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u8) != 0
    }
}

/// Helpers for users without [`Capability::Bpf`], as far as the program may call them at all.
const UNPRIVILEGED: &[&str] = &[
    "map_lookup_elem",
    "map_update_elem",
    "map_delete_elem",
    "map_push_elem",
    "map_pop_elem",
    "map_peek_elem",
    "map_lookup_percpu_elem",
    "get_prandom_u32",
    "get_smp_processor_id",
    "get_numa_node_id",
    "tail_call",
    "ktime_get_ns",
    "ktime_get_boot_ns",
    "ktime_get_coarse_ns",
    "ktime_get_tai_ns",
    "ringbuf_output",
    "ringbuf_reserve",
    "ringbuf_submit",
    "ringbuf_discard",
    "ringbuf_query",
    "strncmp",
    "strtol",
    "strtoul",
    "get_current_pid_tgid",
    "get_ns_current_pid_tgid",
    "perf_event_output",
    "skb_load_bytes",
    "skb_load_bytes_relative",
    "get_socket_cookie",
    "get_socket_uid",
    "get_local_storage",
    "sk_fullsock",
    "sk_storage_get",
    "sk_storage_delete",
    "skb_cgroup_id",
    "skb_ancestor_cgroup_id",
    "sk_cgroup_id",
    "sk_ancestor_cgroup_id",
    "sk_lookup_tcp",
    "sk_lookup_udp",
    "sk_release",
    "skc_lookup_tcp",
    "tcp_sock",
    "get_listener_sock",
    "skb_ecn_set_ce",
];

/// Helpers for which [`Capability::Perfmon`] is needed, even where the type of the program does not.
const PERFMON: &[&str] = &[
    "trace_printk",
    "trace_vprintk",
    "get_current_task",
    "get_current_task_btf",
    "task_pt_regs",
    "probe_read_user",
    "probe_read_user_str",
    "probe_read_kernel",
    "probe_read_kernel_str",
    "snprintf",
    "snprintf_btf",
    "skc_to_tcp6_sock",
    "skc_to_tcp_sock",
    "skc_to_tcp_timewait_sock",
    "skc_to_tcp_request_sock",
    "skc_to_udp6_sock",
    "skc_to_unix_sock",
    "skc_to_mptcp_sock",
];

impl Helper {
    /// The capabilities that a user needs to load a program that calls it.
    pub fn needs(&self) -> &'static [Capability] {
        match (PERFMON.contains(&self.name), UNPRIVILEGED.contains(&self.name)) {
            (true, _) => &[Capability::Bpf, Capability::Perfmon],
            (false, false) => &[Capability::Bpf],
            (false, true) => &[],
        }
    }
}

impl MapType {
    /// The capability that a user needs to make such a map.
    pub fn needs(self) -> Option<Capability> {
        match self {
            MapType::Array
            | MapType::PercpuArray
            | MapType::ProgArray
            | MapType::PerfEventArray
            | MapType::CgroupArray
            | MapType::ArrayOfMaps
            | MapType::Hash
            | MapType::PercpuHash
            | MapType::HashOfMaps
            | MapType::Ringbuf
            | MapType::UserRingbuf
            | MapType::CgroupStorage
            | MapType::PercpuCgroupStorage => None,
            MapType::Sockmap
            | MapType::Sockhash
            | MapType::Devmap
            | MapType::DevmapHash
            | MapType::Xskmap => Some(Capability::NetAdmin),
            MapType::SkStorage
            | MapType::InodeStorage
            | MapType::TaskStorage
            | MapType::CgrpStorage
            | MapType::BloomFilter
            | MapType::LpmTrie
            | MapType::ReuseportSockarray
            | MapType::StackTrace
            | MapType::Queue
            | MapType::Stack
            | MapType::LruHash
            | MapType::LruPercpuHash
            | MapType::StructOps
            | MapType::Cpumap
            | MapType::Arena => Some(Capability::Bpf),
        }
    }
}

impl ProgType {
    /// The capabilities that a user needs to load a program of this type.
    pub fn needs(self) -> &'static [Capability] {
        match self {
            ProgType::SocketFilter | ProgType::CgroupSkb => &[],
            ProgType::SchedCls
            | ProgType::SchedAct
            | ProgType::Xdp
            | ProgType::LwtIn
            | ProgType::LwtOut
            | ProgType::LwtXmit
            | ProgType::LwtSeg6local
            | ProgType::SkSkb
            | ProgType::SkMsg
            | ProgType::FlowDissector
            | ProgType::CgroupDevice
            | ProgType::CgroupSock
            | ProgType::CgroupSockAddr
            | ProgType::CgroupSockopt
            | ProgType::CgroupSysctl
            | ProgType::SockOps
            | ProgType::Netfilter => &[Capability::Bpf, Capability::NetAdmin],
            ProgType::Kprobe
            | ProgType::Tracepoint
            | ProgType::PerfEvent
            | ProgType::RawTracepoint
            | ProgType::RawTracepointWritable
            | ProgType::Tracing
            | ProgType::Lsm
            | ProgType::StructOps => &[Capability::Bpf, Capability::Perfmon],
            ProgType::Ext => &[Capability::Bpf, Capability::NetAdmin, Capability::Perfmon],
            ProgType::LircMode2 | ProgType::SkReuseport | ProgType::SkLookup | ProgType::Syscall => {
                &[Capability::Bpf]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_a_set() {
        let some = Capabilities::NONE.with(Capability::Bpf);
        assert!(some.has(Capability::Bpf) && !some.has(Capability::Perfmon));
        assert!(Capabilities::ALL.has(Capability::NetAdmin));
    }

    #[test]
    fn the_helpers_exist() {
        for name in UNPRIVILEGED.iter().chain(PERFMON) {
            assert!(Helper::from_name(name).is_some(), "{name}");
        }
        let helper = |name| Helper::from_name(name).map(Helper::needs);
        assert_eq!(helper("map_lookup_elem"), Some(&[][..]));
        assert_eq!(helper("spin_lock"), Some(&[Capability::Bpf][..]));
    }
}
