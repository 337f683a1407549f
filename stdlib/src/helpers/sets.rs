//! Where a helper is, beyond the set of program types in its row: kernels that had it for fewer types, and
//! program types of which only some hooks have it (kernel: the functions named `*_func_proto`).

use super::Helper;
use super::table::{CGROUP_SOCKET, CGROUP_SYSTEM, LWT, TC, TRACE, TRAMPOLINES};
use crate::features::Kernel;
use crate::programs::AttachType as A;
use crate::programs::AttachType;
use crate::programs::ProgSet;
use crate::programs::ProgType::{self, *};

/// Before a kernel, helpers were for these types only.
struct Fewer {
    helpers: &'static [u32],
    before: Kernel,
    programs: ProgSet,
}

/// Of a type's programs, only those with such a hook have the helpers, on all kernels or those before one.
struct Hooked {
    helpers: &'static [u32],
    program: ProgType,
    before: Option<Kernel>,
    hooks: &'static [AttachType],
}

const TASKS: ProgSet = TRACE.and(CGROUP_SOCKET).and(CGROUP_SYSTEM);

/// Of one helper, the oldest kernels first. Measured on 5.10.223, 6.1.192, 6.12.117 and 6.18.44: a version
/// here is the first of those that has the helper for more types.
#[rustfmt::skip]
static FEWER: &[Fewer] = &[
    // What the task is and where: get_current_pid_tgid, get_ns_current_pid_tgid, get_current_uid_gid,
    // get_current_comm.
    Fewer { helpers: &[14], before: Kernel(6, 1), programs: TRACE.plus(&[CgroupSock, CgroupSockAddr, SkMsg]) },
    Fewer { helpers: &[14], before: Kernel(6, 12), programs: TASKS.plus(&[SkMsg]) },
    Fewer { helpers: &[120], before: Kernel(6, 12), programs: TRACE },
    Fewer { helpers: &[15], before: Kernel(6, 18), programs: TASKS.plus(&[SkMsg, StructOps]) },
    Fewer { helpers: &[16], before: Kernel(6, 1), programs: TRACE.plus(&[CgroupSock, CgroupSockAddr]) },
    Fewer { helpers: &[16], before: Kernel(6, 18), programs: TASKS.plus(&[StructOps]) },
    // get_cgroup_classid, current_task_under_cgroup, get_current_cgroup_id, get_current_ancestor_cgroup_id.
    Fewer { helpers: &[17], before: Kernel(6, 1), programs: TC.and(LWT).plus(&[CgroupSock, CgroupSockAddr, SkMsg]) },
    Fewer { helpers: &[17], before: Kernel(6, 18), programs: TC.and(LWT).and(CGROUP_SOCKET).and(CGROUP_SYSTEM).plus(&[SkMsg]) },
    Fewer { helpers: &[37], before: Kernel(6, 12), programs: TRACE },
    Fewer { helpers: &[37], before: Kernel(6, 18), programs: TASKS },
    Fewer { helpers: &[80], before: Kernel(6, 12), programs: TASKS.plus(&[SkMsg]) },
    Fewer { helpers: &[123], before: Kernel(6, 1), programs: ProgSet::only(&[CgroupSock, CgroupSockAddr, SkMsg]) },
    Fewer { helpers: &[123], before: Kernel(6, 12), programs: TASKS.plus(&[SkMsg]) },
    // setsockopt, getsockopt.
    Fewer { helpers: &[49, 57], before: Kernel(6, 1), programs: TRAMPOLINES.plus(&[SockOps, CgroupSockAddr, StructOps]) },
    // spin_lock, spin_unlock; strtol, strtoul.
    Fewer { helpers: &[93, 94], before: Kernel(6, 1), programs: ProgSet::ALL.without(&[
        Kprobe, Tracepoint, PerfEvent, RawTracepoint, RawTracepointWritable, Tracing,
    ]) },
    Fewer { helpers: &[105, 106], before: Kernel(6, 1), programs: ProgSet::only(&[CgroupSysctl]) },
    // What was for tracing: perf events, signals, the user's memory, storage of tasks.
    Fewer { helpers: &[148], before: Kernel(6, 1), programs: TRAMPOLINES },
    Fewer { helpers: &[22, 55, 109, 117, 141, 148, 156, 157, 176, 180, 191], before: Kernel(6, 18), programs: TRACE },
    Fewer { helpers: &[174], before: Kernel(6, 12), programs: TRAMPOLINES.plus(&[Kprobe, Tracepoint, PerfEvent]) },
    // skb_pull_data, get_socket_cookie, get_netns_cookie.
    Fewer { helpers: &[39], before: Kernel(6, 18), programs: TC.plus(&[LwtIn, LwtOut, LwtXmit, SkSkb]) },
    Fewer { helpers: &[46], before: Kernel(6, 1), programs: TC.plus(&[
        SocketFilter, CgroupSkb, CgroupSock, CgroupSockAddr, SockOps, SkSkb,
    ]) },
    Fewer { helpers: &[122], before: Kernel(6, 1), programs: ProgSet::only(&[CgroupSock, CgroupSockAddr]) },
    Fewer { helpers: &[122], before: Kernel(6, 18), programs: CGROUP_SOCKET.plus(&[SockOps, SkMsg]) },
];

