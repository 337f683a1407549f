//! Sequences of instructions that one machine instruction can do.
//!
//! In: the instructions from a slot on; only the first may be jumped to. Out: the slot after those that
//! were translated together. What a sequence leaves in registers is what it left before, except in
//! registers that are written again before anything reads them.

use skep_stdlib::isa::{AluOp, Insn, Operand, Reg, Width};

use super::asm::{Gpr, Rm, Shift};
use super::{Translator, gpr};
use crate::object::Program;
use crate::vm::jit::flow::{self, Effects, bit};

/// Instructions that are looked through for the next use of a register.
const HORIZON: usize = 24;

/// A shift by a constant.
#[derive(Clone, Copy)]
struct Shifted {
    width: Width,
    op: AluOp,
    reg: Reg,
    count: u8,
}

impl Shifted {
    /// Do the two bring all bits of one number together, turned around?
    fn completes(self, other: Shifted) -> bool {
        matches!((self.op, other.op), (AluOp::Lsh, AluOp::Rsh) | (AluOp::Rsh, AluOp::Lsh))
            && self.width == other.width
            && u32::from(self.count) + u32::from(other.count) == self.width.bits()
    }

    /// The machine's.
    fn shift(self) -> Shift {
        if self.op == AluOp::Lsh { Shift::Shl } else { Shift::Shr }
    }
}

