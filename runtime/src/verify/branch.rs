//! Conditional jumps: which sides are possible, and what each side proves.
//!
//! - numbers: the ranges of both operands are narrowed, in all copies of them;
//! - a pointer that may be null, compared with zero: null on one side, valid on the other;
//! - a pointer into the packet, compared with its end: so many bytes from the pointer's origin are
//!   in the packet, for all pointers of that origin (kernel `find_good_pkt_pointers`).

use alloc::boxed::Box;

use skep_stdlib::features::Feature;
use skep_stdlib::isa::{AluOp, Cond, Operand, Reg as R, Width};

use super::marks::Place;
use super::reg::{AT_END, Hold, Num, PAST_END, Pointer, PtrKind, Reg, Step, Trust};
use super::report::Cause;
use super::scalar::{self, Scalar};
use super::state::State;
use super::trace::Event;
use super::walk::{Check, Next, Walk, read};

impl Walk<'_> {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn branch(
        &mut self,
        state: &mut State,
        slot: u32,
        width: Width,
        cond: Cond,
        dst: R,
        src: Operand,
        target: u32,
    ) -> Check<Next> {
        let (left, right) = (read(state, dst)?, self.operand(state, slot, src)?);
        if !self.cx.leaks() {
            self.check_compared(&left, &right, src)?;
        }
        let after = slot + 1;
        self.event = Event::Jump(None, 0);
        let decided = match (&left, &right) {
            (Reg::Scalar(a), Reg::Scalar(b)) => scalar::compare(&a.value, &b.value, cond, width),
            (Reg::Pointer(p), Reg::Scalar(n)) | (Reg::Scalar(n), Reg::Pointer(p)) => {
                self.compare_with_number(p, n, cond, width)
            }
            (Reg::Pointer(a), Reg::Pointer(b)) if width == Width::W64 => compare_with_end(a, b, cond),
            _ => None,
        };
        if decided.is_some() {
            self.need(state, dst);
            self.need_operand(state, src);
        }
        if let Some(taken) = decided {
            let (next, other) = if taken { (target, after) } else { (after, target) };
            if !self.cx.leaks() {
                self.guess_jump(state, slot, other, !taken, (dst, src))?;
            }
            return Ok(Next::To(next));
        }
        if !self.cx.leaks() {
            self.check_undecided(&left, &right, cond, width, dst, src)?;
        }
        let linked = self.linked(state, &left, &right);
        // Like the kernel, first where the condition does not hold; and both, even if what is known of the
        // operands contradicts one.
        let mut other = state.clone();
        self.assume(&mut other, &linked, dst, src, &left, &right, cond, true, width);
        self.assume(state, &linked, dst, src, &left, &right, cond, false, width);
        self.event = Event::Jump(None, self.trace.add_group(linked));
        Ok(Next::Both(after, target, Box::new(other)))
    }

    /// Users that may not see addresses compare them with numbers and with the ends of packets only: is
    /// the second operand one that they may compare with?
    fn check_compared(&self, left: &Reg, right: &Reg, src: Operand) -> Check {
        let in_packet = |reg: &Reg| {
            let kind = reg.as_pointer().map(|p| p.kind);
            matches!(kind, Some(PtrKind::Packet(_) | PtrKind::PacketMeta(_) | PtrKind::PacketEnd))
        };
        match (right, src) {
            (Reg::Pointer(_), Operand::Reg(reg)) if !(in_packet(left) && in_packet(right)) => {
                Err(Cause::PointerCompare { reg: reg.number() })
            }
            _ => Ok(()),
        }
    }

    /// The same for the first, where both sides are possible.
    fn check_undecided(
        &self,
        left: &Reg,
        right: &Reg,
        cond: Cond,
        width: Width,
        dst: R,
        src: Operand,
    ) -> Check {
        let Reg::Pointer(p) = left else { return Ok(()) };
        let bounds = |q: &Pointer| is_bounded(p, q) || is_bounded(q, p);
        let fine = width == Width::W64
            && match right {
                Reg::Pointer(q) => matches!(cond, Cond::Lt | Cond::Le | Cond::Gt | Cond::Ge) && bounds(q),
                _ => matches!(cond, Cond::Eq | Cond::Ne) && p.nullable && src == Operand::Imm(0),
            };
        match fine {
            true => Ok(()),
            false => Err(Cause::PointerCompare { reg: dst.number() }),
        }
    }

    /// Whether the comparison of a pointer with a number is decided. If it is not, who may see addresses may
    /// still compare.
    fn compare_with_number(&self, p: &Pointer, n: &Num, cond: Cond, width: Width) -> Option<bool> {
        let is_null_check = n.value.value() == Some(0) && matches!(cond, Cond::Eq | Cond::Ne);
        if !is_null_check || width == Width::W32 {
            return None;
        }
        // Of a context, a frame or a packet the kernel does not conclude that it is not null
        // (`reg_not_null`): both sides must be safe.
        let never_null = match p.kind {
            PtrKind::MapValue(_)
            | PtrKind::Mem { .. }
            | PtrKind::Ringbuf(_)
            | PtrKind::Socket(_)
            | PtrKind::Object { hold: Hold::Owned, .. }
            | PtrKind::Btf { trust: Trust::Trusted, .. } => !p.nullable,
            PtrKind::Map(_) => !p.nullable && self.cx.target.has(Feature::MapsAreNotNull),
            PtrKind::Ctx
            | PtrKind::Stack(_)
            | PtrKind::Packet(_)
            | PtrKind::PacketMeta(_)
            | PtrKind::PacketEnd
            | PtrKind::Btf { trust: Trust::Rcu | Trust::Plain | Trust::Untrusted, .. }
            | PtrKind::Object { hold: Hold::Borrowed | Hold::Rcu | Hold::Untrusted, .. }
            | PtrKind::FlowKeys
            | PtrKind::Probed
            | PtrKind::Iter { .. }
            | PtrKind::Irq { .. }
            | PtrKind::Remote { .. }
            | PtrKind::Dynptr(_)
            | PtrKind::Arena
            | PtrKind::Func(_) => false,
        };
        never_null.then_some(cond == Cond::Ne)
    }

    /// Narrows `state` to where the condition is `taken`.
    #[allow(clippy::too_many_arguments)]
    fn assume(
        &mut self,
        state: &mut State,
        linked: &[Place],
        dst: R,
        src: Operand,
        left: &Reg,
        right: &Reg,
        cond: Cond,
        taken: bool,
        width: Width,
    ) {
        match (left, right) {
            (Reg::Scalar(a), Reg::Scalar(b)) => {
                let (mut x, mut y) = (a.value, b.value);
                if cond == Cond::Set && !taken && self.cx.target.has(Feature::TestsForgetRanges) {
                    scalar::forget_tested(&mut x, &mut y, width);
                }
                scalar::refine(&mut x, &mut y, cond, taken, width);
                self.reconcile(&mut x);
                self.reconcile(&mut y);
                self.narrow(state, linked, dst, a, x);
                if let Operand::Reg(reg) = src {
                    self.narrow(state, linked, reg, b, y);
                }
            }
            (Reg::Pointer(p), Reg::Scalar(_)) => {
                // Like the kernel's, only a comparison with the constant itself.
                let is_zero = src == Operand::Imm(0);
                let is_null = match cond {
                    Cond::Eq => taken,
                    Cond::Ne => !taken,
                    _ => return,
                };
                if p.nullable && is_zero && width == Width::W64 {
                    self.resolve_null(state, p, is_null);
                }
            }
            (Reg::Pointer(a), Reg::Pointer(b)) if width == Width::W64 => {
                self.assume_packet(state, a, b, cond, taken);
                note_end(state, (dst, a), (src, b), cond, taken);
                let equal = (cond == Cond::Eq && taken) || (cond == Cond::Ne && !taken);
                let kernel = |p: &Pointer| matches!(p.kind, PtrKind::Btf { .. });
                if equal && a.nullable != b.nullable && !kernel(a) && !kernel(b) {
                    // The one that may be null equals one that is not.
                    not_null(state, if a.nullable { a } else { b });
                }
            }
            _ => {}
        }
    }

    /// Gives a number and its copies a narrower value, and those that are a constant more or less theirs.
    fn narrow(&self, state: &mut State, linked: &[Place], reg: R, old: &Num, value: Scalar) {
        if let Reg::Scalar(num) = &mut state.frame_mut().regs[reg.index()] {
            num.value = value;
        }
        for &place in linked {
            let Some(Reg::Scalar(num)) = state.at_mut(place) else { continue };
            if num.link.id != old.link.id {
                continue;
            }
            let width = match (num.link.step, old.link.step) {
                // What is so in one width says nothing of the other.
                (Step::Wide, Step::Narrow) | (Step::Narrow, Step::Wide) => continue,
                (Step::Narrow, _) | (_, Step::Narrow) => Width::W32,
                (Step::Copy | Step::Wide, Step::Copy | Step::Wide) => Width::W64,
            };
            num.value = value;
            let more = i64::from(num.link.delta) - i64::from(old.link.delta);
            if more != 0 {
                num.value.alu(AluOp::Add, &Scalar::constant(more as u64), width);
                self.reconcile(&mut num.value);
            }
        }
    }

    /// A nullable pointer and all its copies become null or valid. What it refers to is not held when
    /// it is null.
    fn resolve_null(&mut self, state: &mut State, pointer: &Pointer, is_null: bool) {
        let id = self.valid(*pointer).id;
        state.for_each_reg(|reg| {
            let Reg::Pointer(other) = reg else { return };
            if is_copy(other, pointer) {
                match is_null {
                    true => *reg = Reg::constant(0, other.slot),
                    false => (other.nullable, other.id) = (false, id),
                }
            }
        });
        // Another view of a referenced object may be null while the object is held.
        if is_null && pointer.reference == pointer.id {
            state.references.retain(|reference| reference.id != pointer.reference);
        }
    }

    /// What a comparison of a packet pointer with a bound proves.
    fn assume_packet(&mut self, state: &mut State, a: &Pointer, b: &Pointer, cond: Cond, taken: bool) {
        let cond = if taken { cond } else { scalar::negated(cond) };
        // As `pointer < bound` or `pointer <= bound`.
        let (pointer, strict) = match (cond, is_bounded(a, b), is_bounded(b, a)) {
            (Cond::Lt, true, _) => (a, true),
            (Cond::Le, true, _) => (a, false),
            (Cond::Gt, _, true) => (b, true),
            (Cond::Ge, _, true) => (b, false),
            _ => return,
        };
        prove_packet(state, pointer, strict);
    }
}

