//! Program types and attach types: what a program is given, and what it may return.
//!
//! [`sections`] names them in C: `SEC("xdp")`.

mod attach;
pub mod sections;

pub use attach::AttachType;

use crate::features::Kernel;

/// What the first argument of a program points to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Context {
    /// A structure whose fields are described in [`crate::contexts`].
    Fields(&'static str),
    /// Saved registers, `struct pt_regs`: readable as they are.
    Registers,
    /// The record of a static tracepoint, whose fields depend on the event; readable.
    Record,
    /// An array of `u64` without types.
    RawArguments,
    /// An array of `u64` whose types the attached function or hook gives.
    TypedArguments,
    /// Whatever the caller passes.
    Opaque,
    /// What the program it replaces is given.
    Replaced,
}

/// A row: what is known of a program type.
#[derive(Debug)]
pub struct ProgInfo {
    /// The type.
    pub ty: ProgType,
    /// Its name in tools: `xdp`.
    pub name: &'static str,
    /// Its name in C: `BPF_PROG_TYPE_XDP`.
    pub c_name: &'static str,
    /// What it is given.
    pub context: Context,
    /// The first kernel that has it.
    pub since: Kernel,
}

macro_rules! program_types {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $c:literal,
       $context:expr, $major:literal . $minor:literal;)*) => {
        /// A program type; the numbers are the kernel's.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum ProgType { $($(#[$doc])* $variant = $number,)* }

        /// Every program type, by number.
        pub static PROGRAMS: &[ProgInfo] = &[$(ProgInfo {
            ty: ProgType::$variant,
            name: $name,
            c_name: concat!("BPF_PROG_TYPE_", $c),
            context: $context,
            since: Kernel($major, $minor),
        },)*];
    };
}

use Context::*;

