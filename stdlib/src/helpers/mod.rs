//! Helper functions: one row each, with its C prototype and what the verifier asks of a call.
//!
//! `include/bpf/bpf_helper_defs.h` is generated from the rows ([`header`]). The classes of
//! arguments and results say what the kernel checks, in the terms of a verifier.

mod sets;
mod table;

use alloc::collections::BTreeSet;
use alloc::string::String;
use core::fmt::Write;

use crate::features::Kernel;
use crate::programs::{ProgSet, ProgType};
pub use table::HELPERS;

/// How a helper uses memory that it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reads it.
    Read,
    /// Reads and writes it.
    ReadWrite,
    /// Writes to memory that is already initialised.
    Write,
    /// Writes to memory that need not be initialised, all of it.
    Uninit,
}

/// What a helper wants in an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arg {
    /// Any initialised value.
    Any,
    /// A number.
    Scalar,
    /// The program's context, unmodified.
    Ctx,
    /// The same or null.
    CtxOrNull,
    /// A map.
    Map,
    /// Readable memory of the map's key size.
    MapKey,
    /// Readable memory of the map's value size.
    MapValue,
    /// Memory of the map's value size that the helper fills.
    MapValueUninit,
    /// As `MapValue`, or null.
    MapValueOrNull,
    /// Memory whose size is the next argument.
    Mem(Access),
    /// The same or null (then the size may be 0).
    MemOrNull(Access),
    /// Memory of this many bytes.
    Fixed(Access, u32),
    /// The size of the memory before it: a known number that is not 0.
    Size,
    /// The same, 0 allowed.
    SizeOrZero,
    /// The size of memory to reserve: a constant.
    AllocSize,
    /// Stack memory or null, handed to a callback.
    StackOrNull,
    /// A function of the program.
    Callback,
    /// A `struct bpf_spin_lock` in a map value or own object.
    SpinLock,
    /// A `struct bpf_timer` in a map value.
    Timer,
    /// A string in read-only data, ending with zero.
    ConstStr,
    /// A dynamic pointer.
    Dynptr,
    /// A dynamic pointer that the helper makes.
    DynptrUninit,
    /// A dynamic pointer of a ring buffer that the helper gives back.
    DynptrRelease,
    /// A record reserved in a ring buffer, which the helper gives back.
    RingbufMem,
    /// A `struct bpf_sock` of any state.
    SockCommon,
    /// A full socket or null.
    SocketOrNull,
    /// A socket, as `struct bpf_sock` or by its kernel type.
    BtfSock,
    /// The same or null.
    BtfSockOrNull,
    /// The same; the reference is given back.
    BtfSockRelease,
    /// A trusted pointer to this kernel structure.
    Btf(&'static str),
    /// The same or null.
    BtfOrNull(&'static str),
    /// The address of a per-processor kernel variable.
    PercpuVar,
    /// Where a kernel pointer is kept in a map value.
    KptrSlot,
    /// A kernel pointer to be kept there, or null.
    KptrOrNull,
}

/// What a helper returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ret {
    /// A number.
    Integer,
    /// Nothing: r0 is not initialised.
    Void,
    /// A map value.
    MapValue,
    /// A map value or null.
    MapValueOrNull,
    /// A full socket or null.
    SocketOrNull,
    /// A socket of any state or null.
    SockCommonOrNull,
    /// A TCP socket or null.
    TcpSockOrNull,
    /// A reserved record of a ring buffer or null.
    RingbufMemOrNull,
    /// Memory behind a dynamic pointer or null.
    DynptrMemOrNull,
    /// This processor's copy of a kernel variable.
    PercpuVar,
    /// Some processor's copy of a kernel variable or null.
    PercpuVarOrNull,
    /// A pointer to this kernel structure.
    Btf(&'static str),
    /// The same or null.
    BtfOrNull(&'static str),
    /// The kernel pointer that was kept, or null.
    KptrOrNull,
}

/// A row: what is known of a helper.
#[derive(Debug)]
pub struct Helper {
    /// Its number.
    pub id: u32,
    /// Its name without `bpf_`.
    pub name: &'static str,
    /// The C type it returns.
    pub c_ret: &'static str,
    /// Its C parameters.
    pub c_params: &'static str,
    /// What it wants in its arguments; at most five.
    pub args: &'static [Arg],
    /// What it returns.
    pub ret: Ret,
    /// Which programs may call it on the newest kernel; older ones and hooks narrow this further (`sets`).
    pub programs: ProgSet,
    /// The first kernel that has it.
    pub since: Kernel,
    /// Whether only programs with a GPL-compatible license may call it.
    pub gpl_only: bool,
    /// Whether pointers into the packet are accepted as memory.
    pub pkt_access: bool,
    /// Whether only sleepable programs may call it.
    pub sleeps: bool,
}

/// Arguments that a helper wants in programs of some types, in place of those of its row.
struct Variant {
    id: u32,
    programs: ProgSet,
    args: &'static [Arg],
}

const TRAMPOLINES: ProgSet =
    ProgSet::only(&[ProgType::Tracing, ProgType::Lsm, ProgType::StructOps, ProgType::Syscall]);
/// Whose context is no socket, but has one.
const BESIDE: ProgSet = TRAMPOLINES.plus(&[ProgType::CgroupSockopt]);

static VARIANTS: &[Variant] = &[
    // get_cgroup_classid of the current task, where there is no packet that is sent.
    Variant {
        id: 17,
        programs: ProgSet::ALL.without(&[
            ProgType::SchedCls,
            ProgType::SchedAct,
            ProgType::LwtIn,
            ProgType::LwtOut,
            ProgType::LwtXmit,
            ProgType::LwtSeg6local,
        ]),
        args: &[],
    },
    // get_socket_cookie of a given socket.
    Variant { id: 46, programs: TRAMPOLINES.plus(&[ProgType::SkReuseport]), args: &[Arg::BtfSockOrNull] },
    // setsockopt, getsockopt.
    Variant {
        id: 49,
        programs: BESIDE,
        args: &[Arg::BtfSock, Arg::Any, Arg::Any, Arg::Mem(Access::Read), Arg::Size],
    },
    Variant {
        id: 57,
        programs: BESIDE,
        args: &[Arg::BtfSock, Arg::Any, Arg::Any, Arg::Mem(Access::Uninit), Arg::Size],
    },
    // sk_storage_get of the socket that is being made.
    Variant {
        id: 107,
        programs: ProgSet::only(&[ProgType::CgroupSock]),
        args: &[Arg::Map, Arg::Ctx, Arg::MapValueOrNull, Arg::Any],
    },
    // sk_storage_get, sk_storage_delete of a socket that may be missing.
    Variant {
        id: 107,
        programs: ProgSet::only(&[ProgType::Tracing]),
        args: &[Arg::Map, Arg::BtfOrNull("sock_common"), Arg::MapValueOrNull, Arg::Any],
    },
    Variant {
        id: 108,
        programs: ProgSet::only(&[ProgType::Tracing]),
        args: &[Arg::Map, Arg::BtfOrNull("sock_common")],
    },
    // sk_assign of the socket that a lookup shall give, or none.
    Variant {
        id: 124,
        programs: ProgSet::only(&[ProgType::SkLookup]),
        args: &[Arg::Ctx, Arg::SocketOrNull, Arg::Any],
    },
];

impl Helper {
    /// The helper with this number.
    pub fn from_id(id: u32) -> Option<&'static Helper> {
        // Numbers start at 1 and have no holes; a test checks that.
        HELPERS.get((id as usize).checked_sub(1)?)
    }

    /// The helper with this name, with or without `bpf_`.
    pub fn from_name(name: &str) -> Option<&'static Helper> {
        let name = name.strip_prefix("bpf_").unwrap_or(name);
        HELPERS.iter().find(|row| row.name == name)
    }

    /// What it wants in its arguments when called from a program of this type.
    pub fn args_in(&self, program: ProgType) -> &'static [Arg] {
        let variant = VARIANTS.iter().find(|row| row.id == self.id && row.programs.contains(program));
        variant.map_or(self.args, |row| row.args)
    }
}

