//! Arithmetic: on numbers through [`Scalar`], on pointers by the kernel's rules
//! (`adjust_ptr_min_max_vals`).
//!
//! Pointers may be moved by numbers with known bounds, subtracted from each other when both point
//! into the packet, and copied whole. Anything else makes them useless or is refused.

use alloc::boxed::Box;
use alloc::format;

use skep_stdlib::capabilities::Capability;
use skep_stdlib::features::Feature;
use skep_stdlib::isa::{AluOp, Endian, Imm64, Insn, Operand, Reg as R, Width};
use skep_stdlib::maps::MapType;

use super::Context;
use super::guesses::Move;
use super::movement::{NEITHER, forbidden, sign};
use super::reg::{Link, Num, Pointer, PtrKind, Reg, Step};
use super::report::Cause;
use super::scalar::Scalar;
use super::state::State;
use super::walk::{Check, Walk, read, write};

impl Walk<'_> {
    pub(super) fn operand(&self, state: &State, slot: u32, operand: Operand) -> Check<Reg> {
        match operand {
            Operand::Reg(reg) => read(state, reg),
            Operand::Imm(imm) => Ok(Reg::constant(imm as i64 as u64, slot)),
        }
    }

    /// What is known of a number after an operation, where the facts contradict each other: that is on
    /// paths that no run takes and the kernel still walks, with no bounds (`reg_bounds_sanity_check`).
    pub(super) fn reconcile(&self, value: &mut Scalar) {
        if self.cx.target.has(Feature::OnlyNumbers) {
            value.settle();
        }
        if value.is_empty() {
            value.unbound();
        }
    }

    /// An AND or OR of a constant with what is 0 or -1 makes two paths of one: here it is -1 from now on, and
    /// where it is 0 the instruction is met again (kernel `maybe_fork_scalars`).
    pub(super) fn fork_mask(&self, state: &mut State, op: AluOp, dst: R, src: Operand) -> Option<Box<State>> {
        if !matches!(op, AluOp::And | AluOp::Or) || !self.cx.target.has(Feature::ForkedMasks) {
            return None;
        }
        let is_constant = match src {
            Operand::Imm(_) => true,
            Operand::Reg(src) => state.frame().regs[src.index()].value().is_some(),
        };
        let Reg::Scalar(num) = state.frame().regs[dst.index()] else { return None };
        let width = num.value.mask_width().filter(|_| is_constant)?;
        let fixed = |value: u64| {
            let mut num = num;
            num.value.fix(value, width);
            Reg::Scalar(num)
        };
        let mut zero = state.clone();
        zero.frame_mut().regs[dst.index()] = fixed(0);
        state.frame_mut().regs[dst.index()] = fixed(u64::MAX);
        Some(Box::new(zero))
    }

    pub(super) fn alu(
        &mut self,
        state: &mut State,
        slot: u32,
        width: Width,
        op: AluOp,
        dst: R,
        src: Operand,
    ) -> Check {
        let right = self.operand(state, slot, src)?;
        let left = read(state, dst)?;
        check_immediate(op, width, src)?;
        let result = match (left, right) {
            (Reg::Scalar(a), Reg::Scalar(b)) => {
                if !self.cx.leaks() {
                    self.mask_number(slot, op, dst, src)?;
                }
                let mut value = a.value;
                value.alu(op, &b.value, width);
                self.reconcile(&mut value);
                let link = self.moved(&a, op, width, &b);
                Reg::Scalar(Num { value, link, slot })
            }
            // Any arithmetic on addresses of an arena gives such an address.
            (Reg::Pointer(p), Reg::Scalar(_) | Reg::Pointer(_)) if p.kind == PtrKind::Arena => left,
            (Reg::Scalar(_) | Reg::Pointer(_), Reg::Pointer(p)) if p.kind == PtrKind::Arena => right,
            // No place is tracked in memory that is probed wherever it is read.
            (Reg::Pointer(p), Reg::Scalar(_)) if p.kind == PtrKind::Probed && width == Width::W64 => {
                self.need_operand(state, src);
                left
            }
            // Kernels leave the number as it was, which is wrong.
            (Reg::Scalar(_), Reg::Pointer(p)) if p.kind == PtrKind::Probed && width == Width::W64 => {
                self.need(state, dst);
                Reg::unknown(slot)
            }
            (Reg::Pointer(a), Reg::Pointer(_)) => self.pointer_difference(&a, op, dst, slot)?,
            (Reg::Pointer(p), Reg::Scalar(n)) => {
                self.need_operand(state, src);
                let by = Move { slot, op, width, dst, src, number: &n, in_place: true };
                self.move_guarded(state, p, &by)?
            }
            (Reg::Scalar(n), Reg::Pointer(p)) if op == AluOp::Add => {
                self.need(state, dst);
                let by = Move { slot, op, width, dst, src, number: &n, in_place: false };
                self.move_guarded(state, p, &by)?
            }
            (Reg::Scalar(_), Reg::Pointer(_))
                if op == AluOp::Sub && width == Width::W32 && self.cx.leaks() =>
            {
                Reg::unknown(slot)
            }
            (Reg::Scalar(_), Reg::Pointer(p)) => {
                let log = match op {
                    AluOp::Sub => "tried to subtract pointer from scalar".into(),
                    AluOp::And | AluOp::Or | AluOp::Xor => {
                        format!("bitwise operator {} on pointer prohibited", sign(op))
                    }
                    _ => format!("pointer arithmetic with {} operator prohibited", sign(op)),
                };
                return Err(forbidden(&p, dst, NEITHER, &log));
            }
            (Reg::Uninit, _) | (_, Reg::Uninit) => return Err(Cause::Uninit { reg: dst.number() }),
        };
        write(state, dst, result)
    }

    pub(super) fn mov(&mut self, state: &mut State, slot: u32, width: Width, dst: R, src: Operand) -> Check {
        let value = self.operand(state, slot, src)?;
        let value = match (value, width, src) {
            (Reg::Scalar(num), Width::W64, Operand::Reg(from)) => Reg::Scalar(self.share(state, from, num)),
            (Reg::Scalar(mut num), Width::W32, _) => {
                let whole = num.value.r64.umax <= u64::from(u32::MAX);
                if let (true, Operand::Reg(from)) = (whole, src) {
                    Reg::Scalar(self.share(state, from, num))
                } else {
                    num.value.truncate(4);
                    self.reconcile(&mut num.value);
                    Reg::Scalar(Num { link: Link::NONE, slot, ..num })
                }
            }
            (Reg::Pointer(_), Width::W32, Operand::Reg(from)) if !self.cx.leaks() => {
                let log = format!("R{} partial copy of pointer", from.number());
                return Err(Cause::PointerLeak { reg: from.number(), log });
            }
            (Reg::Pointer(_), Width::W32, _) => Reg::scalar(Scalar::of_bytes(4), slot),
            (value, _, _) => value,
        };
        write(state, dst, value)
    }

    /// What is left of the link of a number that is changed: a constant may be added, once, and for
    /// newer kernels taken away, and that in 32 bits too if the number has no more.
    fn moved(&self, num: &Num, op: AluOp, width: Width, added: &Num) -> Link {
        let Link { id, step, .. } = num.link;
        let is_known = self.cx.may(Capability::Bpf) && self.cx.target.has(Feature::LinkedConstants);
        if id == 0 || step != Step::Copy || !is_known {
            return Link::NONE;
        }
        let (amount, step) = match width {
            Width::W64 => (added.value.value().map(|amount| amount as i64), Step::Wide),
            Width::W32 => (added.value.value32().map(|amount| (amount as i32).into()), Step::Narrow),
        };
        let amount = amount.and_then(|amount| i32::try_from(amount).ok());
        let delta = match op {
            AluOp::Add => amount,
            AluOp::Sub => amount.and_then(i32::checked_neg),
            _ => None,
        };
        let fits = match self.cx.target.has(Feature::LinkedDifferences) {
            true => width == Width::W64 || num.value.r64.umax <= u64::from(u32::MAX),
            false => width == Width::W64 && op == AluOp::Add && delta.is_some_and(|delta| delta >= 0),
        };
        match delta {
            Some(delta) if fits => Link { id, delta, step },
            _ => Link::NONE,
        }
    }

    /// A link that no number has yet.
    pub(super) fn fresh_link(&mut self) -> Link {
        Link { id: self.fresh_id(), ..Link::NONE }
    }

    /// The number as a copy: it and the original share an id from now on.
    fn share(&mut self, state: &mut State, from: R, num: Num) -> Num {
        if num.link.step == Step::Copy && (num.link.id != 0 || num.value.value().is_some()) {
            return num;
        }
        let num = Num { link: self.fresh_link(), ..num };
        state.frame_mut().regs[from.index()] = Reg::Scalar(num);
        num
    }

    pub(super) fn mov_sign_extend(
        &mut self,
        state: &mut State,
        slot: u32,
        width: Width,
        bits: u8,
        dst: R,
        src: R,
    ) -> Check {
        let num = match read(state, src)? {
            Reg::Scalar(num) => num,
            _ if self.cx.leaks() => return write(state, dst, Reg::unknown(slot)),
            _ => {
                let log = format!("R{} sign-extension part of pointer", src.number());
                return Err(Cause::PointerLeak { reg: src.number(), log });
            }
        };
        if num.value.r64.umax >> (bits - 1) == 0 {
            // There is no sign: a copy.
            return self.mov(state, slot, Width::W64, dst, Operand::Reg(src));
        }
        let mut value = num.value;
        value.sign_extend(bits.into(), width);
        write(state, dst, Reg::scalar(value, slot))
    }

    pub(super) fn neg(&mut self, state: &mut State, slot: u32, width: Width, dst: R) -> Check {
        let num = match read(state, dst)? {
            Reg::Scalar(num) => num,
            _ if self.cx.leaks() => return write(state, dst, Reg::unknown(slot)),
            _ => return Err(scrambled(dst)),
        };
        let mut value = Scalar::constant(0);
        if !self.cx.target.has(Feature::NegatedNumbers) {
            value = Scalar::UNKNOWN;
        }
        value.alu(AluOp::Sub, &num.value, width);
        self.reconcile(&mut value);
        write(state, dst, Reg::scalar(value, slot))
    }

    /// A conversion of the byte order; the host is little-endian.
    pub(super) fn swap(&mut self, state: &mut State, slot: u32, kind: Endian, bits: u8, dst: R) -> Check {
        let bits = u32::from(bits);
        let mut value = match read(state, dst)? {
            Reg::Scalar(num) if self.cx.target.has(Feature::SwappedNumbers) => num.value,
            Reg::Pointer(_) if !self.cx.leaks() => return Err(scrambled(dst)),
            // Not even that the upper bits are zero.
            _ => return write(state, dst, Reg::unknown(slot)),
        };
        match kind {
            Endian::ToLe => value.truncate(bits / 8),
            Endian::ToBe | Endian::Bswap => value.swap(bits),
        }
        self.reconcile(&mut value);
        write(state, dst, Reg::scalar(value, slot))
    }

    /// `pointer - pointer` is a number of which nothing is known, for who may see addresses; everything
    /// else on two pointers is refused.
    fn pointer_difference(&self, a: &Pointer, op: AluOp, dst: R, slot: u32) -> Check<Reg> {
        match op {
            AluOp::Sub if self.cx.leaks() => Ok(Reg::unknown(slot)),
            _ => Err(forbidden(a, dst, NEITHER, &format!("pointer {} pointer prohibited", sign(op)))),
        }
    }

    pub(super) fn load_imm64(&mut self, state: &mut State, slot: u32, dst: R, value: Imm64) -> Check {
        let value = match value {
            Imm64::Const(value) => Reg::constant(value, slot),
            Imm64::MapIdx(index) => {
                self.check_map_fields(index as u32)?;
                Reg::pointer(PtrKind::Map(index as u32), slot)
            }
            Imm64::MapIdxValue { index, .. } if self.cx.is_arena(index as u32) => Reg::unknown(slot),
            Imm64::MapIdxValue { index, offset } => {
                let Reg::Pointer(mut pointer) = Reg::pointer(PtrKind::MapValue(index as u32), slot) else {
                    return Ok(());
                };
                self.check_map_fields(index as u32)?;
                pointer.off = offset as i32;
                Reg::Pointer(pointer)
            }
            Imm64::Func(distance) => {
                let start = (i64::from(slot) + 2 + i64::from(distance) - 1) as u32;
                if let Some(function) = self.cx.program.function_at(start).filter(|it| it.global) {
                    return Err(Cause::NotStatic { function: function.name.clone() });
                }
                Reg::pointer(PtrKind::Func(start), slot)
            }
            Imm64::BtfId { id, .. } => self.kernel_variable(slot, id as u32),
            Imm64::MapFd(_) | Imm64::MapValue { .. } => {
                return Err(Cause::Unsupported { what: "a map by file descriptor".into() });
            }
        };
        write(state, dst, value)
    }
}

