//! `SEC()` names: from the name of a section to the type of its program.
//!
//! In: a section name such as `kprobe/do_unlinkat` or `?xdp`. Out: the [`Section`] row it matches
//! and what follows the slash. The names are those that libbpf knows.

use super::AttachType;
use super::AttachType as A;
use super::ProgType::{self, *};

/// A row: a pattern of section names and what it means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Section {
    /// The name; a final `+` stands for `/` and a target, or for nothing.
    pub pattern: &'static str,
    /// The type of programs in it.
    pub ty: ProgType,
    /// How they are attached, as the kernel is told when they are loaded.
    pub attach: Option<AttachType>,
    /// Whether kernels that do not know `attach` take the program without it.
    pub attach_is_optional: bool,
    /// Whether the program may sleep.
    pub sleepable: bool,
    /// Whether the target is a function or hook found in the kernel's BTF.
    pub target_in_btf: bool,
    /// Whether the program takes packets in several fragments.
    pub frags: bool,
}

/// A section name taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Match<'a> {
    /// The row.
    pub section: &'static Section,
    /// What follows the slash: the function, hook or event to attach to.
    pub target: Option<&'a str>,
    /// Whether the program is loaded only on demand (`?` before the name).
    pub optional: bool,
}

/// The row for a section name.
pub fn find(name: &str) -> Option<Match<'_>> {
    let plain = name.strip_prefix('?');
    let optional = plain.is_some();
    let name = plain.unwrap_or(name);
    let first = name.bytes().next();
    // Most rows end here: it is asked for every program that is verified.
    let rows = SECTIONS.iter().filter(|section| section.pattern.bytes().next() == first);
    rows.into_iter().find_map(|section| {
        let target = section.matches(name)?;
        Some(Match { section, target, optional })
    })
}

impl Section {
    /// The target that a name gives to this pattern, if it matches.
    fn matches<'a>(&self, name: &'a str) -> Option<Option<&'a str>> {
        let Some(prefix) = self.pattern.strip_suffix('+') else {
            return (name == self.pattern).then_some(None);
        };
        match name.strip_prefix(prefix)? {
            "" => Some(None),
            rest => rest.strip_prefix('/').map(Some),
        }
    }

    const fn sleepable(self) -> Section {
        Section { sleepable: true, ..self }
    }

    const fn by_btf(self) -> Section {
        Section { target_in_btf: true, ..self }
    }

    const fn frags(self) -> Section {
        Section { frags: true, ..self }
    }

    const fn optional_attach(self) -> Section {
        Section { attach_is_optional: true, ..self }
    }
}

const fn section(pattern: &'static str, ty: ProgType, attach: Option<AttachType>) -> Section {
    Section {
        pattern,
        ty,
        attach,
        attach_is_optional: false,
        sleepable: false,
        target_in_btf: false,
        frags: false,
    }
}