static HOOKED: &[Hooked] = &[
    // setsockopt, getsockopt.
    Hooked { helpers: &[49, 57], program: CgroupSockopt, before: None, hooks: &[A::CgroupSetsockopt] },
    Hooked { helpers: &[49, 57], program: Lsm, before: None, hooks: &[A::LsmCgroup] },
    // bind.
    Hooked {
        helpers: &[64],
        program: CgroupSockAddr,
        before: None,
        hooks: &[A::CgroupInet4Connect, A::CgroupInet6Connect],
    },
    // get_local_storage, get_retval, set_retval.
    Hooked { helpers: &[81, 186, 187], program: Lsm, before: None, hooks: &[A::LsmCgroup] },
    Hooked {
        helpers: &[186, 187],
        program: CgroupSockAddr,
        before: None,
        hooks: &[
            A::CgroupInet4Bind,
            A::CgroupInet6Bind,
            A::CgroupInet4Connect,
            A::CgroupInet6Connect,
            A::CgroupUnixConnect,
            A::CgroupUdp4Sendmsg,
            A::CgroupUdp6Sendmsg,
            A::CgroupUnixSendmsg,
        ],
    },
    // sk_storage_get, sk_storage_delete.
    Hooked {
        helpers: &[107, 108],
        program: Tracing,
        before: None,
        hooks: &[A::TraceIter, A::TraceRawTp, A::TraceFentry, A::TraceFexit],
    },
    // seq_printf, seq_write, seq_printf_btf.
    Hooked { helpers: &[126, 127, 150], program: Tracing, before: None, hooks: &[A::TraceIter] },
    // get_attach_cookie.
    Hooked {
        helpers: &[174],
        program: Tracing,
        before: None,
        hooks: &[A::TraceRawTp, A::TraceFentry, A::TraceFexit, A::ModifyReturn],
    },
    Hooked {
        helpers: &[174],
        program: Tracing,
        before: Some(Kernel(6, 12)),
        hooks: &[A::TraceFentry, A::TraceFexit, A::ModifyReturn],
    },
    // get_func_arg, get_func_ret, get_func_arg_cnt.
    Hooked {
        helpers: &[183, 184, 185],
        program: Tracing,
        before: None,
        hooks: &[A::TraceFentry, A::TraceFexit, A::ModifyReturn],
    },
    Hooked { helpers: &[174, 183, 184, 185], program: Lsm, before: None, hooks: &[A::LsmMac] },
];

impl Helper {
    /// Which programs may call it on this kernel.
    pub fn programs_on(&self, kernel: Kernel) -> ProgSet {
        let fewer = |row: &&Fewer| kernel < row.before && row.helpers.contains(&self.id);
        FEWER.iter().find(fewer).map_or(self.programs, |row| row.programs)
    }

    /// Do programs of this type, which may call it, have it at this hook?
    pub fn is_at(&self, program: ProgType, hook: Option<AttachType>, kernel: Kernel) -> bool {
        let rows = HOOKED.iter().filter(|row| row.program == program && row.helpers.contains(&self.id));
        let mut rows = rows.filter(|row| row.before.is_none_or(|before| kernel < before));
        rows.all(|row| hook.is_some_and(|hook| row.hooks.contains(&hook)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helpers::HELPERS;

    #[test]
    fn older_kernels_come_first_and_have_fewer() {
        for helper in HELPERS {
            let rows = || FEWER.iter().filter(|row| row.helpers.contains(&helper.id));
            assert!(rows().is_sorted_by_key(|row| row.before), "{}", helper.name);
            let sets = rows().map(|row| row.programs).chain([helper.programs]);
            for (older, newer) in sets.clone().zip(sets.skip(1)) {
                assert!(older.and(newer) == newer, "{}", helper.name);
            }
        }
    }
}
