//! Conditional jumps.

use skep_stdlib::isa::{Cond, Operand, Width};

use super::{Translator, gpr};
use crate::object::Program;
use crate::vm::jit::aarch64::asm::Gpr;
use crate::vm::jit::aarch64::encode::{Cc, Op};
use crate::vm::jit::labels::Label;
use crate::vm::jit::translate::Comparison;

impl Translator<'_> {
    /// Translates a conditional jump. Returns the slot after it.
    pub fn branch(&mut self, _program: &Program, slot: u32, c: Comparison, off: i16) -> u32 {
        let Comparison { width, cond, dst, src } = c;
        let to = self.target(slot, off.into(), self.known.where_holds(width, cond, dst, src));
        self.jump_where(c, to);
        self.known = self.known.where_fails(width, cond, dst, src);
        slot + 1
    }

    fn jump_where(&mut self, Comparison { width, cond, dst, src }: Comparison, to: Label) {
        let (wide, a) = (width == Width::W64, gpr(dst));
        match (cond, src) {
            (Cond::Eq | Cond::Ne, Operand::Imm(0)) => {
                return self.asm.jump_zero(wide, cond == Cond::Eq, a, to);
            }
            (Cond::Set, src) => self.set_flags(wide, Op::Ands, a, src),
            (_, Operand::Imm(imm @ i32::MIN..0)) if !self.is_blind() => {
                // What is added is the same number without its sign, if that fits.
                let size = u64::from(imm.unsigned_abs());
                if !self.asm.op_imm(wide, Op::Adds, Gpr::ZERO, a, size) {
                    self.set_flags(wide, Op::Subs, a, src);
                }
            }
            (_, src) => self.set_flags(wide, Op::Subs, a, src),
        }
        self.asm.jump_if(condition(cond), to);
    }

    fn set_flags(&mut self, wide: bool, op: Op, a: Gpr, src: Operand) {
        if let Operand::Imm(imm) = src
            && !self.is_blind()
            && self.asm.op_imm(wide, op, Gpr::ZERO, a, i64::from(imm) as u64)
        {
            return;
        }
        let src = self.in_register(wide, src);
        self.asm.op(wide, op, Gpr::ZERO, a, src);
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