impl Translator<'_> {
    /// Translates a sequence, if one begins with the move or shift at `slot`.
    #[inline]
    pub fn fused(&mut self, program: &Program, slot: u32, first: &Insn) -> Option<u32> {
        // The second instruction mostly says that it is none.
        let Insn::Alu { op, .. } = *program.code.at(slot + 1)? else { return None };
        match op {
            AluOp::Add | AluOp::Sub => self.pair(program, slot, first),
            AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => match shifted(first) {
                Some(left) => self.extension(program, slot, left),
                None => self.rotation(program, slot, first),
            },
            AluOp::Mul
            | AluOp::Div
            | AluOp::Or
            | AluOp::And
            | AluOp::Mod
            | AluOp::Xor
            | AluOp::Sdiv
            | AluOp::Smod => None,
        }
    }

    /// A move and an addition that are one.
    fn pair(&mut self, program: &Program, slot: u32, first: &Insn) -> Option<u32> {
        let Insn::Mov { width, dst, src: Operand::Reg(src) } = *first else { return None };
        let second = self.after(program, slot + 1)?;
        let Insn::Alu { width: same, op, dst: again, src: operand } = second else { return None };
        if width != same || dst != again || dst == src || dst == Reg::FP {
            return None;
        }
        if dst == Reg::R2 && self.is_spared_key(program, slot + 2) {
            return Some(slot + 2);
        }
        if self.is_blind() && matches!(operand, Operand::Imm(_)) {
            return None;
        }
        let place = if let (AluOp::Add, Operand::Imm(imm)) = (op, operand) {
            Rm::Base(gpr(src), imm)
        } else if let (AluOp::Sub, Operand::Imm(imm)) = (op, operand) {
            Rm::Base(gpr(src), imm.checked_neg()?)
        } else if let (AluOp::Add, Operand::Reg(other)) = (op, operand) {
            sum(gpr(src), gpr(if other == dst { src } else { other }))?
        } else {
            return None;
        };
        self.asm.lea(width == Width::W64, gpr(dst), place);
        self.known.moved(width, dst, Operand::Reg(src));
        self.known.computed(width, op, dst, operand);
        Some(slot + 2)
    }

    /// Two shifts that cut a register to its lower bits, with or without a sign.
    fn extension(&mut self, program: &Program, slot: u32, left: Shifted) -> Option<u32> {
        let right = shifted(&self.after(program, slot + 1)?)?;
        let is_cut = left.op == AluOp::Lsh && left.width == Width::W64 && right.width == Width::W64;
        if !is_cut || left.reg != right.reg || left.count != right.count || left.reg == Reg::FP {
            return None;
        }
        let reg = gpr(left.reg);
        let bytes = match left.count {
            32 => 4,
            48 => 2,
            56 => 1,
            _ => return None,
        };
        if right.op == AluOp::Arsh {
            self.asm.load(bytes, true, reg, Rm::Reg(reg));
        } else if right.op != AluOp::Rsh {
            return None;
        } else if bytes < 4 {
            self.asm.load(bytes, false, reg, Rm::Reg(reg));
        } else if !self.known.is_narrow(left.reg) {
            self.asm.mov(false, reg, reg);
        }
        self.known.write(left.reg, right.op == AluOp::Rsh);
        Some(slot + 2)
    }

    /// `t = x; t <<= a; x >>= b; t |= x`, in its variants: a rotation.
    fn rotation(&mut self, program: &Program, slot: u32, first: &Insn) -> Option<u32> {
        let Insn::Mov { width, dst: t, src: Operand::Reg(x) } = *first else { return None };
        let one = shifted(&self.after(program, slot + 1)?)?;
        let third = self.after(program, slot + 2)?;
        if let Insn::Mov { width: same, dst: copy, src: Operand::Reg(of) } = third {
            let is_same = same == width && one.width == width && of == x && one.reg == t;
            return if is_same { self.rotated_copy(program, slot, x, one, copy) } else { None };
        }
        let two = shifted(&third)?;
        let fourth = self.after(program, slot + 3)?;
        let Insn::Alu { width: joined, op: AluOp::Or, dst, src: Operand::Reg(src) } = fourth else {
            return None;
        };
        let (of_t, of_x) = if one.reg == t { (one, two) } else { (two, one) };
        let is_rotation = t != x
            && t != Reg::FP
            && x != Reg::FP
            && of_t.reg == t
            && of_x.reg == x
            && joined == width
            && of_t.width == width
            && of_t.completes(of_x);
        let ends_right = (dst == t && src == x) || (dst == x && src == t);
        if !is_rotation || !ends_right {
            return None;
        }
        let (wide, after) = (width == Width::W64, slot + 4);
        let left = if of_t.op == AluOp::Lsh { of_t.count } else { of_x.count };
        if dst == x {
            if !self.is_dead(program, after, t) {
                return None;
            }
            self.asm.shift_imm(wide, Shift::Rol, gpr(x), left);
        } else {
            self.rotate(width, t, x, left);
            if !self.is_dead(program, after, x) {
                self.asm.shift_imm(wide, of_x.shift(), gpr(x), of_x.count);
            }
        }
        self.known.write(t, !wide);
        self.known.write(x, !wide);
        Some(after)
    }

    /// `u = x; u >>= b; t = x; t <<= a; t |= u`, in its variants: a rotation that leaves `x` alone. Of it, `one`
    /// is what is done to the first copy.
    fn rotated_copy(&mut self, program: &Program, slot: u32, x: Reg, one: Shifted, t: Reg) -> Option<u32> {
        let (width, u) = (one.width, one.reg);
        let two = shifted(&self.after(program, slot + 3)?)?;
        let fifth = self.after(program, slot + 4)?;
        let Insn::Alu { width: joined, op: AluOp::Or, dst, src: Operand::Reg(src) } = fifth else {
            return None;
        };
        let are_others = u != x && t != x && u != t && [u, t, x].iter().all(|&reg| reg != Reg::FP);
        let ends_right = (dst == t && src == u) || (dst == u && src == t);
        if !are_others || !ends_right || two.reg != t || joined != width || !one.completes(two) {
            return None;
        }
        let left = if one.op == AluOp::Lsh { one.count } else { two.count };
        self.rotate(width, dst, x, left);
        let (wide, after) = (width == Width::W64, slot + 5);
        if !self.is_dead(program, after, src) {
            let shifted = if src == u { one } else { two };
            self.asm.mov(wide, gpr(src), gpr(x));
            self.asm.shift_imm(wide, shifted.shift(), gpr(src), shifted.count);
        }
        self.known.write(dst, !wide);
        self.known.write(src, !wide);
        Some(after)
    }

    /// `dst` is `src`, rotated.
    fn rotate(&mut self, width: Width, dst: Reg, src: Reg, left: u8) {
        let wide = width == Width::W64;
        if self.source.features.bmi2 {
            self.asm.rotate_bmi2(wide, gpr(dst), gpr(src), width.bits() as u8 - left);
        } else {
            self.asm.mov(wide, gpr(dst), gpr(src));
            self.asm.shift_imm(wide, Shift::Rol, gpr(dst), left);
        }
    }

    /// Is the register written before it is read, whatever happens next? Says no when in doubt.
    fn is_dead(&self, program: &Program, slot: u32, reg: Reg) -> bool {
        for (at, insn) in flow::body(program, slot, self.function.end).take(HORIZON) {
            let goes_on = match insn {
                Insn::Alu { .. }
                | Insn::Mov { .. }
                | Insn::MovSx { .. }
                | Insn::Neg { .. }
                | Insn::Swap { .. }
                | Insn::Load { .. }
                | Insn::Store { .. }
                | Insn::LoadImm64 { .. } => true,
                Insn::Atomic { .. }
                | Insn::LoadAcquire { .. }
                | Insn::StoreRelease { .. }
                | Insn::LoadAbs { .. }
                | Insn::LoadInd { .. }
                | Insn::AddrSpaceCast { .. }
                | Insn::Jump { .. }
                | Insn::Branch { .. }
                | Insn::MayGoto { .. }
                | Insn::Call(_)
                | Insn::Exit => false,
            };
            let Effects { reads, writes, .. } = Effects::of(insn);
            if !goes_on || self.is_leader[at as usize] || reads & bit(reg) != 0 {
                return false;
            }
            if writes & bit(reg) != 0 {
                return true;
            }
        }
        false
    }
}

/// The address that is the sum, as the processor computes it fastest: a base that needs a displacement
/// makes it slow.
fn sum(a: Gpr, b: Gpr) -> Option<Rm> {
    match (a.needs_displacement(), b.needs_displacement()) {
        (false, _) => Some(Rm::Index(a, b, 0, 0)),
        (true, false) => Some(Rm::Index(b, a, 0, 0)),
        (true, true) => None,
    }
}

/// A shift by a constant that is neither 0 nor too large.
fn shifted(insn: &Insn) -> Option<Shifted> {
    let Insn::Alu { width, op, dst, src: Operand::Imm(imm) } = *insn else { return None };
    let is_shift = matches!(op, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh);
    let count = u8::try_from(imm).ok().filter(|&count| count != 0 && u32::from(count) < width.bits())?;
    is_shift.then_some(Shifted { width, op, reg: dst, count })
}