#[expect(clippy::too_many_arguments, reason = "the columns of a table")]
const fn h(
    id: u32,
    name: &'static str,
    c_ret: &'static str,
    c_params: &'static str,
    args: &'static [Arg],
    ret: Ret,
    programs: ProgSet,
    since: Kernel,
) -> Helper {
    Helper {
        id,
        name,
        c_ret,
        c_params,
        args,
        ret,
        programs,
        since,
        gpl_only: false,
        pkt_access: false,
        sleeps: false,
    }
}

impl Helper {
    const fn gpl(self) -> Helper {
        Helper { gpl_only: true, ..self }
    }

    const fn pkt(self) -> Helper {
        Helper { pkt_access: true, ..self }
    }

    const fn sleeps(self) -> Helper {
        Helper { sleeps: true, ..self }
    }
}

/// The text of `bpf/bpf_helper_defs.h`.
pub fn header() -> String {
    let mut out = String::from(
        "/* Made from the table of helpers; to change it, change the table and run its test with\n \
         * UPDATE=1. Each helper is a call of a number.\n */\n#pragma once\n\n",
    );
    for name in struct_names() {
        let _ = writeln!(out, "struct {name};");
    }
    for row in HELPERS {
        let license = if row.gpl_only { ", for GPL-compatible programs" } else { "" };
        let Helper { id, name, c_ret, c_params, since, .. } = row;
        let space = if c_ret.ends_with('*') { "" } else { " " };
        let _ = writeln!(out, "\n/* {id}: since Linux {since}{license} */");
        let _ = writeln!(out, "static {c_ret}{space}(* const bpf_{name})({c_params}) = (void *) {id};");
    }
    out
}

