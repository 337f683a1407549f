//! Conditional jumps, and what they jump over.
//!
//! `if c goto +1; goto far`, which compilers write where the way back in a loop is, is one jump of proven
//! programs: to where the second leads, if the condition does not hold. A move that is jumped over stays one:
//! as a conditional move it would wait for the comparison, and a search took longer by a sixth.

use skep_stdlib::isa::{Cond, Insn, Operand, Width};

use super::asm::{Cc, Op, Rm};
use super::{Translator, gpr};
use crate::object::Program;
use crate::vm::jit::translate::Comparison;

impl Translator<'_> {
    /// Translates a conditional jump, maybe with the jump that follows. Returns the slot after that.
    #[inline]
    pub fn branch(&mut self, program: &Program, slot: u32, c: Comparison, off: i16) -> u32 {
        if off == 1
            && self.is_proven()
            && let Some(Insn::Jump { off: far, .. }) = self.after(program, slot + 1)
        {
            let to = self.target(slot + 1, far, self.known.where_fails(c.width, c.cond, c.dst, c.src));
            let cc = self.compare(c);
            self.asm.jump_if(cc.opposite(), to);
            self.known = self.known.where_holds(c.width, c.cond, c.dst, c.src);
            return slot + 2;
        }
        let there = self.known.where_holds(c.width, c.cond, c.dst, c.src);
        let to = self.target(slot, off.into(), there);
        let cc = self.compare(c);
        self.asm.jump_if(cc, to);
        self.known = self.known.where_fails(c.width, c.cond, c.dst, c.src);
        slot + 1
    }

    /// Sets the flags; returns how they are where the condition holds.
    fn compare(&mut self, Comparison { width, cond, dst, src }: Comparison) -> Cc {
        let (wide, a) = (width == Width::W64, gpr(dst));
        match (cond, src) {
            (Cond::Set, Operand::Reg(src)) => self.asm.test(wide, a, gpr(src)),
            (_, Operand::Reg(src)) => self.asm.op(wide, Op::Cmp, a, gpr(src)),
            (Cond::Set, Operand::Imm(imm)) if self.is_blind() => {
                let src = self.blinded(imm);
                self.asm.test(wide, a, src);
            }
            (Cond::Set, Operand::Imm(imm)) => self.asm.test_imm(wide, a, imm),
            (_, Operand::Imm(0)) => self.asm.test(wide, a, a),
            (_, Operand::Imm(imm)) if self.is_blind() => {
                let src = self.blinded(imm);
                self.asm.op(wide, Op::Cmp, a, src);
            }
            (_, Operand::Imm(imm)) => self.asm.op_imm(wide, Op::Cmp, Rm::Reg(a), imm),
        }
        condition(cond)
    }
}

/// How the flags are where `cond` holds of what was compared.
const fn condition(cond: Cond) -> Cc {
    match cond {
        Cond::Eq => Cc::Equal,
        Cond::Gt => Cc::Above,
        Cond::Ge => Cc::AboveEqual,
        Cond::Set | Cond::Ne => Cc::NotEqual,
        Cond::Sgt => Cc::Greater,
        Cond::Sge => Cc::GreaterEqual,
        Cond::Lt => Cc::Below,
        Cond::Le => Cc::BelowEqual,
        Cond::Slt => Cc::Less,
        Cond::Sle => Cc::LessEqual,
    }
}
