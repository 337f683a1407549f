//! Kernel versions as values, and what each brought.
//!
//! Nothing in the code compares version numbers by hand: it asks [`Target::has`].

use core::fmt;

use crate::isa::Cpu;

/// A kernel version, `Kernel(6, 12)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Kernel(pub u16, pub u16);

impl Kernel {
    /// The newest version that the tables know.
    pub const LATEST: Kernel = Kernel(6, 12);

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
    DirectPacketAccess, 4 . 7;
    /// Pointers may be moved by values of known range.
    VariableOffsets, 4 . 14;
    /// Calls of functions of the same program.
    LocalCalls, 4 . 16;
    /// Types come with the program.
    Btf, 4 . 18;
    /// Functions and lines come with the program.
    BtfFuncInfo, 5 . 0;
    /// Spin locks in map values.
    SpinLock, 5 . 1;
    /// Compares of 32 bits.
    Jmp32, 5 . 1;
    /// A million instructions may be examined instead of 131072.
    InsnLimit1M, 5 . 2;
    /// Global variables (and direct addresses of map values).
    GlobalData, 5 . 2;
    /// Variables and sections in BTF.
    BtfDatasec, 5 . 2;
    /// Loops of which the verifier sees the end.
    BoundedLoops, 5 . 3;
    /// Ranges are followed backwards only where they matter.
    PreciseTracking, 5 . 3;
    /// Pointers of BTF types, `fentry`, `fexit`, `tp_btf`.
    Trampolines, 5 . 5;
    /// Functions verified once, for all callers.
    GlobalFunctions, 5 . 6;
    /// Programs that implement a kernel interface.
    StructOps, 5 . 6;
    /// Programs that replace a function of another program.
    Freplace, 5 . 6;
    /// Security hooks.
    Lsm, 5 . 7;
    /// Ring buffers.
    Ringbuf, 5 . 8;
    /// Programs that walk kernel objects.
    Iterators, 5 . 8;
    /// Programs that may sleep.
    Sleepable, 5 . 10;
    /// Tail calls in functions of a program.
    TailCallsInSubprograms, 5 . 10;
    /// Kernel variables, typed.
    Ksyms, 5 . 10;
    /// Atomic operations besides addition.
    Atomics, 5 . 12;
    /// Calls of kernel functions.
    Kfuncs, 5 . 13;
    /// Functions as arguments of helpers.
    Callbacks, 5 . 13;
    /// Pointer arguments of global functions.
    GlobalFunctionPointers, 5 . 13;
    /// Timers in map values.
    Timers, 5 . 15;
    /// Declaration tags in BTF.
    BtfDeclTag, 5 . 16;
    /// Spilled scalars keep their ranges.
    SpilledScalars, 5 . 16;
    /// Type tags in BTF.
    BtfTypeTag, 5 . 17;
    /// `bpf_loop`.
    BpfLoop, 5 . 17;
    /// One program for many functions.
    KprobeMulti, 5 . 18;
    /// Packets in several fragments.
    XdpFrags, 5 . 18;
    /// Pointers to kernel objects in map values.
    Kptr, 5 . 19;
    /// Dynamic pointers.
    Dynptr, 5 . 19;
    /// Enumerations of 64 bits in BTF.
    BtfEnum64, 6 . 0;
    /// Objects of the program's own types.
    LocalKptr, 6 . 2;
    /// Linked lists.
    LinkedList, 6 . 2;
    /// RCU critical sections in programs.
    RcuReadLock, 6 . 2;
    /// Red-black trees.
    Rbtree, 6 . 3;
    /// Privileged programs may read stack that was never written.
    UninitStackReads, 6 . 3;
    /// `bpf_iter_num_new` and others: loops over open-coded iterators.
    OpenCodedIterators, 6 . 4;
    /// Programs at netfilter hooks.
    Netfilter, 6 . 4;
    /// The instructions of cpu v4.
    CpuV4, 6 . 6;
    /// Attaching to traffic control by links.
    Tcx, 6 . 6;
    /// `bpf_throw`.
    Exceptions, 6 . 7;
    /// Values that cannot be null and other argument tags of global functions.
    ArgTags, 6 . 8;
    /// Memory shared with user space through pointers.
    Arena, 6 . 9;
    /// Loops with a hidden counter.
    MayGoto, 6 . 9;
    /// Calls of some helpers that keep the caller's registers.
    FastCalls, 6 . 12;
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
