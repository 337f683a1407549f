//! Kernel versions as values, and what each brought.
//!
//! Nothing in the code compares version numbers by hand: it asks [`Target::has`].
//!
//! Where a version comes from stands behind its row: `timeline` is docs.ebpf.io/linux/timeline, which
//! names the commit (of the feature, or of what came with it), `pages` the pages there about the
//! concept or the pull request in the kernel's history, `bcc` bcc's kernel-versions.md, `kernel` the
//! types of the kernels 6.12 and 6.18. `not checked` is from memory.

use core::fmt;

use crate::isa::Cpu;

/// A kernel version, `Kernel(6, 12)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Kernel(pub u16, pub u16);

impl Kernel {
    /// The newest version that the tables know.
    pub const LATEST: Kernel = Kernel(6, 18);

    /// From `6.12`, or a release string that starts so (`6.12.3-generic`).
    pub fn parse(text: &str) -> Option<Kernel> {
        let (major, rest) = text.split_once('.')?;
        let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(Kernel(major.parse().ok()?, minor.parse().ok()?))
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What a program is made for: the instruction set and the kernel that will run it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    /// The kernel.
    pub kernel: Kernel,
    /// The instruction set.
    pub cpu: Cpu,
}

impl Default for Target {
    fn default() -> Target {
        Target { kernel: Kernel::LATEST, cpu: Cpu::V3 }
    }
}

impl Target {
    /// Whether the target's kernel has the feature.
    pub fn has(&self, feature: Feature) -> bool {
        self.kernel >= feature.since()
    }
}

macro_rules! features {
    ($($(#[$doc:meta])* $variant:ident, $major:literal . $minor:literal;)*) => {
        /// Something that a kernel can do since some version.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Feature { $($(#[$doc])* $variant,)* }

        impl Feature {
            /// Every feature.
            pub const ALL: &[Feature] = &[$(Feature::$variant,)*];

            /// The first version that has it.
            pub const fn since(self) -> Kernel {
                match self {
                    $(Feature::$variant => Kernel($major, $minor),)*
                }
            }

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Feature::$variant => stringify!($variant),)*
                }
            }
        }
    };
}