/// Every pattern; the first that matches counts.
#[rustfmt::skip]
pub static SECTIONS: &[Section] = &[
    section("socket", SocketFilter, None),
    section("sk_reuseport/migrate", SkReuseport, Some(A::SkReuseportSelectOrMigrate)),
    section("sk_reuseport", SkReuseport, Some(A::SkReuseportSelect)),
    section("kprobe+", Kprobe, None),
    section("uprobe+", Kprobe, None),
    section("uprobe.s+", Kprobe, None).sleepable(),
    section("kretprobe+", Kprobe, None),
    section("uretprobe+", Kprobe, None),
    section("uretprobe.s+", Kprobe, None).sleepable(),
    section("kprobe.multi+", Kprobe, Some(A::TraceKprobeMulti)),
    section("kretprobe.multi+", Kprobe, Some(A::TraceKprobeMulti)),
    section("kprobe.session+", Kprobe, Some(A::TraceKprobeSession)),
    section("uprobe.multi+", Kprobe, Some(A::TraceUprobeMulti)),
    section("uretprobe.multi+", Kprobe, Some(A::TraceUprobeMulti)),
    section("uprobe.multi.s+", Kprobe, Some(A::TraceUprobeMulti)).sleepable(),
    section("uretprobe.multi.s+", Kprobe, Some(A::TraceUprobeMulti)).sleepable(),
    section("ksyscall+", Kprobe, None),
    section("kretsyscall+", Kprobe, None),
    section("usdt+", Kprobe, None),
    section("usdt.s+", Kprobe, None).sleepable(),
    section("tc/ingress", SchedCls, Some(A::TcxIngress)),
    section("tc/egress", SchedCls, Some(A::TcxEgress)),
    section("tcx/ingress", SchedCls, Some(A::TcxIngress)),
    section("tcx/egress", SchedCls, Some(A::TcxEgress)),
    section("tc", SchedCls, None),
    section("classifier", SchedCls, None),
    section("action", SchedAct, None),
    section("netkit/primary", SchedCls, Some(A::NetkitPrimary)),
    section("netkit/peer", SchedCls, Some(A::NetkitPeer)),
    section("tracepoint+", Tracepoint, None),
    section("tp+", Tracepoint, None),
    section("raw_tracepoint+", RawTracepoint, None),
    section("raw_tp+", RawTracepoint, None),
    section("raw_tracepoint.w+", RawTracepointWritable, None),
    section("raw_tp.w+", RawTracepointWritable, None),
    section("tp_btf+", Tracing, Some(A::TraceRawTp)).by_btf(),
    section("fentry+", Tracing, Some(A::TraceFentry)).by_btf(),
    section("fmod_ret+", Tracing, Some(A::ModifyReturn)).by_btf(),
    section("fexit+", Tracing, Some(A::TraceFexit)).by_btf(),
    section("fentry.s+", Tracing, Some(A::TraceFentry)).sleepable().by_btf(),
    section("fmod_ret.s+", Tracing, Some(A::ModifyReturn)).sleepable().by_btf(),
    section("fexit.s+", Tracing, Some(A::TraceFexit)).sleepable().by_btf(),
    section("freplace+", Ext, None).by_btf(),
    section("lsm+", Lsm, Some(A::LsmMac)).by_btf(),
    section("lsm.s+", Lsm, Some(A::LsmMac)).sleepable().by_btf(),
    section("lsm_cgroup+", Lsm, Some(A::LsmCgroup)).by_btf(),
    section("iter+", Tracing, Some(A::TraceIter)).by_btf(),
    section("iter.s+", Tracing, Some(A::TraceIter)).sleepable().by_btf(),
    section("syscall", Syscall, None).sleepable(),
    section("xdp.frags/devmap", Xdp, Some(A::XdpDevmap)).frags(),
    section("xdp/devmap", Xdp, Some(A::XdpDevmap)),
    section("xdp.frags/cpumap", Xdp, Some(A::XdpCpumap)).frags(),
    section("xdp/cpumap", Xdp, Some(A::XdpCpumap)),
    section("xdp.frags", Xdp, Some(A::Xdp)).frags(),
    section("xdp", Xdp, Some(A::Xdp)).optional_attach(),
    section("perf_event", PerfEvent, None),
    section("lwt_in", LwtIn, None),
    section("lwt_out", LwtOut, None),
    section("lwt_xmit", LwtXmit, None),
    section("lwt_seg6local", LwtSeg6local, None),
    section("sockops", SockOps, Some(A::CgroupSockOps)).optional_attach(),
    section("sk_skb/stream_parser", SkSkb, Some(A::SkSkbStreamParser)).optional_attach(),
    section("sk_skb/stream_verdict", SkSkb, Some(A::SkSkbStreamVerdict)).optional_attach(),
    section("sk_skb/verdict", SkSkb, Some(A::SkSkbVerdict)).optional_attach(),
    section("sk_skb", SkSkb, None),
    section("sk_msg", SkMsg, Some(A::SkMsgVerdict)).optional_attach(),
    section("lirc_mode2", LircMode2, Some(A::LircMode2)).optional_attach(),
    section("flow_dissector", FlowDissector, Some(A::FlowDissector)).optional_attach(),
    section("cgroup_skb/ingress", CgroupSkb, Some(A::CgroupInetIngress)).optional_attach(),
    section("cgroup_skb/egress", CgroupSkb, Some(A::CgroupInetEgress)).optional_attach(),
    section("cgroup/skb", CgroupSkb, None),
    section("cgroup/sock_create", CgroupSock, Some(A::CgroupInetSockCreate)),
    section("cgroup/sock_release", CgroupSock, Some(A::CgroupInetSockRelease)),
    section("cgroup/sock", CgroupSock, Some(A::CgroupInetSockCreate)).optional_attach(),
    section("cgroup/post_bind4", CgroupSock, Some(A::CgroupInet4PostBind)),
    section("cgroup/post_bind6", CgroupSock, Some(A::CgroupInet6PostBind)),
    section("cgroup/bind4", CgroupSockAddr, Some(A::CgroupInet4Bind)),
    section("cgroup/bind6", CgroupSockAddr, Some(A::CgroupInet6Bind)),
    section("cgroup/connect4", CgroupSockAddr, Some(A::CgroupInet4Connect)),
    section("cgroup/connect6", CgroupSockAddr, Some(A::CgroupInet6Connect)),
    section("cgroup/connect_unix", CgroupSockAddr, Some(A::CgroupUnixConnect)),
    section("cgroup/sendmsg4", CgroupSockAddr, Some(A::CgroupUdp4Sendmsg)),
    section("cgroup/sendmsg6", CgroupSockAddr, Some(A::CgroupUdp6Sendmsg)),
    section("cgroup/sendmsg_unix", CgroupSockAddr, Some(A::CgroupUnixSendmsg)),
    section("cgroup/recvmsg4", CgroupSockAddr, Some(A::CgroupUdp4Recvmsg)),
    section("cgroup/recvmsg6", CgroupSockAddr, Some(A::CgroupUdp6Recvmsg)),
    section("cgroup/recvmsg_unix", CgroupSockAddr, Some(A::CgroupUnixRecvmsg)),
    section("cgroup/getpeername4", CgroupSockAddr, Some(A::CgroupInet4Getpeername)),
    section("cgroup/getpeername6", CgroupSockAddr, Some(A::CgroupInet6Getpeername)),
    section("cgroup/getpeername_unix", CgroupSockAddr, Some(A::CgroupUnixGetpeername)),
    section("cgroup/getsockname4", CgroupSockAddr, Some(A::CgroupInet4Getsockname)),
    section("cgroup/getsockname6", CgroupSockAddr, Some(A::CgroupInet6Getsockname)),
    section("cgroup/getsockname_unix", CgroupSockAddr, Some(A::CgroupUnixGetsockname)),
    section("cgroup/sysctl", CgroupSysctl, Some(A::CgroupSysctl)),
    section("cgroup/getsockopt", CgroupSockopt, Some(A::CgroupGetsockopt)),
    section("cgroup/setsockopt", CgroupSockopt, Some(A::CgroupSetsockopt)),
    section("cgroup/dev", CgroupDevice, Some(A::CgroupDevice)).optional_attach(),
    section("struct_ops+", StructOps, None),
    section("struct_ops.s+", StructOps, None).sleepable(),
    section("sk_lookup", SkLookup, Some(A::SkLookup)),
    section("netfilter", Netfilter, Some(A::Netfilter)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let found = |name| find(name).map(|found| (found.section.pattern, found.target));
        assert_eq!(found("xdp"), Some(("xdp", None)));
        assert_eq!(found("xdp.frags/devmap"), Some(("xdp.frags/devmap", None)));
        assert_eq!(found("kprobe/do_unlinkat"), Some(("kprobe+", Some("do_unlinkat"))));
        assert_eq!(found("kprobe"), Some(("kprobe+", None)));
        assert_eq!(found("kprobe.multi/tcp_*"), Some(("kprobe.multi+", Some("tcp_*"))));
        assert_eq!(found("tp/sched/sched_switch"), Some(("tp+", Some("sched/sched_switch"))));
        assert_eq!(found("kprobes"), None);
        assert_eq!(found("xdp/whatever"), None);
        assert_eq!(found(".text"), None);
        assert!(find("?lsm.s/bpf").is_some_and(|m| m.optional && m.section.sleepable));
        assert!(find("fentry/f").is_some_and(|m| m.section.target_in_btf));
        assert!(
            find("sk_reuseport/migrate")
                .is_some_and(|m| { m.section.attach == Some(A::SkReuseportSelectOrMigrate) })
        );
    }

    #[test]
    fn no_row_is_hidden_by_an_earlier_one() {
        for section in SECTIONS {
            let name = section.pattern.trim_end_matches('+');
            assert_eq!(find(name).map(|found| found.section), Some(section), "{name}");
        }
    }
}