program_types! {
    /// Filters what a socket receives.
    SocketFilter = 1, "socket_filter", "SOCKET_FILTER", Fields("__sk_buff"), 3 . 19;
    /// Runs at (almost) any kernel or user instruction.
    Kprobe = 2, "kprobe", "KPROBE", Registers, 4 . 1;
    /// Classifies packets in traffic control.
    SchedCls = 3, "sched_cls", "SCHED_CLS", Fields("__sk_buff"), 4 . 1;
    /// Acts on packets in traffic control.
    SchedAct = 4, "sched_act", "SCHED_ACT", Fields("__sk_buff"), 4 . 1;
    /// Runs at a static tracepoint.
    Tracepoint = 5, "tracepoint", "TRACEPOINT", Record, 4 . 7;
    /// Sees packets in the driver.
    Xdp = 6, "xdp", "XDP", Fields("xdp_md"), 4 . 8;
    /// Runs when a perf event overflows.
    PerfEvent = 7, "perf_event", "PERF_EVENT", Fields("bpf_perf_event_data"), 4 . 9;
    /// Filters packets of a control group.
    CgroupSkb = 8, "cgroup_skb", "CGROUP_SKB", Fields("__sk_buff"), 4 . 10;
    /// Sees sockets being made in a control group.
    CgroupSock = 9, "cgroup_sock", "CGROUP_SOCK", Fields("bpf_sock"), 4 . 10;
    /// Sees packets entering a route.
    LwtIn = 10, "lwt_in", "LWT_IN", Fields("__sk_buff"), 4 . 10;
    /// Sees packets leaving by a route.
    LwtOut = 11, "lwt_out", "LWT_OUT", Fields("__sk_buff"), 4 . 10;
    /// Sees packets being sent by a route.
    LwtXmit = 12, "lwt_xmit", "LWT_XMIT", Fields("__sk_buff"), 4 . 10;
    /// Follows TCP connections.
    SockOps = 13, "sock_ops", "SOCK_OPS", Fields("bpf_sock_ops"), 4 . 13;
    /// Parses or redirects data of sockets in a map.
    SkSkb = 14, "sk_skb", "SK_SKB", Fields("__sk_buff"), 4 . 14;
    /// Permits access to devices.
    CgroupDevice = 15, "cgroup_device", "CGROUP_DEVICE", Fields("bpf_cgroup_dev_ctx"), 4 . 15;
    /// Redirects messages sent by sockets in a map.
    SkMsg = 16, "sk_msg", "SK_MSG", Fields("sk_msg_md"), 4 . 17;
    /// Runs at a static tracepoint and sees its raw arguments.
    RawTracepoint = 17, "raw_tracepoint", "RAW_TRACEPOINT", RawArguments, 4 . 17;
    /// Sees and changes addresses in socket calls.
    CgroupSockAddr = 18, "cgroup_sock_addr", "CGROUP_SOCK_ADDR", Fields("bpf_sock_addr"), 4 . 17;
    /// Handles IPv6 segment routing.
    LwtSeg6local = 19, "lwt_seg6local", "LWT_SEG6LOCAL", Fields("__sk_buff"), 4 . 18;
    /// Decodes infrared signals.
    LircMode2 = 20, "lirc_mode2", "LIRC_MODE2", Opaque, 4 . 18;
    /// Chooses among sockets that share a port.
    SkReuseport = 21, "sk_reuseport", "SK_REUSEPORT", Fields("sk_reuseport_md"), 4 . 19;
    /// Dissects packets into flow keys.
    FlowDissector = 22, "flow_dissector", "FLOW_DISSECTOR", Fields("__sk_buff"), 4 . 20;
    /// Permits access to sysctl files.
    CgroupSysctl = 23, "cgroup_sysctl", "CGROUP_SYSCTL", Fields("bpf_sysctl"), 5 . 2;
    /// As `RawTracepoint`, and may write to a buffer that the tracepoint offers.
    RawTracepointWritable = 24, "raw_tracepoint_writable", "RAW_TRACEPOINT_WRITABLE",
        RawArguments, 5 . 2;
    /// Sees and changes socket options.
    CgroupSockopt = 25, "cgroup_sockopt", "CGROUP_SOCKOPT", Fields("bpf_sockopt"), 5 . 3;
    /// Runs at functions or tracepoints with typed arguments, or walks kernel objects.
    Tracing = 26, "tracing", "TRACING", TypedArguments, 5 . 5;
    /// Implements a function of a kernel interface.
    StructOps = 27, "struct_ops", "STRUCT_OPS", TypedArguments, 5 . 6;
    /// Replaces a function of another program.
    Ext = 28, "ext", "EXT", Replaced, 5 . 6;
    /// Decides at security hooks.
    Lsm = 29, "lsm", "LSM", TypedArguments, 5 . 7;
    /// Chooses the socket for a packet.
    SkLookup = 30, "sk_lookup", "SK_LOOKUP", Fields("bpf_sk_lookup"), 5 . 9;
    /// Runs when user space asks.
    Syscall = 31, "syscall", "SYSCALL", Opaque, 5 . 14;
    /// Decides at netfilter hooks.
    Netfilter = 32, "netfilter", "NETFILTER", Fields("bpf_nf_ctx"), 6 . 4;
}

impl ProgType {
    /// The type with this number.
    pub fn from_number(number: u32) -> Option<ProgType> {
        PROGRAMS.iter().map(|row| row.ty).find(|&ty| ty as u32 == number)
    }

    /// The type with this name: `xdp` or `BPF_PROG_TYPE_XDP`.
    pub fn from_name(name: &str) -> Option<ProgType> {
        PROGRAMS.iter().find(|row| row.name == name || row.c_name == name).map(|row| row.ty)
    }

