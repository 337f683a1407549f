//! What the kernel's log calls the contents of registers, and what it says when an argument is of
//! another kind than the helper takes.

use alloc::format;
use alloc::string::{String, ToString};

use skep_stdlib::helpers::{Access, Arg, Helper};

use super::super::args::BUFFER;
use super::super::reg::{Hold, Pointer, PtrKind, Reg, Trust};
use super::super::scalar::Scalar;

/// Kinds that the kernel takes for memory, for sockets, for structures.
const MEMORY: &[&str] =
    &["fp", "pkt", "pkt_meta", "map_key", "map_value", "mem", "ringbuf_mem", "buf", "trusted_ptr_"];
const SOCKETS: &[&str] = &["sock_common", "sock", "tcp_sock", "xdp_sock"];
const SOCKETS_BY_TYPE: &[&str] = &["sock_common", "sock", "tcp_sock", "xdp_sock", "ptr_", "trusted_ptr_"];
const STRUCTURES: &[&str] = &["ptr_", "trusted_ptr_", "rcu_ptr_"];

/// The kinds of registers that the kernel takes for an argument; none for those that it checks otherwise.
fn expected(arg: Arg) -> &'static [&'static str] {
    match arg {
        Arg::Any => &[],
        Arg::Scalar | Arg::Size | Arg::SizeOrZero | Arg::AllocSize => &["scalar"],
        Arg::Ctx | Arg::CtxOrNull => &["ctx"],
        Arg::Map => &["map_ptr"],
        Arg::MapKey
        | Arg::MapValue
        | Arg::MapValueUninit
        | Arg::MapValueOrNull
        | Arg::Mem(_)
        | Arg::MemOrNull(_)
        | Arg::Fixed(..) => MEMORY,
        Arg::StackOrNull => &["fp"],
        Arg::Callback => &["func"],
        Arg::SpinLock | Arg::KptrSlot => &["map_value", "ptr_"],
        Arg::Timer | Arg::ConstStr => &["map_value"],
        Arg::Dynptr | Arg::DynptrUninit | Arg::DynptrRelease => &["fp", "dynptr_ptr"],
        Arg::RingbufMem => &["ringbuf_mem"],
        Arg::SockCommon => SOCKETS,
        Arg::SocketOrNull => &["sock"],
        Arg::BtfSock | Arg::BtfSockOrNull | Arg::BtfSockRelease => SOCKETS_BY_TYPE,
        Arg::Btf(_) | Arg::BtfOrNull(_) | Arg::KptrOrNull => STRUCTURES,
        Arg::PercpuVar => &["percpu_ptr_", "percpu_rcu_ptr_", "percpu_trusted_ptr_"],
    }
}

/// Does the callee own what it is given from then on?
fn releases(arg: Arg) -> bool {
    matches!(arg, Arg::RingbufMem | Arg::BtfSockRelease | Arg::DynptrRelease | Arg::KptrOrNull)
}

/// The kernel's words for an argument of a helper that is not what it takes.
pub fn argument(helper: &Helper, arg: Option<Arg>, number: u8, got: &Reg) -> String {
    let Some(arg) = arg else { return String::new() };
    let (found, list) = (log_type(got), expected(arg));
    let optional = matches!(
        arg,
        Arg::MemOrNull(_)
            | Arg::MapValueOrNull
            | Arg::CtxOrNull
            | Arg::SocketOrNull
            | Arg::BtfSockOrNull
            | Arg::BtfOrNull(_)
            | Arg::KptrOrNull
            | Arg::StackOrNull
    );
    let plain = match optional {
        true => found.replace("_or_null", ""),
        false => found.clone(),
    };
    let unless_written = match arg {
        Arg::Mem(Access::Read) | Arg::MemOrNull(Access::Read) => plain.replace("rdonly_", ""),
        _ => plain,
    };
    // A structure that may be null has the kind, but not the value, that is wanted.
    let kind = unless_written.replace("ptr_or_null_", "ptr_");
    let Reg::Pointer(p) = got else {
        return format!("R{number} type={found} expected={}", list.join(", "));
    };
    if !list.is_empty() && !list.contains(&kind.as_str()) {
        return format!("R{number} type={found} expected={}", list.join(", "));
    }
    if p.nullable {
        return format!("Possibly NULL pointer passed to helper arg{number}");
    }
    if let Some(moved) = moved(p, number, releases(arg)) {
        return moved;
    }
    match arg {
        Arg::DynptrRelease if p.kind != PtrKind::Dynptr(super::super::dynptr::Behind::Local) => {
            format!("arg {number} is an unacquired reference")
        }
        Arg::DynptrRelease => "cannot release unowned const bpf_dynptr".to_string(),
        Arg::KptrSlot => format!("R{number} has no valid kptr"),
        _ if releases(arg) && p.reference == 0 => {
            format!("R{number} must be referenced when passed to release function")
        }
        _ => format!("R{number} of bpf_{} is not what it takes", helper.name),
    }
}

