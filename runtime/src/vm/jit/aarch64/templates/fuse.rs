//! Sequences of instructions that one machine instruction can do: a move and an operation on its result.

use skep_stdlib::isa::{AluOp, Insn, Operand, Reg, Width};

use super::{Translator, gpr};
use crate::object::Program;
use crate::vm::jit::aarch64::encode::Op;

impl Translator<'_> {
    /// Translates a sequence, if one begins with the move or shift at `slot`. Returns the slot after it.
    pub fn fused(&mut self, program: &Program, slot: u32, first: &Insn) -> Option<u32> {
        let Insn::Mov { width, dst, src: Operand::Reg(src) } = *first else { return None };
        let second = self.after(program, slot + 1)?;
        let Insn::Alu { width: same, op, dst: again, src: operand } = second else { return None };
        if width != same || dst != again || dst == src || dst == Reg::FP {
            return None;
        }
        if dst == Reg::R2 && matches!(op, AluOp::Add | AluOp::Sub) && self.is_spared_key(program, slot + 2) {
            return Some(slot + 2);
        }
        let wide = width == Width::W64;
        match (operand, plain(op)?) {
            (Operand::Reg(other), op) => {
                let other = if other == dst { src } else { other };
                self.asm.op(wide, op, gpr(dst), gpr(src), gpr(other));
            }
            (Operand::Imm(imm), Op::Add | Op::Sub) if !self.is_blind() => {
                let imm = i64::from(imm);
                self.add(wide, gpr(dst), gpr(src), if op == AluOp::Sub { -imm } else { imm });
            }
            (Operand::Imm(_), _) => return None,
        }
        self.known.moved(width, dst, Operand::Reg(src));
        self.known.computed(width, op, dst, operand);
        Some(slot + 2)
    }
}

/// The operation, where the processor's has three operands and does the same.
const fn plain(op: AluOp) -> Option<Op> {
    match op {
        AluOp::Add => Some(Op::Add),
        AluOp::Sub => Some(Op::Sub),
        AluOp::Or => Some(Op::Orr),
        AluOp::And => Some(Op::And),
        AluOp::Xor => Some(Op::Eor),
        AluOp::Lsh => Some(Op::Lsl),
        AluOp::Rsh => Some(Op::Lsr),
        AluOp::Arsh => Some(Op::Asr),
        AluOp::Div => Some(Op::Udiv),
        AluOp::Sdiv => Some(Op::Sdiv),
        AluOp::Mul | AluOp::Mod | AluOp::Smod => None,
    }
}
