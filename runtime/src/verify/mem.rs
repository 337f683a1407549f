//! Memory accesses: is every byte that may be touched one that the program may touch?
//!
//! One function decides for each kind of pointer which offsets are allowed; loads, stores, atomics
//! and helpers all go through [`Walk::check_access`].

use alloc::format;
use alloc::string::String;

use skep_stdlib::capabilities::Capability;
use skep_stdlib::isa::{AtomicOp, Operand, Reg as R, Size, Width};

use super::access::{access, may_be_atomic};
use super::call::Call;
use super::reg::{Link, Num, Pointer, PtrKind, Reg, Step};
use super::report::{Access, Cause};
use super::scalar::Scalar;
use super::stack;
use super::state::State;
use super::trace::Event;
use super::walk::{Check, Walk, read, write};

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
            num.link = Link::NONE;
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
            | PtrKind::Probed
            | PtrKind::Ringbuf(_)
            | PtrKind::PacketEnd
            | PtrKind::FlowKeys
            | PtrKind::Iter { .. }
            | PtrKind::Irq { .. }
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
            if !self.cx.leaks() {
                let log = format!("R{reg} leaks addr into {}", leaks_into(pointer.kind));
                return Err(Cause::PointerLeak { reg, log });
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
    /// What a callee writes to the stack.
    pub(super) fn fill(&mut self, state: &mut State, call: &Call) {
        for &(depth, start, end) in &call.fills {
            stack::fill(state, depth, start, end);
        }
    }

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
            let log = "cannot spill pointers to stack into stack frame of the caller".into();
            return Err(Cause::PointerLeak { reg: reg.number(), log });
        }
        let spills = matches!(value, Reg::Pointer(_));
        self.note_store(state, slot, (depth, start, end), spills);
        let exact = access.min == access.max;
        self.destroy_dynptrs(state, slot, depth, start, end)?;
        if !exact {
            // What is there decides what is there afterwards.
            self.read_stack(depth, start, end);
        } else {
            if start.rem_euclid(8) == 0 && (spills || self.cx.may(Capability::Bpf)) {
                self.event = Event::Stack(stack::place(depth, start));
            }
            if access.size == 8 {
                self.wrote_slot(depth, start);
            }
        }
        let trust = self.cx.trust();
        if value.value() == Some(0) && !(exact && start.rem_euclid(8) == 0 && trust.parts) {
            // It is kept as bytes that are zero.
            self.need_operand(state, src);
        }
        if let (Reg::Scalar(num), Operand::Reg(reg)) = (value, src)
            && trust.numbers
            && trust.parts
            && exact
            && start.rem_euclid(8) == 0
            && (num.link.id == 0 || num.link.step != Step::Copy)
            && num.value.value().is_none()
            && (access.size == 8 || num.value.r64.umax >> (8 * access.size) == 0)
        {
            // The spilled copy and the register know the same from now on.
            value = Reg::Scalar(Num { link: self.fresh_link(), ..num });
            state.frame_mut().regs[reg.index()] = value;
        }
        stack::store(state, depth, access, value, trust)
    }

    /// What an acquire or a release needs besides what its load or store needs.
    pub(super) fn ordered(&mut self, state: &mut State, size: Size, base: R, off: i16, write: bool) -> Check {
        let pointer = self.address(state, base)?;
        let access = access(&pointer, base, off, size.bytes(), write);
        may_be_atomic(&pointer, &access, None)
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
            if let (Reg::Pointer(_), false) = (read(state, reg)?, self.cx.leaks()) {
                let log = format!("R{} leaks addr into mem", reg.number());
                return Err(Cause::PointerLeak { reg: reg.number(), log });
            }
        }
        let access = access(&pointer, base, off, size.bytes(), true);
        self.check_way(slot, &access)?;
        may_be_atomic(&pointer, &access, Some(op))?;
        let old = self.load_value(state, slot, &pointer, &Access { write: false, ..access })?;
        if !matches!(old, Reg::Scalar(_)) && !self.cx.leaks() {
            let log = format!("leaking pointer from stack off {}", access.min);
            return Err(Cause::PointerLeak { reg: src.number(), log });
        }
        match pointer.kind {
            PtrKind::Stack(depth) => {
                self.event = Event::Stack(stack::place(depth, access.min as i32));
                let (start, end) = stack::bounds(&access)?;
                stack::fill(state, depth, start, end);
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

/// The kernel's word for memory that others read.
fn leaks_into(kind: PtrKind) -> &'static str {
    match kind {
        PtrKind::Ctx => "ctx",
        PtrKind::MapValue(_) => "map",
        PtrKind::Packet(_) | PtrKind::PacketMeta(_) => "packet",
        PtrKind::FlowKeys => "flow keys",
        _ => "mem",
    }
}