features! {
    /// Packets are read through `data` and `data_end`.
    DirectPacketAccess, 4 . 7; // bcc
    /// Pointers may be moved by values of known range.
    VariableOffsets, 4 . 14; // not checked
    /// Calls of functions of the same program.
    LocalCalls, 4 . 16; // bcc; pages
    /// Types come with the program.
    Btf, 4 . 18; // timeline: BPF_BTF_LOAD; bcc
    /// Functions and lines come with the program.
    BtfFuncInfo, 5 . 0; // not checked
    /// Spin locks in map values.
    SpinLock, 5 . 1; // timeline: bpf_spin_lock
    /// Compares of 32 bits.
    Jmp32, 5 . 1; // not checked
    /// A million instructions may be examined instead of 131072.
    InsnLimit1M, 5 . 2; // pages
    /// Global variables (and direct addresses of map values).
    GlobalData, 5 . 2; // timeline: BPF_MAP_FREEZE and BPF_F_RDONLY_PROG of the same series
    /// Variables and sections in BTF.
    BtfDatasec, 5 . 2; // not checked
    /// Loops of which the verifier sees the end.
    BoundedLoops, 5 . 3; // pages
    /// Ranges are followed backwards only where they matter.
    PreciseTracking, 5 . 3; // pages: merged with BoundedLoops
    /// Pointers of BTF types, `fentry`, `fexit`, `tp_btf`.
    Trampolines, 5 . 5; // timeline: BPF_TRACE_FENTRY
    /// Functions verified once, for all callers.
    GlobalFunctions, 5 . 6; // pages
    /// Programs that implement a kernel interface.
    StructOps, 5 . 6; // timeline: BPF_PROG_TYPE_STRUCT_OPS
    /// Programs that replace a function of another program.
    Freplace, 5 . 6; // timeline: BPF_PROG_TYPE_EXT
    /// Security hooks.
    Lsm, 5 . 7; // timeline: BPF_PROG_TYPE_LSM
    /// Ring buffers.
    Ringbuf, 5 . 8; // timeline: BPF_MAP_TYPE_RINGBUF
    /// Programs that walk kernel objects.
    Iterators, 5 . 8; // timeline: BPF_TRACE_ITER
    /// Programs that may sleep.
    Sleepable, 5 . 10; // timeline: BPF_F_SLEEPABLE
    /// Tail calls in functions of a program.
    TailCallsInSubprograms, 5 . 10; // pages
    /// Kernel variables, typed.
    Ksyms, 5 . 10; // timeline: bpf_per_cpu_ptr of the same series
    /// Atomic operations besides addition.
    Atomics, 5 . 12; // not checked
    /// Calls of kernel functions.
    Kfuncs, 5 . 13; // timeline: the kfuncs of TCP
    /// Functions as arguments of helpers.
    Callbacks, 5 . 13; // pages
    /// Pointer arguments of global functions.
    GlobalFunctionPointers, 5 . 13; // not checked
    /// Timers in map values.
    Timers, 5 . 15; // timeline: bpf_timer_init
    /// Declaration tags in BTF.
    BtfDeclTag, 5 . 16; // not checked
    /// Spilled scalars keep their ranges.
    SpilledScalars, 5 . 16; // not checked
    /// Type tags in BTF.
    BtfTypeTag, 5 . 17; // not checked
    /// `bpf_loop`.
    BpfLoop, 5 . 17; // timeline: bpf_loop
    /// One program for many functions.
    KprobeMulti, 5 . 18; // timeline: BPF_TRACE_KPROBE_MULTI
    /// Packets in several fragments.
    XdpFrags, 5 . 18; // timeline: BPF_F_XDP_HAS_FRAGS
    /// Pointers to kernel objects in map values.
    Kptr, 5 . 19; // timeline: bpf_kptr_xchg
    /// Dynamic pointers.
    Dynptr, 5 . 19; // timeline: bpf_dynptr_from_mem
    /// Enumerations of 64 bits in BTF.
    BtfEnum64, 6 . 0; // not checked
    /// Objects of the program's own types.
    LocalKptr, 6 . 2; // timeline: bpf_obj_new_impl
    /// Linked lists.
    LinkedList, 6 . 2; // timeline: bpf_list_pop_front
    /// RCU critical sections in programs.
    RcuReadLock, 6 . 2; // timeline: bpf_rcu_read_lock
    /// Red-black trees.
    Rbtree, 6 . 3; // timeline: bpf_rbtree_remove
    /// Privileged programs may read stack that was never written.
    UninitStackReads, 6 . 1; // in 6.3, and in the stable kernels 6.1: measured on 6.1.192
    /// `bpf_iter_num_new` and others: loops over open-coded iterators.
    OpenCodedIterators, 6 . 4; // timeline: bpf_iter_num_new
    /// Programs at netfilter hooks.
    Netfilter, 6 . 4; // timeline: BPF_PROG_TYPE_NETFILTER
    /// Everybody may freeze a map.
    UnprivilegedFreeze, 6 . 5; // not checked: not in 6.1, is in 6.12
    /// The instructions of cpu v4.
    CpuV4, 6 . 6; // not checked
    /// Attaching to traffic control by links.
    Tcx, 6 . 6; // not checked
    /// Loops that lead back by falling through, not by a jump.
    LoopsWithoutJump, 6 . 7; // not checked: not in 6.1 (measured on 6.1.192), is in 6.12
    /// `bpf_throw`.
    Exceptions, 6 . 7; // timeline: bpf_throw
    /// Values that cannot be null and other argument tags of global functions.
    ArgTags, 6 . 8; // pages
    /// Functions of a program may be called, and return, inside a section that their caller entered or leaves.
    SectionsAcrossCalls, 6 . 9; // not checked: not in 6.1, is in 6.12
    /// A number that is stored is linked to the register that it came from, whatever is known of it, and its
    /// parts are known.
    StoredNumbers, 6 . 9; // not checked: not in 6.1 (measured on 6.1.192), is in 6.12
    /// Memory shared with user space through pointers.
    Arena, 6 . 9; // timeline: BPF_MAP_TYPE_ARENA
    /// Loops with a hidden counter.
    MayGoto, 6 . 9; // not checked
    /// A bound of a number is one of those that are a constant more or less.
    LinkedConstants, 6 . 11; // not checked: not in 6.1, is in 6.12
    /// Calls of some helpers that keep the caller's registers.
    FastCalls, 6 . 12; // not checked
    /// A map is known not to be null.
    MapsAreNotNull, 6 . 12; // in 6.17, and in the stable kernels 6.12: measured on 6.12.117
    /// What is 0 or -1 and becomes a mask is walked as either.
    ForkedMasks, 6 . 12; // in 7.0, and in the stable kernels: read in 6.12.117, measured on 6.18.44
    /// One program before and after a user function.
    UprobeSession, 6 . 13; // kernel: not in 6.12, is in 6.18; between them not checked
    /// Sections without interrupts (`bpf_local_irq_save`).
    LocalIrq, 6 . 14; // timeline: bpf_local_irq_save
    /// An element of an array is there if its key is a constant below the size.
    ConstantKeys, 6 . 14; // not checked: not in 6.12, is in 6.18
    /// Global functions that do not sleep may be called where nothing may.
    SleepInGlobalFunctions, 6 . 15; // not checked: not in 6.12, is in 6.18
    /// Loads that acquire and stores that release.
    AcquireRelease, 6 . 15; // pages: pull request of 6.15
    /// Spin locks that give up instead of hanging (`bpf_res_spin_lock`).
    ResilientSpinLock, 6 . 15; // pages: pull request of 6.15
    /// Loops with a hidden limit of time.
    TimedMayGoto, 6 . 15; // pages: pull request of 6.15
    /// Memory that may not be there can be read, with no bounds: `arg:untrusted`, `bpf_rdonly_cast` to `void`.
    ProbedMemory, 6 . 17; // not checked: not in 6.12, is in 6.18
    /// What is known of a number is known of its negative.
    NegatedNumbers, 6 . 17; // not checked: not in 6.12, is in 6.18
    /// Where only a wrong guess of the processor leads is fenced off instead of refused.
    SpeculationBarriers, 6 . 17; // not checked: not in 6.12, is in 6.18
    /// What is known of a number's range is forgotten where a test of its bits fails.
    TestsForgetRanges, 6 . 17; // not checked: not in 6.12, measured on 6.18.44
    /// The constant that is added to a number, whose bound is one of the other's, may be negative, or of 32 bits.
    LinkedDifferences, 6 . 18; // in 7.0, and in the stable kernels 6.18: measured on 6.18.44
    /// What is known of a number is known of it in the other byte order.
    SwappedNumbers, 6 . 18; // in 7.0, and in the stable kernels 6.18: measured on 6.18.44
    /// A number is known if its bits and its range leave only one.
    OnlyNumbers, 6 . 18; // in 7.0, and in the stable kernels 6.18: measured on 6.18.44
    /// Of the copies of what is compared only those become known better that are read later.
    LinksOfLiveNumbers, 6 . 18; // not checked: not in 6.12, measured on 6.18.44
    /// The verifier's log does not say which registers were read and written.
    LogsWithoutLiveness, 6 . 18; // not checked: not in 6.12, measured on 6.18.44
    /// Callbacks in the context of a task (`bpf_task_work_schedule_signal`).
    TaskWork, 6 . 18; // kernel: not in 6.12, is in 6.18; between them not checked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_as_numbers() {
        assert_eq!(Kernel::parse("6.12.3-cloud"), Some(Kernel(6, 12)));
        assert_eq!(Kernel::parse("6"), None);
        assert!(Kernel(6, 2) < Kernel(6, 12));
        let old = Target { kernel: Kernel(5, 2), cpu: Cpu::V2 };
        assert!(old.has(Feature::InsnLimit1M) && !old.has(Feature::BoundedLoops));
    }

    #[test]
    fn the_newest_kernel_has_everything() {
        let target = Target::default();
        assert!(Feature::ALL.iter().all(|&feature| target.has(feature)));
    }
}
