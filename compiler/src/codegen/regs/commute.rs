//! Operands of commutative operations in the order that saves a move.
//!
//! ```text
//! %2 = %0        (%0 is read later, %1 is not)        %2 = %1
//! %2 += %1                                       =>   %2 += %0
//! ```
//! The destination and the operand that dies can then be one register.

use super::Work;
use super::live::{LiveSet, Liveness};
use crate::codegen::mir::{Op, Reg, Src};
use skep_stdlib::isa::AluOp;

/// Exchanges operands where that lets a move vanish.
pub fn run(work: &mut Work<'_>, live: &Liveness) {
    let mut is_live = LiveSet::new(work.func.regs);
    for &block in &work.flow.rpo {
        is_live.clear();
        live.live_out(block).for_each(|reg| is_live.insert(reg));
        for index in (0..work.steps[block].len()).rev() {
            let op = work.steps[block][index].inst.op;
            if let Some((dst, a, b)) =
                pair(work.steps[block].get(index.wrapping_sub(1)).map(|s| s.inst.op), op)
                && is_live.contains(a)
                && !is_live.contains(b)
                && a != b
            {
                let steps = &mut work.steps[block];
                steps[index - 1].inst.op = Op::Mov { dst, src: b };
                if let Op::Alu { src, .. } = &mut steps[index].inst.op {
                    *src = Src::Reg(a);
                }
            }
            let op = work.steps[block][index].inst.op;
            op.for_each_reg(|reg, role| {
                if role.writes() {
                    is_live.remove(reg);
                }
            });
            op.for_each_reg(|reg, role| {
                if role.reads() {
                    is_live.insert(reg);
                }
            });
        }
    }
}

/// Destination and operands of a move and the commutative operation after it.
fn pair(before: Option<Op>, op: Op) -> Option<(Reg, Reg, Reg)> {
    let Some(Op::Mov { dst, src: a }) = before else { return None };
    match op {
        Op::Alu {
            op: AluOp::Add | AluOp::Mul | AluOp::And | AluOp::Or | AluOp::Xor,
            dst: to,
            src: Src::Reg(b),
            ..
        } if to == dst && a.is_virtual() && b.is_virtual() && dst != b => Some((dst, a, b)),
        _ => None,
    }
}
