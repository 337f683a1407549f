//! Memory accesses: is every byte that may be touched one that the program may touch?
//!
//! One function decides for each kind of pointer which offsets are allowed; loads, stores, atomics
//! and helpers all go through [`Walk::check_access`].

use alloc::format;
use alloc::string::String;

use skep_stdlib::isa::{AtomicOp, Operand, Reg as R, Size, Width};

use super::args::BUFFER;
use super::facts::is_own;
use super::reg::{Num, Pointer, PtrKind, Reg};
use super::report::terms::tnum;
use super::report::{Access, Cause};
use super::scalar::Scalar;
use super::stack;
use super::state::State;
use super::trace::Event;
use super::walk::{Check, Walk, read, write};

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
    #[allow(clippy::too_many_arguments)]
    pub(super) fn load(
        &mut self,
        state: &mut State,
        slot: u32,
        size: Size,
        signed: bool,
        dst: R,
        base: R,
        off: i16,
    ) -> Check {
        let pointer = self.address(state, base)?;
        let access = access(&pointer, base, off, size.bytes(), false);
        let mut value = self.load_value(state, slot, &pointer, &access)?;
        self.check_way(slot, &access)?;
        if signed {
            let Reg::Scalar(num) = &mut value else {
                let log = match access.kind {
                    PtrKind::Ctx => {
                        format!("invalid bpf_context access off={} size={}", access.min, access.size)
                    }
                    _ => String::new(),
                };
                return Err(Cause::Opaque { access, log });
            };
            num.value.sign_extend(size.bytes() * 8, Width::W64);
            num.id = 0;
        }
        write(state, dst, value)
    }

    fn load_value(&mut self, state: &mut State, slot: u32, pointer: &Pointer, access: &Access) -> Check<Reg> {
        self.check_alignment(pointer, access)?;
        match pointer.kind {
            PtrKind::Stack(depth) => {
                let (start, end) = stack::bounds(access)?;
                self.touch_stack(state, depth, start);
                self.read_stack(depth, start, end);
                let (value, spilled) = stack::load(state, slot, depth, access, self.cx.trust())?;
                if spilled {
                    self.event = Event::Stack(stack::place(depth, start));
                }
                Ok(value)
            }
            PtrKind::Ctx => self.load_context(slot, pointer, access),
            PtrKind::Btf { .. } => self.load_structure(state, slot, pointer, access),
            PtrKind::Object { .. } => {
                self.check_object(pointer, access)?;
                Ok(Reg::scalar(Scalar::of_bytes(access.size), slot))
            }
            PtrKind::Map(map) => self.load_map(state, slot, pointer, map, access),
            PtrKind::Socket(sock) => self.load_socket(slot, pointer, sock, access),
            PtrKind::MapValue(map) => {
                if let Some(kept) = self.load_kptr(state, slot, pointer, access)? {
                    return Ok(kept);
                }
                self.check_access(pointer, access)?;
                Ok(match self.frozen_value(map, access) {
                    Some(value) => Reg::constant(value, slot),
                    None => Reg::scalar(Scalar::of_bytes(access.size), slot),
                })
            }
            PtrKind::Packet(_)
            | PtrKind::PacketMeta(_)
            | PtrKind::Mem { .. }
            | PtrKind::Ringbuf(_)
            | PtrKind::PacketEnd
            | PtrKind::FlowKeys
            | PtrKind::Iter { .. }
            | PtrKind::Remote { .. }
            | PtrKind::Dynptr(_)
            | PtrKind::Arena
            | PtrKind::Func(_) => {
                self.check_access(pointer, access)?;
                Ok(Reg::scalar(Scalar::of_bytes(access.size), slot))
            }
        }
    }

    pub(super) fn store(
        &mut self,
        state: &mut State,
        slot: u32,
        size: Size,
        base: R,
        off: i16,
        src: Operand,
    ) -> Check {
        let pointer = self.address(state, base)?;
        let value = self.operand(state, slot, src)?;
        let access = access(&pointer, base, off, size.bytes(), true);
        self.check_way(slot, &access)?;
        self.check_alignment(&pointer, &access)?;
        if let PtrKind::Stack(depth) = pointer.kind {
            return self.store_stack(state, slot, depth, &access, value, src);
        }
        if let Reg::Pointer(_) = value {
            let reg = match src {
                Operand::Reg(reg) => reg.number(),
                Operand::Imm(_) => 0,
            };
            // What is not the stack is readable from outside.
            if !self.cx.privileged {
                return Err(Cause::PointerLeak { reg });
            }
        }
        match pointer.kind {
            PtrKind::Ctx => self.store_context(&pointer, &access),
            PtrKind::Object { .. } => self.check_object(&pointer, &access),
            PtrKind::Btf { .. } => self.store_structure(&pointer, &access),
            PtrKind::MapValue(_) if self.store_kptr(&pointer, &access, &value)? => {
                self.need_operand(state, src);
                Ok(())
            }
            _ => self.check_access(&pointer, &access),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn store_stack(
        &mut self,
        state: &mut State,
        slot: u32,
        depth: u32,
        access: &Access,
        mut value: Reg,
        src: Operand,
    ) -> Check {
        let (start, end) = stack::bounds(access)?;
        self.touch_stack(state, depth, start);
        let running = state.frames.len() as u32 - 1;
        if let (Reg::Pointer(Pointer { kind: PtrKind::Stack(_), .. }), Operand::Reg(reg)) = (value, src)
            && depth != running
        {
            // It would outlive the frame that it points into.
            return Err(Cause::PointerLeak { reg: reg.number() });
        }
        let exact = access.min == access.max;
        self.destroy_dynptrs(state, slot, depth, start, end)?;
        if !exact {
            // What is there decides what is there afterwards.
            self.read_stack(depth, start, end);
        } else {
            self.event = Event::Stack(stack::place(depth, start));
            if access.size == 8 {
                self.wrote_slot(depth, start);
            }
        }
        if value.value() == Some(0) && !(exact && start.rem_euclid(8) == 0) {
            // It is kept as bytes that are zero.
            self.need_operand(state, src);
        }
        if let (Reg::Scalar(num), Operand::Reg(reg)) = (value, src)
            && num.id == 0
            && num.value.value().is_none()
            && (access.size == 8 || num.value.r64.umax >> (8 * access.size) == 0)
        {
            // The spilled copy and the register know the same from now on.
            value = Reg::Scalar(Num { id: self.fresh_id(), ..num });
            state.frame_mut().regs[reg.index()] = value;
        }
        stack::store(state, depth, access, value, self.cx.trust())
    }

    /// What an acquire or a release needs besides what its load or store needs.
    pub(super) fn ordered(&mut self, state: &mut State, size: Size, base: R, off: i16, write: bool) -> Check {
        let pointer = self.address(state, base)?;
        let access = access(&pointer, base, off, size.bytes(), write);
        may_be_atomic(&pointer, &access, false)
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn atomic(
        &mut self,
        state: &mut State,
        slot: u32,
        size: Size,
        op: AtomicOp,
        base: R,
        off: i16,
        src: R,
    ) -> Check {
        let pointer = self.address(state, base)?;
        let compared = (op == AtomicOp::CmpXchg).then_some(R::R0);
        for reg in [Some(src), compared].into_iter().flatten() {
            if let (Reg::Pointer(_), false) = (read(state, reg)?, self.cx.privileged) {
                return Err(Cause::PointerLeak { reg: reg.number() });
            }
        }
        let access = access(&pointer, base, off, size.bytes(), true);
        self.check_way(slot, &access)?;
        may_be_atomic(&pointer, &access, true)?;
        let old = self.load_value(state, slot, &pointer, &Access { write: false, ..access })?;
        if !matches!(old, Reg::Scalar(_)) && !self.cx.privileged {
            return Err(Cause::PointerLeak { reg: src.number() });
        }
        match pointer.kind {
            PtrKind::Stack(depth) => {
                self.event = Event::Stack(stack::place(depth, access.min as i32));
                stack::store(state, depth, &access, Reg::unknown(slot), self.cx.trust())?;
            }
            _ => self.check_access(&pointer, &access)?,
        }
        let target = match op {
            AtomicOp::CmpXchg => Some(R::R0),
            AtomicOp::Xchg => Some(src),
            AtomicOp::Add { fetch }
            | AtomicOp::Or { fetch }
            | AtomicOp::And { fetch }
            | AtomicOp::Xor { fetch } => fetch.then_some(src),
        };
        if target == Some(base) {
            // The kernel looks at the address again when the result has replaced it.
            return Err(Cause::Misaligned { access });
        }
        let fetched = old;
        match op {
            AtomicOp::CmpXchg => write(state, R::R0, fetched),
            AtomicOp::Xchg => write(state, src, fetched),
            AtomicOp::Add { fetch }
            | AtomicOp::Or { fetch }
            | AtomicOp::And { fetch }
            | AtomicOp::Xor { fetch } => {
                if fetch {
                    write(state, src, fetched)
                } else {
                    Ok(())
                }
            }
        }
    }

    /// The pointer in `base`, which must not be null.
    fn address(&self, state: &State, base: R) -> Check<Pointer> {
        match read(state, base)? {
            Reg::Pointer(pointer) => Ok(pointer),
            Reg::Scalar(num) => {
                Err(Cause::NotAPointer { reg: base.number(), born: num.slot, value: num.value.value() })
            }
            Reg::Uninit => Err(Cause::Uninit { reg: base.number() }),
        }
    }

    /// Are all bytes of the access inside what the pointer points to? Stack, context and kernel
    /// structures have rules of their own.
    pub(super) fn check_access(&mut self, pointer: &Pointer, access: &Access) -> Check {
        let access = *access;
        if pointer.nullable {
            return Err(Cause::MaybeNull { access });
        }
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
            | PtrKind::Remote { .. }
            | PtrKind::Dynptr(_)
            | PtrKind::Func(_) => return Err(Cause::Opaque { access, log: String::new() }),
            // An access to an address that is not there does nothing.
            PtrKind::Arena => {}
        }
        Ok(())
    }

    /// x86-64 takes unaligned accesses, so the kernel asks for alignment only of the stack,
    /// unless it is told to ask for it everywhere.
    fn check_alignment(&self, pointer: &Pointer, access: &Access) -> Check {
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
    fn check_way(&mut self, slot: u32, access: &Access) -> Check {
        let way = access.kind.way();
        let (known, own) = self.ways.entry(slot).or_insert((way, true));
        *own &= is_own(access.kind);
        match *known == way {
            true => Ok(()),
            false => Err(Cause::MixedAccess { access: *access }),
        }
    }

    /// The constant at a fixed offset of a map that nobody can change.
    fn frozen_value(&self, map: u32, access: &Access) -> Option<u64> {
        let def = self.cx.map(map).filter(|def| def.is_frozen())?;
        if access.min != access.max {
            return None;
        }
        let start = usize::try_from(access.min).ok()?;
        let bytes = def.contents.get(start..start + access.size as usize)?;
        Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }
}

/// Is there memory behind the pointer that an acquire or a release goes to, or an operation that reads and
/// writes (`both`), and is it aligned?
fn may_be_atomic(pointer: &Pointer, access: &Access, both: bool) -> Check {
    let opaque = match pointer.kind {
        PtrKind::Ctx
        | PtrKind::Packet(_)
        | PtrKind::PacketMeta(_)
        | PtrKind::PacketEnd
        | PtrKind::Socket(_)
        | PtrKind::FlowKeys => true,
        PtrKind::Object { .. } | PtrKind::Btf { .. } => both,
        PtrKind::Stack(_)
        | PtrKind::Map(_)
        | PtrKind::MapValue(_)
        | PtrKind::Mem { .. }
        | PtrKind::Ringbuf(_)
        | PtrKind::Iter { .. }
        | PtrKind::Remote { .. }
        | PtrKind::Dynptr(_)
        | PtrKind::Arena
        | PtrKind::Func(_) => false,
    };
    match (opaque, is_aligned(pointer, access)) {
        (true, _) => {
            let log = format!(
                "BPF_ATOMIC stores into R{} {} is not allowed",
                access.reg,
                access.kind.kernel_name()
            );
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