    /// Its row.
    pub fn info(self) -> &'static ProgInfo {
        // Numbers start at 1 and have no holes; a test checks that.
        &PROGRAMS[self as usize - 1]
    }

    /// The values that a program may return, both ends included; `None` if any.
    ///
    /// Security hooks outside of control groups depend on the hook: 0 and negative error codes
    /// for most, which is what this answers.
    pub fn return_range(self, attach: Option<AttachType>) -> Option<(i32, i32)> {
        use AttachType as A;
        match self {
            ProgType::CgroupSockAddr => Some(match attach {
                Some(
                    A::CgroupUdp4Recvmsg
                    | A::CgroupUdp6Recvmsg
                    | A::CgroupUnixRecvmsg
                    | A::CgroupInet4Getpeername
                    | A::CgroupInet6Getpeername
                    | A::CgroupUnixGetpeername
                    | A::CgroupInet4Getsockname
                    | A::CgroupInet6Getsockname
                    | A::CgroupUnixGetsockname,
                ) => (1, 1),
                Some(A::CgroupInet4Bind | A::CgroupInet6Bind) => (0, 3),
                _ => (0, 1),
            }),
            ProgType::CgroupSkb if attach == Some(A::CgroupInetEgress) => Some((0, 3)),
            ProgType::CgroupSkb
            | ProgType::CgroupSock
            | ProgType::SockOps
            | ProgType::CgroupDevice
            | ProgType::CgroupSysctl
            | ProgType::CgroupSockopt
            | ProgType::SkLookup
            | ProgType::Netfilter => Some((0, 1)),
            ProgType::Tracing => match attach {
                Some(A::TraceFentry | A::TraceFexit) => Some((0, 0)),
                Some(A::TraceIter) => Some((0, 1)),
                _ => None,
            },
            ProgType::Kprobe if attach == Some(A::TraceKprobeSession) => Some((0, 1)),
            ProgType::Lsm if attach == Some(A::LsmCgroup) => Some((0, 1)),
            ProgType::Lsm => Some((-4095, 0)),
            ProgType::SocketFilter
            | ProgType::Kprobe
            | ProgType::SchedCls
            | ProgType::SchedAct
            | ProgType::Tracepoint
            | ProgType::Xdp
            | ProgType::PerfEvent
            | ProgType::LwtIn
            | ProgType::LwtOut
            | ProgType::LwtXmit
            | ProgType::SkSkb
            | ProgType::SkMsg
            | ProgType::RawTracepoint
            | ProgType::LwtSeg6local
            | ProgType::LircMode2
            | ProgType::SkReuseport
            | ProgType::FlowDissector
            | ProgType::RawTracepointWritable
            | ProgType::StructOps
            | ProgType::Ext
            | ProgType::Syscall => None,
        }
    }
}

/// A set of program types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProgSet(u64);

impl ProgSet {
    /// All program types.
    pub const ALL: ProgSet = ProgSet(u64::MAX);

    /// Just these.
    pub const fn only(types: &[ProgType]) -> ProgSet {
        ProgSet(0).plus(types)
    }

    /// Those of both sets.
    pub const fn and(self, other: ProgSet) -> ProgSet {
        ProgSet(self.0 | other.0)
    }

    /// These in addition.
    pub const fn plus(self, types: &[ProgType]) -> ProgSet {
        let mut bits = self.0;
        let mut i = 0;
        while i < types.len() {
            bits |= 1 << types[i] as u32;
            i += 1;
        }
        ProgSet(bits)
    }

    /// All but these.
    pub const fn without(self, types: &[ProgType]) -> ProgSet {
        ProgSet(self.0 & !ProgSet::only(types).0)
    }

    /// Whether the type is in the set.
    pub const fn contains(self, ty: ProgType) -> bool {
        self.0 >> ty as u32 & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_holes() {
        for (row, number) in PROGRAMS.iter().zip(1..) {
            assert_eq!(row.ty as u32, number);
            assert_eq!(ProgType::from_number(number), Some(row.ty));
            assert!(core::ptr::eq(row.ty.info(), row));
        }
        assert_eq!(PROGRAMS.len(), 32);
    }

    #[test]
    fn sets() {
        let set = ProgSet::only(&[ProgType::Xdp]).plus(&[ProgType::Netfilter]);
        assert!(set.contains(ProgType::Xdp) && set.contains(ProgType::Netfilter));
        assert!(!set.contains(ProgType::Lsm));
        assert!(!ProgSet::ALL.without(&[ProgType::Lsm]).contains(ProgType::Lsm));
    }
}
