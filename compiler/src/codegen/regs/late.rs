//! A changed copy is made after the last use of the original, so that it needs no copy.
//!
//! ```text
//! %2 = %0                                          %3 += %0
//! %2 += 1                                   =>     %2 = %0
//! %3 += %0     (the last use of %0)                %2 += 1
//! ```
//! This is what `a[i++]` becomes: the old value is used once more after the new one is computed.
//! Moved are only a move and the arithmetic with a constant after it, within their block.

use super::live::Liveness;
use crate::codegen::flow::Flow;
use crate::codegen::mir::{Func, Inst, Op, Reg, Src};

/// How far an instruction moves.
const DISTANCE: usize = 48;

/// Moves such pairs. Whether there were any.
pub fn run(func: &mut Func, flow: &Flow, live: &Liveness) -> bool {
    let mut changed = false;
    for &block in &flow.rpo {
        let insts = &mut func.blocks[block].insts;
        // From the end, so that a moved pair is not met again.
        for index in (0..insts.len().saturating_sub(2)).rev() {
            if let Some((dst, src)) = pair(&insts[index..])
                && let Some(last) = last_use(&insts[index + 2..], dst, src)
                && !live.live_out(block).any(|reg| reg == src)
            {
                insts[index..index + 3 + last].rotate_left(2);
                changed = true;
            }
        }
    }
    changed
}

/// A move and arithmetic with a constant on its destination: destination and source.
fn pair(insts: &[Inst]) -> Option<(Reg, Reg)> {
    let [first, second, ..] = insts else { return None };
    match (first.op, second.op) {
        (Op::Mov { dst, src }, Op::Alu { dst: to, src: Src::Imm(_), .. }) if to == dst => {
            (dst.is_virtual() && src.is_virtual() && dst != src).then_some((dst, src))
        }
        _ => None,
    }
}

/// The position of the last use of `src`, if the pair can be moved behind it.
fn last_use(insts: &[Inst], dst: Reg, src: Reg) -> Option<usize> {
    let mut last = None;
    for (index, inst) in insts.iter().enumerate().take(DISTANCE) {
        let (mut reads, mut stop) = (false, inst.op.is_terminator());
        inst.op.for_each_reg(|reg, role| {
            reads |= reg == src && role.reads();
            stop |= reg == dst || (reg == src && role.writes());
        });
        if stop {
            // The original is used no more only if nothing behind this point reads it.
            let behind = &insts[index..];
            let read = |inst: &Inst| {
                let mut found = false;
                inst.op.for_each_reg(|reg, role| found |= reg == src && role.reads());
                found
            };
            return last.filter(|_| !reads && !behind.iter().any(read));
        }
        if reads {
            last = Some(index);
        }
    }
    None
}
