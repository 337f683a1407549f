//! Kernel objects behind pointers: sockets, maps, structures by their type.
//!
//! A socket is seen through a structure made for programs (`bpf_sock` and others), whose fields
//! the context tables describe; a map through the kernel's own structure, read-only.

use alloc::string::String;

use skep_stdlib::btf::{self, Btf, Kind, TypeId};
use skep_stdlib::contexts::{self, Yield};
use skep_stdlib::features::Feature;
use skep_stdlib::helpers::{Arg, Helper};
use skep_stdlib::maps::MapType;

use super::call::Call;
use super::fields::Field;
use super::members;
use super::reg::{Hold, Pointer, PtrKind, Reg, Sock, Trust};
use super::report::{Access, Cause};
use super::scalar::Scalar;
use super::state::{Byte, Reference, State};
use super::walk::{Check, Walk};

/// Helpers whose result is another view of the object in their first argument, held as long.
const CASTS: &[&str] = &[
    "sk_fullsock",
    "tcp_sock",
    "skc_to_tcp6_sock",
    "skc_to_tcp_sock",
    "skc_to_tcp_timewait_sock",
    "skc_to_tcp_request_sock",
    "skc_to_udp6_sock",
    "skc_to_unix_sock",
    "skc_to_mptcp_sock",
];
/// Helpers whose result must be released.
const ACQUIRES: &[&str] = &["sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp", "ringbuf_reserve"];
/// Fields that a socket has only when it is full: from `type` to `priority` of `struct bpf_sock`.
const ONLY_FULL: core::ops::Range<i64> = 8..24;

/// The kernel's structure of the maps of a type; all others are not looked into.
const MAP_STRUCTURES: &[(MapType, &str)] = &[
    (MapType::Hash, "bpf_htab"),
    (MapType::PercpuHash, "bpf_htab"),
    (MapType::LruHash, "bpf_htab"),
    (MapType::LruPercpuHash, "bpf_htab"),
    (MapType::HashOfMaps, "bpf_htab"),
    (MapType::Array, "bpf_array"),
    (MapType::PercpuArray, "bpf_array"),
    (MapType::ProgArray, "bpf_array"),
    (MapType::PerfEventArray, "bpf_array"),
    (MapType::CgroupArray, "bpf_array"),
    (MapType::ArrayOfMaps, "bpf_array"),
    (MapType::Ringbuf, "bpf_ringbuf_map"),
    (MapType::Arena, "bpf_arena"),
];