/// Tags of all structures that prototypes mention.
fn struct_names() -> BTreeSet<&'static str> {
    let mut names = BTreeSet::new();
    for text in HELPERS.iter().flat_map(|row| [row.c_ret, row.c_params]) {
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        while let Some(word) = words.next() {
            if word == "struct" {
                names.extend(words.next());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::MAPS;

    #[test]
    fn numbers_have_no_holes() {
        for (row, id) in HELPERS.iter().zip(1..) {
            assert_eq!(row.id, id);
            assert!(Helper::from_id(id).is_some_and(|found| found.name == row.name));
        }
        assert_eq!(HELPERS.len(), 211);
        assert!(Helper::from_id(0).is_none() && Helper::from_id(212).is_none());
    }

    #[test]
    fn later_numbers_are_of_later_kernels() {
        for pair in HELPERS.windows(2) {
            assert!(pair[0].since <= pair[1].since, "{} is older than {}", pair[1].name, pair[0].name);
        }
    }

    #[test]
    fn prototypes_and_classes_have_as_many_arguments() {
        for row in HELPERS {
            let variadic = row.c_params.contains("...");
            let count = match row.c_params {
                "void" => 0,
                params => params.split(',').count() - usize::from(variadic),
            };
            // The kernel does not look at arguments that it gives no class.
            assert!(row.args.len() <= count.min(5), "{}", row.name);
        }
    }

    #[test]
    fn sizes_follow_memory() {
        for row in HELPERS {
            for pair in row.args.windows(2) {
                let sized = matches!(pair[0], Arg::Mem(_) | Arg::MemOrNull(_));
                let size = matches!(pair[1], Arg::Size | Arg::SizeOrZero);
                assert_eq!(sized, size, "{}", row.name);
            }
        }
    }

    #[test]
    fn maps_name_existing_helpers() {
        for name in MAPS.iter().flat_map(|row| row.only) {
            assert!(Helper::from_name(name).is_some(), "{name}");
        }
    }
}
