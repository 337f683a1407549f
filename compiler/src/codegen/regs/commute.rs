//! Operands of commutative operations in the order that saves a move.
//!
//! ```text
//! %2 = %0        (%0 is read later, %1 is not)        %2 = %1
//! %2 += %1                                       =>   %2 += %0
//! ```
//! The destination and the operand that dies can then be one register.

use super::live::{LiveSet, Liveness};
use crate::codegen::flow::Flow;
use crate::codegen::mir::{Func, Inst, Op, Reg, Src};
use skep_stdlib::isa::AluOp;

/// Exchanges operands where that lets a move vanish. Whether there were any.
pub fn run(func: &mut Func, flow: &Flow, live: &Liveness) -> bool {
    let mut is_live = LiveSet::new(func.regs);
    let mut changed = false;
    for &block in &flow.rpo {
        let insts = &mut func.blocks[block].insts;
        let Some(first) = insts.windows(2).position(|two| pair(two).is_some()) else { continue };
        is_live.clear();
        live.live_out(block).for_each(|reg| is_live.insert(reg));
        for index in (first + 1..insts.len()).rev() {
            if let Some((dst, a, b)) = pair(&insts[index - 1..])
                && is_live.contains(a)
                && !is_live.contains(b)
                && a != b
            {
                insts[index - 1].op = Op::Mov { dst, src: b };
                if let Op::Alu { src, .. } = &mut insts[index].op {
                    *src = Src::Reg(a);
                }
                changed = true;
            }
            let op = &insts[index].op;
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
    changed
}

/// Destination and operands of a move and the commutative operation after it.
fn pair(insts: &[Inst]) -> Option<(Reg, Reg, Reg)> {
    let [first, second, ..] = insts else { return None };
    match (first.op, second.op) {
        (
            Op::Mov { dst, src: a },
            Op::Alu {
                op: AluOp::Add | AluOp::Mul | AluOp::And | AluOp::Or | AluOp::Xor,
                dst: to,
                src: Src::Reg(b),
                ..
            },
        ) if to == dst && a.is_virtual() && b.is_virtual() && dst != b => Some((dst, a, b)),
        _ => None,
    }
}
