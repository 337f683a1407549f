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
use super::{Step, Work};
use crate::codegen::mir::{Op, Reg, Src};

/// How far an instruction moves.
const DISTANCE: usize = 48;

/// Moves such pairs.
pub fn run(work: &mut Work<'_>, live: &Liveness) {
    let mut lives_on = vec![false; work.func.regs];
    for block in work.flow.rpo.clone() {
        live.live_out(block).for_each(|reg| lives_on[reg.index()] = true);
        let steps = &mut work.steps[block];
        // From the end, so that a moved pair is not met again.
        for index in (0..steps.len().saturating_sub(2)).rev() {
            if let Some((dst, src)) = pair(&steps[index..])
                && !lives_on[src.index()]
                && let Some(last) = last_use(&steps[index + 2..], dst, src)
            {
                steps[index..index + 3 + last].rotate_left(2);
            }
        }
        live.live_out(block).for_each(|reg| lives_on[reg.index()] = false);
    }
}

/// A move and arithmetic with a constant on its destination: destination and source.
fn pair(steps: &[Step]) -> Option<(Reg, Reg)> {
    let [first, second, ..] = steps else { return None };
    match (first.inst.op, second.inst.op) {
        (Op::Mov { dst, src }, Op::Alu { dst: to, src: Src::Imm(_), .. }) if to == dst => {
            (dst.is_virtual() && src.is_virtual() && dst != src).then_some((dst, src))
        }
        _ => None,
    }
}

/// The position of the last use of `src`, if the pair can be moved behind it.
fn last_use(steps: &[Step], dst: Reg, src: Reg) -> Option<usize> {
    let mut last = None;
    for (index, step) in steps.iter().enumerate().take(DISTANCE) {
        let (mut reads, mut stop) = (false, step.inst.op.is_terminator());
        step.inst.op.for_each_reg(|reg, role| {
            reads |= reg == src && role.reads();
            stop |= reg == dst || (reg == src && role.writes());
        });
        if stop {
            // The original is used no more only if nothing behind this point reads it.
            let behind = &steps[index..];
            let read = |step: &Step| {
                let mut found = false;
                step.inst.op.for_each_reg(|reg, role| found |= reg == src && role.reads());
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
