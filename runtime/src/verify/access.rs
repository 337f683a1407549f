//! Whether every byte that an instruction or a callee may touch is one that the program may touch, by what
//! the pointer points to. Stack, context and kernel structures have rules of their own.

use alloc::format;
use alloc::string::String;

use skep_stdlib::isa::{AtomicOp, Reg as R};

use super::args::BUFFER;
use super::facts::is_own;
use super::reg::{Pointer, PtrKind};
use super::report::terms::tnum;
use super::report::{Access, Cause};
use super::walk::{Check, Walk};

/// Creation flag of maps that programs may only read (`BPF_F_RDONLY_PROG`).
const READ_ONLY: u32 = 1 << 7;
/// Variable offsets are smaller (kernel `BPF_MAX_VAR_OFF`).
const MAX_VARIABLE: u64 = 1 << 29;
/// Bytes of `struct bpf_flow_keys`.
const FLOW_KEYS_SIZE: u32 = 56;
/// Where packets begin, modulo 4: so that what follows the Ethernet header is aligned (kernel
/// `NET_IP_ALIGN`).
const PACKET_ALIGN: i64 = 2;
/// Creation flag of maps that programs may only write (`BPF_F_WRONLY_PROG`).
const WRITE_ONLY: u32 = 1 << 8;

impl Walk<'_> {
    /// Are all bytes of the access inside what the pointer points to? Stack, context and kernel
    /// structures have rules of their own.
    pub(super) fn check_access(&mut self, pointer: &Pointer, access: &Access) -> Check {
        let access = *access;
        if pointer.nullable {
            return Err(Cause::MaybeNull { access });
        }
        self.check_variable(pointer, &access)?;
        let outside = |limit: u32| access.min < 0 || access.end() > i64::from(limit);
        match pointer.kind {
            PtrKind::MapValue(map) => {
                let def = self.cx.map(map);
                let value_size = def.map_or(0, |def| def.value_size);
                if outside(value_size) {
                    return Err(Cause::MapValueBounds { access, map, value_size });
                }
                if access.size > 0
                    && let Some(field) =
                        self.special_fields(map).iter().find(|field| field.overlaps(access.min, access.end()))
                {
                    return Err(Cause::SpecialField { access, field: field.name });
                }
                let has_flag = |flag| def.is_some_and(|def| def.flags & flag != 0);
                if access.write && (def.is_some_and(|def| def.is_frozen()) || has_flag(READ_ONLY)) {
                    return Err(Cause::ReadOnly { access, limit: value_size });
                }
                if !access.write && has_flag(WRITE_ONLY) {
                    return Err(Cause::WriteOnly { access, limit: value_size });
                }
            }
            PtrKind::Packet(proven) | PtrKind::PacketMeta(proven) => {
                // The variable part was part of the proof: only the fixed part counts.
                let start = access.fixed;
                let end = start + i64::from(access.size);
                if start < 0 || end > i64::from(proven) || access.end() > 0xffff {
                    let access = Access { min: start, max: start, ..access };
                    let proven = u32::try_from(proven).unwrap_or(0);
                    return Err(Cause::PacketBounds { access, proven });
                }
                if access.write && !self.cx.may_write_packet() {
                    return Err(Cause::ReadOnly { access, limit: 0 });
                }
            }
            PtrKind::Mem { size, writable } => {
                if size == BUFFER && access.min != access.max {
                    let (min, max) = (pointer.var.r64.smin, pointer.var.r64.umax);
                    let log = format!(
                        "R{} invalid variable buffer offset: off={}, var_off={}",
                        access.reg,
                        access.fixed,
                        tnum(&pointer.var)
                    );
                    return Err(Cause::UnboundedOffset {
                        reg: access.reg,
                        kind: pointer.kind,
                        min,
                        max,
                        log,
                    });
                }
                if outside(size) {
                    return Err(Cause::MemBounds { access, limit: size });
                }
                if access.write && !writable {
                    return Err(Cause::ReadOnly { access, limit: size });
                }
            }
            PtrKind::Ringbuf(size) => {
                if outside(size) {
                    return Err(Cause::MemBounds { access, limit: size });
                }
            }
            PtrKind::FlowKeys => {
                if outside(FLOW_KEYS_SIZE) {
                    return Err(Cause::MemBounds { access, limit: FLOW_KEYS_SIZE });
                }
            }
            PtrKind::Ctx
            | PtrKind::Stack(_)
            | PtrKind::Map(_)
            | PtrKind::PacketEnd
            | PtrKind::Btf { .. }
            | PtrKind::Object { .. }
            | PtrKind::Socket(_)
            | PtrKind::Iter { .. }
            | PtrKind::Irq { .. }
            | PtrKind::Remote { .. }
            | PtrKind::Dynptr(_)
            | PtrKind::Func(_) => return Err(Cause::Opaque { access, log: String::new() }),
            PtrKind::Probed if access.write => return Err(Cause::ReadOnly { access, limit: 0 }),
            // An access to an address that is not there does nothing.
            PtrKind::Arena | PtrKind::Probed => {}
        }
        Ok(())
    }

    /// Is the variable part of an address in a region small enough?
    fn check_variable(&self, pointer: &Pointer, access: &Access) -> Check {
        let is_region =
            matches!(pointer.kind, PtrKind::MapValue(_) | PtrKind::Mem { .. } | PtrKind::Ringbuf(_));
        if is_region && pointer.var.r64.umax >= MAX_VARIABLE {
            // Negative variable offsets are not followed, even where fixed ones make up for them.
            let (min, max) = (pointer.var.r64.smin, pointer.var.r64.umax);
            let log = match pointer.kind {
                PtrKind::MapValue(map) => {
                    let size = self.cx.map(map).map_or(0, |def| def.value_size);
                    access.unbounded(size, "map value, value_size")
                }
                PtrKind::Mem { size, .. } | PtrKind::Ringbuf(size) => {
                    access.unbounded(size, "memory, mem_size")
                }
                _ => access.unbounded(0, ""),
            };
            return Err(Cause::UnboundedOffset { reg: access.reg, kind: pointer.kind, min, max, log });
        }
        Ok(())
    }

    /// x86-64 takes unaligned accesses, so the kernel asks for alignment only of the stack,
    /// unless it is told to ask for it everywhere.
    pub(super) fn check_alignment(&self, pointer: &Pointer, access: &Access) -> Check {
        let aligned = match pointer.kind {
            // Which of its bytes may be accessed together is a matter of its own.
            PtrKind::Ctx => true,
            PtrKind::Stack(_) => is_aligned(pointer, access),
            PtrKind::Packet(_) | PtrKind::PacketMeta(_) => {
                !self.cx.aligned
                    || is_aligned(pointer, &Access { fixed: access.fixed + PACKET_ALIGN, ..*access })
            }
            _ => !self.cx.aligned || is_aligned(pointer, access),
        };
        if aligned { Ok(()) } else { Err(Cause::Misaligned { access: *access }) }
    }

    /// Do all paths access memory the same way at this instruction?
    pub(super) fn check_way(&mut self, slot: u32, access: &Access) -> Check {
        let way = access.kind.way();
        let (known, own) = self.ways[slot as usize].unwrap_or((way, true));
        self.ways[slot as usize] = Some((known, own && is_own(access.kind)));
        match known == way {
            true => Ok(()),
            false => Err(Cause::MixedAccess { access: *access }),
        }
    }
}