/// What the kernel says of a pointer that was moved although it must not be.
pub fn moved(p: &Pointer, number: u8, released: bool) -> Option<String> {
    let may_move = match p.kind {
        _ if p.nullable => (false, false),
        PtrKind::Stack(_)
        | PtrKind::Packet(_)
        | PtrKind::PacketMeta(_)
        | PtrKind::MapValue(_)
        | PtrKind::Mem { .. }
        | PtrKind::Ringbuf(_) => (true, true),
        PtrKind::Btf { .. } | PtrKind::Object { .. } => (true, false),
        _ => (false, false),
    };
    let kind = log_type(&Reg::Pointer(*p));
    match (may_move, p.off) {
        ((_, _), off) if off != 0 && released && !matches!(p.kind, PtrKind::Stack(_)) => Some(format!(
            "R{number} must have zero offset when passed to release func or trusted arg to kfunc"
        )),
        ((true, true), _) => None,
        (_, off) if off < 0 => Some(format!("negative offset {kind} ptr R{number} off={off} disallowed")),
        ((false, _), off) if off > 0 => {
            Some(format!("dereference of modified {kind} ptr R{number} off={off} disallowed"))
        }
        _ if !p.is_fixed() => Some(format!("variable {kind} access var_off={} disallowed", tnum(&p.var))),
        _ => None,
    }
}

/// What is known of a number's bits, as the kernel's log shows it.
pub fn tnum(value: &Scalar) -> String {
    format!("({:#x}; {:#x})", value.tnum.value, value.tnum.mask)
}

/// What the kernel's log calls what a register holds.
pub fn log_type(reg: &Reg) -> String {
    let p = match reg {
        Reg::Uninit => return "?".to_string(),
        Reg::Scalar(_) => return "scalar".to_string(),
        Reg::Pointer(p) => p,
    };
    let owned = p.reference != 0;
    let structure = |prefix: &str| format!("{prefix}ptr_{}", if p.nullable { "or_null_" } else { "" });
    match p.kind {
        PtrKind::Btf { trust: Trust::Trusted, .. } if !owned => structure("trusted_"),
        PtrKind::Btf { trust: Trust::Rcu, .. } | PtrKind::Object { hold: Hold::Rcu, percpu: false, .. } => {
            structure("rcu_")
        }
        PtrKind::Btf { trust: Trust::Untrusted, .. } | PtrKind::Object { hold: Hold::Untrusted, .. } => {
            structure("untrusted_")
        }
        PtrKind::Object { hold: Hold::Rcu, percpu: true, .. } => structure("percpu_rcu_"),
        PtrKind::Remote { percpu: true, .. } | PtrKind::Object { percpu: true, .. } => structure("percpu_"),
        PtrKind::Remote { percpu: false, .. } => structure("user_"),
        PtrKind::Btf { .. } | PtrKind::Object { .. } => structure(""),
        kind => {
            let read_only = matches!(kind, PtrKind::Mem { writable: false, .. });
            let name = match kind {
                PtrKind::Mem { size: BUFFER, .. } => "buf",
                // What is inside a map of maps is one only after the check.
                PtrKind::Map(_) if p.nullable => "map_value",
                kind => kind.kernel_name(),
            };
            let (before, after) =
                (if read_only { "rdonly_" } else { "" }, if p.nullable { "_or_null" } else { "" });
            format!("{before}{name}{after}")
        }
    }
}