/// Checks the addresses of map values in a program, also where it is never reached (kernel
/// `resolve_pseudo_ldimm64`); an error has the slot of the instruction.
pub fn check_addresses(cx: &Context<'_>) -> Result<(), (u32, Cause)> {
    for (slot, insn) in cx.program.code.iter() {
        let Insn::LoadImm64 { dst, value: Imm64::MapIdxValue { index, offset } } = *insn else { continue };
        let Some(def) = cx.map(index as u32).filter(|_| !cx.is_arena(index as u32)) else { continue };
        let value_size = def.value_size;
        if def.ty != MapType::Array {
            let log = "no direct value access support for this map type".into();
            return Err((slot, Cause::DirectValue { log }));
        }
        if def.max_entries != 1 {
            let log = format!("invalid access to map value pointer, value_size={value_size} off={offset}");
            return Err((slot, Cause::DirectValue { log }));
        }
        if offset >= value_size {
            let (kind, min, max) = (PtrKind::MapValue(index as u32), offset.into(), offset.into());
            let log = format!("invalid access to map value pointer, value_size={value_size} off={offset}");
            return Err((slot, Cause::UnboundedOffset { reg: dst.number(), kind, min, max, log }));
        }
    }
    Ok(())
}

/// An operation on one register that makes an address a number.
fn scrambled(dst: R) -> Cause {
    let log = format!("R{} pointer arithmetic prohibited", dst.number());
    Cause::PointerLeak { reg: dst.number(), log }
}

/// Constant operands that the kernel refuses: division by zero, shifts past the width.
fn check_immediate(op: AluOp, width: Width, src: Operand) -> Check {
    let Operand::Imm(imm) = src else { return Ok(()) };
    match op {
        AluOp::Div | AluOp::Mod | AluOp::Sdiv | AluOp::Smod if imm == 0 => Err(Cause::DivisionByZero {}),
        AluOp::Lsh | AluOp::Rsh | AluOp::Arsh if imm < 0 || imm as u32 >= width.bits() => {
            Err(Cause::ShiftTooFar { amount: imm.into() })
        }
        _ => Ok(()),
    }
}
