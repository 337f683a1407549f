//! Sequences of instructions that one machine instruction can do.
//!
//! In: the instructions from a slot on; only the first may be jumped to. Out: the slot after those that
//! were translated together. What a sequence leaves in registers is what it left before, except in
//! registers that are written again before anything reads them.

use skep_stdlib::isa::{AluOp, Insn, Operand, Reg, Width};

use super::{Translator, gpr};
use crate::object::Program;
use crate::vm::jit::asm::{Gpr, Rm, Shift};
use crate::vm::jit::flow;

/// Most instructions of a sequence.
const LONGEST: usize = 4;
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

impl Translator<'_> {
    /// Translates a sequence, if one begins here.
    pub(super) fn fused(&mut self, program: &Program, slot: u32) -> Option<u32> {
        let first = program.code.at(slot)?;
        let begins = matches!(
            first,
            Insn::Mov { src: Operand::Reg(_), .. } | Insn::Alu { op: AluOp::Lsh, src: Operand::Imm(_), .. }
        );
        if !begins {
            return None;
        }
        let mut insns = [*first; LONGEST];
        let insns = self.window(program, slot, &mut insns);
        if insns.iter().any(|insn| flow::written(insn) == Some(Reg::FP)) {
            return None;
        }
        let after = slot + insns.len() as u32;
        let used = self.rotation(program, insns, after).or_else(|| self.pair(insns))?;
        insns.iter().take(used).for_each(|insn| self.note(insn));
        Some(slot + used as u32)
    }

    /// The instructions from `slot` on that control can only reach from each other; each takes one slot.
    fn window<'w>(&self, program: &Program, slot: u32, insns: &'w mut [Insn; LONGEST]) -> &'w [Insn] {
        let mut count = 0;
        for ((at, &insn), place) in flow::body(program, slot, self.function.end).zip(insns.iter_mut()) {
            let is_entered = at != slot && self.flows[self.index].is_leader[at as usize];
            if is_entered || !matches!(insn, Insn::Alu { .. } | Insn::Mov { .. }) {
                break;
            }
            *place = insn;
            count += 1;
        }
        insns.get(..count).unwrap_or_default()
    }

    /// Two instructions that are one.
    fn pair(&mut self, insns: &[Insn]) -> Option<usize> {
        let (&first, &second) = (insns.first()?, insns.get(1)?);
        if let (Some(left), Some(right)) = (shifted(first), shifted(second)) {
            return self.extension(left, right);
        }
        let Insn::Mov { width, dst, src: Operand::Reg(src) } = first else { return None };
        let Insn::Alu { width: same, op, dst: again, src: operand } = second else { return None };
        if width != same || dst != again || dst == src {
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
        Some(2)
    }

    /// Two shifts that cut a register to its lower bits, with or without a sign.
    fn extension(&mut self, left: Shifted, right: Shifted) -> Option<usize> {
        let is_cut = left.op == AluOp::Lsh && left.width == Width::W64 && right.width == Width::W64;
        if !is_cut || left.reg != right.reg || left.count != right.count {
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
        } else if !self.is_narrow(left.reg) {
            self.asm.mov(false, reg, reg);
        }
        Some(2)
    }

    /// `t = x; t <<= a; x >>= b; t |= x`, in its variants: a rotation.
    fn rotation(&mut self, program: &Program, insns: &[Insn], after: u32) -> Option<usize> {
        let [first, second, third, fourth] = *insns else { return None };
        let Insn::Mov { width, dst: t, src: Operand::Reg(x) } = first else { return None };
        let (one, two) = (shifted(second)?, shifted(third)?);
        let Insn::Alu { width: joined, op: AluOp::Or, dst, src: Operand::Reg(src) } = fourth else {
            return None;
        };
        let (of_t, of_x) = if one.reg == t { (one, two) } else { (two, one) };
        let opposite = matches!((of_t.op, of_x.op), (AluOp::Lsh, AluOp::Rsh) | (AluOp::Rsh, AluOp::Lsh));
        let is_rotation = t != x
            && of_t.reg == t
            && of_x.reg == x
            && opposite
            && [of_t.width, of_x.width, joined].iter().all(|&other| other == width)
            && u32::from(of_t.count) + u32::from(of_x.count) == width.bits();
        let ends_right = (dst == t && src == x) || (dst == x && src == t);
        if !is_rotation || !ends_right {
            return None;
        }
        let wide = width == Width::W64;
        let left = if of_t.op == AluOp::Lsh { of_t.count } else { of_x.count };
        if dst == x {
            if self.is_dead(program, after, t) {
                self.asm.shift_imm(wide, Shift::Rol, gpr(x), left);
                return Some(4);
            }
            return None;
        }
        let right = width.bits() as u8 - left;
        if self.source.features.bmi2 {
            self.asm.rotate_bmi2(wide, gpr(t), gpr(x), right);
        } else {
            self.asm.mov(wide, gpr(t), gpr(x));
            self.asm.shift_imm(wide, Shift::Rol, gpr(t), left);
        }
        if !self.is_dead(program, after, x) {
            let shift = if of_x.op == AluOp::Lsh { Shift::Shl } else { Shift::Shr };
            self.asm.shift_imm(wide, shift, gpr(x), of_x.count);
        }
        Some(4)
    }

    /// Is the register written before it is read, whatever happens next? Says no when in doubt.
    fn is_dead(&self, program: &Program, slot: u32, reg: Reg) -> bool {
        for (at, insn) in flow::body(program, slot, self.function.end).take(HORIZON) {
            if self.flows[self.index].is_leader[at as usize] {
                return false;
            }
            match *insn {
                Insn::Alu { dst, src, .. } => {
                    if dst == reg || src == Operand::Reg(reg) {
                        return false;
                    }
                }
                Insn::Mov { src, .. } => {
                    if src == Operand::Reg(reg) {
                        return false;
                    }
                }
                Insn::Load { base, .. } => {
                    if base == reg {
                        return false;
                    }
                }
                Insn::Store { base, src, .. } => {
                    if base == reg || src == Operand::Reg(reg) {
                        return false;
                    }
                }
                Insn::LoadImm64 { .. } => {}
                Insn::Neg { .. }
                | Insn::Swap { .. }
                | Insn::MovSx { .. }
                | Insn::Atomic { .. }
                | Insn::LoadAcquire { .. }
                | Insn::StoreRelease { .. }
                | Insn::LoadAbs { .. }
                | Insn::LoadInd { .. }
                | Insn::AddrSpaceCast { .. }
                | Insn::Jump { .. }
                | Insn::Branch { .. }
                | Insn::MayGoto { .. }
                | Insn::Call(_)
                | Insn::Exit => return false,
            }
            if flow::written(insn) == Some(reg) {
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
fn shifted(insn: Insn) -> Option<Shifted> {
    let Insn::Alu { width, op, dst, src: Operand::Imm(imm) } = insn else { return None };
    let is_shift = matches!(op, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh);
    let count = u8::try_from(imm).ok().filter(|&count| count != 0 && u32::from(count) < width.bits())?;
    is_shift.then_some(Shifted { width, op, reg: dst, count })
}