/// Is there memory behind the pointer that an acquire or a release goes to, or an operation that reads and
/// writes, and is it aligned? The kernel's compiler for x86-64 has a say too (`bpf_jit_supports_insn`).
pub fn may_be_atomic(pointer: &Pointer, access: &Access, op: Option<AtomicOp>) -> Check {
    let opaque = match pointer.kind {
        PtrKind::Ctx
        | PtrKind::Packet(_)
        | PtrKind::PacketMeta(_)
        | PtrKind::PacketEnd
        | PtrKind::Socket(_)
        | PtrKind::FlowKeys
        | PtrKind::Probed => true,
        PtrKind::Object { .. } | PtrKind::Btf { .. } => op.is_some(),
        // Such an instruction becomes a loop in the kernel's code for x86-64, in which nothing may fault.
        PtrKind::Arena => matches!(
            op,
            Some(
                AtomicOp::And { fetch: true } | AtomicOp::Or { fetch: true } | AtomicOp::Xor { fetch: true }
            )
        ),
        PtrKind::Stack(_)
        | PtrKind::Map(_)
        | PtrKind::MapValue(_)
        | PtrKind::Mem { .. }
        | PtrKind::Ringbuf(_)
        | PtrKind::Iter { .. }
        | PtrKind::Irq { .. }
        | PtrKind::Remote { .. }
        | PtrKind::Dynptr(_)
        | PtrKind::Func(_) => false,
    };
    match (opaque, pointer.kind == PtrKind::Arena || is_aligned(pointer, access)) {
        (true, _) => {
            let verb = if access.write { "stores into" } else { "loads from" };
            let log =
                format!("BPF_ATOMIC {verb} R{} {} is not allowed", access.reg, access.kind.kernel_name());
            Err(Cause::Opaque { access: *access, log })
        }
        (false, true) => Ok(()),
        (false, false) => Err(Cause::Misaligned { access: *access }),
    }
}

/// Is the address a multiple of the size?
pub fn is_aligned(pointer: &Pointer, access: &Access) -> bool {
    let size = u64::from(access.size);
    access.fixed.rem_euclid(size as i64) == 0 && pointer.var.tnum.is_aligned(size)
}

/// The bytes that an instruction accesses.
pub fn access(pointer: &Pointer, base: R, off: i16, size: u32, write: bool) -> Access {
    let fixed = i64::from(pointer.off) + i64::from(off);
    Access {
        reg: base.number(),
        kind: pointer.kind,
        size,
        write,
        indirect: false,
        off: off.into(),
        min: fixed.saturating_add(pointer.var.r64.smin),
        max: fixed.saturating_add(pointer.var.r64.smax),
        id: pointer.id,
        fixed,
        born: pointer.slot,
    }
}