/// Is `bound` where the region that `pointer` points into ends?
fn is_bounded(pointer: &Pointer, bound: &Pointer) -> bool {
    match (pointer.kind, bound.kind) {
        (PtrKind::Packet(_), PtrKind::PacketEnd) => true,
        // The packet's start, unmoved, ends the metadata.
        (PtrKind::PacketMeta(_), PtrKind::Packet(_)) => bound.off == 0 && bound.is_fixed() && bound.id == 0,
        _ => false,
    }
}

/// Where a pointer is not before the packet's end, its register has that instead of what was proven of
/// it (kernel `mark_pkt_end`).
fn note_end(state: &mut State, a: (R, &Pointer), b: (Operand, &Pointer), cond: Cond, taken: bool) {
    let cond = if taken { cond } else { scalar::negated(cond) };
    let (reg, end) = match (cond, b.0) {
        (Cond::Gt, _) if is_bounded(a.1, b.1) => (a.0, PAST_END),
        (Cond::Ge, _) if is_bounded(a.1, b.1) => (a.0, AT_END),
        (Cond::Lt, Operand::Reg(reg)) if is_bounded(b.1, a.1) => (reg, PAST_END),
        (Cond::Le, Operand::Reg(reg)) if is_bounded(b.1, a.1) => (reg, AT_END),
        _ => return,
    };
    if let Reg::Pointer(Pointer { kind: PtrKind::Packet(proven), .. }) =
        &mut state.frame_mut().regs[reg.index()]
    {
        *proven = end;
    }
}