impl Walk<'_> {
    /// A read of a field of a socket.
    pub(super) fn load_socket(
        &mut self,
        slot: u32,
        pointer: &Pointer,
        sock: Sock,
        access: &Access,
    ) -> Check<Reg> {
        if pointer.nullable {
            return Err(Cause::MaybeNull { access: *access });
        }
        let name = match sock {
            Sock::Common | Sock::Full => "bpf_sock",
            Sock::Tcp => "bpf_tcp_sock",
            Sock::Xdp => "bpf_xdp_sock",
        };
        let refused = Cause::CtxAccess { access: *access, context: name };
        let hidden = sock == Sock::Common && ONLY_FULL.contains(&access.min);
        let Ok(offset) = u32::try_from(access.min) else { return Err(refused) };
        match contexts::access(name, None, offset, access.size, false) {
            Some(Yield::Scalar) if pointer.is_fixed() && !hidden => {
                Ok(Reg::scalar(Scalar::of_bytes(access.size), slot))
            }
            _ => Err(refused),
        }
    }

    /// A read of a field of a map's own structure.
    pub(super) fn load_map(
        &mut self,
        state: &State,
        slot: u32,
        pointer: &Pointer,
        map: u32,
        access: &Access,
    ) -> Check<Reg> {
        let refused = Cause::Opaque { access: *access, log: String::new() };
        let def = self.cx.map(map).filter(|_| !pointer.nullable);
        let row = def.and_then(|def| MAP_STRUCTURES.iter().find(|row| row.0 == def.ty));
        let (Some(btf), Some(row)) = (self.cx.btf, row) else { return Err(refused) };
        self.cx.check_looks_inside(|| row.1)?;
        let ty = btf.find(row.1, Kind::Struct).ok_or(refused)?;
        self.load_btf(state, slot, pointer, (ty.0, Trust::Plain), access)
    }

    /// Is it a socket; one by its kernel type too?
    pub(super) fn check_socket(&self, reg: &Reg, by_type: bool) -> bool {
        match reg {
            Reg::Pointer(Pointer { kind: PtrKind::Socket(_), nullable: false, .. }) => true,
            Reg::Pointer(Pointer {
                kind: PtrKind::Btf { ty, trust: Trust::Trusted | Trust::Plain },
                nullable: false,
                off: 0,
                ..
            }) => by_type && self.cx.btf.is_some_and(|btf| begins_with(btf, TypeId(*ty), "sock_common")),
            Reg::Pointer(_) | Reg::Scalar(_) | Reg::Uninit => false,
        }
    }

    /// An object or null that the helper returns.
    pub(super) fn object_or_null(
        &mut self,
        state: &mut State,
        slot: u32,
        helper: &Helper,
        call: &Call,
        kind: PtrKind,
    ) -> Reg {
        let id = self.fresh_id();
        let reference = if ACQUIRES.contains(&helper.name) {
            state.references.push(Reference { id, slot });
            id
        } else if CASTS.contains(&helper.name) {
            call.reference
        } else {
            0
        };
        Reg::or_null(kind, id, reference, slot)
    }

    /// What looking up an element of a map gives, if not its value.
    pub(super) fn element_or_null(&mut self, state: &mut State, slot: u32, call: &Call) -> Reg {
        let map = call.map.unwrap_or(u32::MAX);
        let is_there = call.key.zip(self.cx.map(map)).is_some_and(|(key, def)| key < def.max_entries.into());
        let inside = state.frame().regs[1].as_pointer().map_or(0, |p| p.owner);
        let id = self.fresh_id();
        let (kind, reference) = match self.cx.map(map).map(|def| def.ty) {
            Some(MapType::ArrayOfMaps | MapType::HashOfMaps) => (PtrKind::Map(map | super::reg::INNER), 0),
            Some(MapType::Xskmap) => (PtrKind::Socket(Sock::Xdp), 0),
            Some(MapType::Sockmap | MapType::Sockhash) => {
                state.references.push(Reference { id, slot });
                (PtrKind::Socket(Sock::Full), id)
            }
            _ => (PtrKind::MapValue(map), 0),
        };
        let owner = match kind {
            // Which of the maps inside it is: its values belong to that one.
            PtrKind::Map(_) => id,
            _ => inside,
        };
        match Reg::or_null(kind, id, reference, slot) {
            Reg::Pointer(p) => {
                let pointer = Pointer { owner, ..p };
                Reg::Pointer(if is_there { self.valid(pointer) } else { pointer })
            }
            other => other,
        }
    }

    /// A pointer that is not null: only the lock behind it still needs to be told from others.
    pub(super) fn valid(&mut self, pointer: Pointer) -> Pointer {
        let locks = [Field::SpinLock, Field::ResilientLock];
        let has_lock = self.fields_behind(&pointer).iter().any(|field| locks.contains(&field.field));
        Pointer { nullable: false, id: if has_lock { pointer.id } else { 0 }, ..pointer }
    }

    /// Does an array have every key below its size, as far as the target's kernel knows?
    pub(super) fn may_have_every_key(&self, map: Option<u32>) -> bool {
        let ty = map.and_then(|map| self.cx.map(map)).map(|def| def.ty);
        matches!(ty, Some(MapType::Array | MapType::PercpuArray)) && self.cx.target.has(Feature::ConstantKeys)
    }

    /// The number that a key on the stack is, if it is always the same (kernel `get_constant_map_key`).
    pub(super) fn constant_key(&mut self, state: &State, reg: &Reg, size: u32) -> Option<u64> {
        let p = reg.as_pointer()?;
        let PtrKind::Stack(depth) = p.kind else { return None };
        let offset = i32::try_from(i64::from(p.off) + p.var.value()? as i64).ok()?;
        let stored = *state.frames.get(depth as usize)?.slot(offset)?;
        let first = offset.rem_euclid(8) as usize;
        let bytes = stored.bytes.get(first..first + size as usize)?;
        if bytes.iter().all(|byte| *byte == Byte::Zero) {
            return Some(0);
        }
        // The kernel wants all that was spilled there to be the key.
        let spilled = stored.bytes.iter().filter(|byte| **byte == Byte::Spilled).count();
        if first != 0 || spilled != size as usize || !bytes.iter().all(|byte| *byte == Byte::Spilled) {
            return None;
        }
        let key = stored.spilled.value()?;
        self.need_slot(state, depth, offset);
        Some(key)
    }

    /// Is it a valid pointer to the kernel structure with this name?
    pub(super) fn is_kernel_object(&self, reg: &Reg, arg: Arg, name: &str) -> bool {
        let Reg::Pointer(p) = reg else { return false };
        let PtrKind::Btf { ty, trust } = p.kind else { return false };
        let valid = match trust {
            Trust::Trusted | Trust::Rcu | Trust::Plain => true,
            Trust::Untrusted => false,
        };
        let wanted = self.cx.btf.and_then(|btf| Some((btf, btf.find(name, Kind::Struct)?)));
        let fits = wanted.is_some_and(|(btf, wanted)| {
            u32::try_from(p.off).is_ok_and(|off| members::holds(btf, TypeId(ty), off, wanted, false))
        });
        valid && fits && (!p.nullable || matches!(arg, Arg::BtfOrNull(_))) && p.is_fixed()
    }

    /// What there is for each processor at the address in a register.
    pub(super) fn per_cpu(&self, reg: &Reg) -> Option<PtrKind> {
        let p = reg.as_pointer().filter(|p| !p.nullable && p.off == 0 && p.is_fixed())?;
        match p.kind {
            PtrKind::Remote { percpu: true, .. } => Some(p.kind),
            PtrKind::Object { percpu: true, hold: Hold::Rcu, .. } => Some(p.kind),
            _ => None,
        }
    }

    /// A processor's own copy of that.
    pub(super) fn copy_of(&mut self, slot: u32, call: &Call, nullable: bool) -> Reg {
        let kind = match call.percpu {
            Some(PtrKind::Object { ty, hold, .. }) => PtrKind::Object { ty, hold, percpu: false },
            Some(PtrKind::Remote { ty, .. }) => {
                let composite = self.cx.btf.filter(|btf| !members::is_composite(btf, TypeId(ty)));
                match composite {
                    Some(btf) => {
                        let size = btf.size_of(TypeId(ty)).unwrap_or(0) as u32;
                        PtrKind::Mem { size, writable: false }
                    }
                    None => PtrKind::Btf { ty, trust: Trust::Plain },
                }
            }
            _ => return Reg::unknown(slot),
        };
        match Reg::or_null(kind, self.fresh_id(), 0, slot) {
            Reg::Pointer(p) => Reg::Pointer(Pointer { nullable, ..p }),
            other => other,
        }
    }

    /// The address of a kernel variable, or of a function.
    pub(super) fn kernel_variable(&self, slot: u32, id: u32) -> Reg {
        let unknown = Reg::unknown(slot);
        let Some(btf) = self.cx.btf else { return unknown };
        if btf.kind(TypeId(id)) == Some(Kind::Func) {
            return Reg::pointer(PtrKind::Mem { size: 0, writable: false }, slot);
        }
        let Some(ty) = btf.target(TypeId(id)).and_then(|ty| btf.resolve(ty)) else { return unknown };
        if btf.kind(TypeId(id)) != Some(Kind::Var) {
            return unknown;
        }
        let percpu = btf.find(".data..percpu", Kind::Datasec).and_then(|section| btf.ty(section));
        let percpu = matches!(&percpu, Some(btf::Type::Datasec { vars, .. })
            if vars.iter().any(|var| var.ty == TypeId(id)));
        let kind = match (percpu, members::is_composite(btf, ty)) {
            (true, _) => PtrKind::Remote { ty: ty.0, percpu },
            (false, true) => PtrKind::Btf { ty: ty.0, trust: Trust::Plain },
            (false, false) => PtrKind::Mem { size: btf.size_of(ty).unwrap_or(0) as u32, writable: false },
        };
        Reg::pointer(kind, slot)
    }

    /// A pointer to the kernel structure with this name.
    pub(super) fn kernel_structure(&self, name: &str, trust: Trust) -> Check<PtrKind> {
        let what = || alloc::format!("`struct {name}` without the kernel's BTF");
        let ty = self.cx.btf.and_then(|btf| btf.find(name, Kind::Struct));
        let ty = ty.ok_or_else(|| Cause::Unsupported { what: what() })?;
        Ok(PtrKind::Btf { ty: ty.0, trust })
    }
}

/// Is the structure `name` at the start of this one, or this one itself?
pub fn begins_with(btf: &Btf, mut ty: TypeId, name: &str) -> bool {
    // Deeper nesting than this is a cycle in broken input.
    for _ in 0..32 {
        let Some(composite) = btf.resolve(ty).filter(|&ty| btf.kind(ty) == Some(Kind::Struct)) else {
            return false;
        };
        if btf.name(composite) == name {
            return true;
        }
        match btf.fields(composite).next() {
            Some(member) if member.byte_offset() == Some(0) => ty = member.ty,
            _ => return false,
        }
    }
    false
}