/// Whether the comparison of a pointer with the packet's end is decided, because it was before.
fn compare_with_end(a: &Pointer, b: &Pointer, cond: Cond) -> Option<bool> {
    use PtrKind::{Packet, PacketEnd};
    match (a.kind, b.kind, cond) {
        (Packet(PAST_END), PacketEnd, Cond::Gt) | (PacketEnd, Packet(PAST_END), Cond::Lt) => Some(true),
        (Packet(PAST_END), PacketEnd, Cond::Le) | (PacketEnd, Packet(PAST_END), Cond::Ge) => Some(false),
        (Packet(..0), PacketEnd, Cond::Ge) | (PacketEnd, Packet(..0), Cond::Le) => Some(true),
        (Packet(..0), PacketEnd, Cond::Lt) | (PacketEnd, Packet(..0), Cond::Gt) => Some(false),
        _ => None,
    }
}

/// `pointer < end` (strict) or `pointer <= end`: the bytes up to the pointer are in the packet.
fn prove_packet(state: &mut State, pointer: &Pointer, strict: bool) {
    // Like the kernel, no byte is taken as proven by a pointer that was not moved.
    if pointer.off <= 0 {
        return;
    }
    // The kernel's limit: no access may be further from the origin.
    let reach = pointer.var.r64.umax.saturating_add(pointer.off as u64);
    if reach > 0xffff {
        return;
    }
    let proven = pointer.off + i32::from(strict);
    state.for_each_reg(|reg| {
        let Reg::Pointer(other) = reg else { return };
        if other.id != pointer.id {
            return;
        }
        match (&mut other.kind, pointer.kind) {
            (PtrKind::Packet(range), PtrKind::Packet(_))
            | (PtrKind::PacketMeta(range), PtrKind::PacketMeta(_)) => {
                *range = (*range).max(proven);
            }
            _ => {}
        }
    });
}

/// A nullable pointer and all its copies are valid.
fn not_null(state: &mut State, pointer: &Pointer) {
    state.for_each_reg(|reg| match reg {
        Reg::Pointer(other) if is_copy(other, pointer) => other.nullable = false,
        _ => {}
    });
}

/// Are both the same pointer that may be null?
fn is_copy(other: &Pointer, pointer: &Pointer) -> bool {
    other.nullable && other.id == pointer.id && other.kind == pointer.kind
}
