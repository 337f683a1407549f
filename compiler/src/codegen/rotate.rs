//! A short test at the start of a loop is made once more before the loop, so that nothing jumps to it.
//!
//! ```text
//!     goto bb2                         if r6 >= r7 goto bb3
//! bb1: ...                         bb1: ...
//!     goto bb2               =>    bb2: if r6 < r7 goto bb1
//! bb2: if r6 < r7 goto bb1         bb3: ...
//! bb3: ...
//! ```
//! Each round of the loop then has one jump less, and the code is as long as before or a slot longer.
//! The kernel's verifier still accepts: on every path the same instructions run in the same order.
//! Cost: linear.

use super::flow::Flow;
use super::mir::{Block, Func, Inst, Op};

/// Slots of a test that is made twice.
const SHORT: usize = 2;

/// Runs over a function with machine registers.
pub fn run(func: &mut Func) {
    let flow = Flow::of(func);
    for &header in flow.rpo.iter().filter(|&&block| flow.depth(block) > 0) {
        let (inside, outside): (Vec<Block>, Vec<Block>) =
            flow.preds[header].iter().partition(|&&pred| flow.dominates(header, pred));
        let jumps = |block: &Block| matches!(last(func, *block), Some(Op::Jump { .. }));
        if let [before] = outside[..]
            && jumps(&before)
            && inside.iter().any(jumps)
            && is_test(func, &flow, header)
        {
            let test = func.blocks[header].insts.clone();
            let insts = &mut func.blocks[before].insts;
            insts.pop();
            insts.extend(test);
        }
    }
}

fn last(func: &Func, block: Block) -> Option<Op> {
    func.blocks[block].insts.last().map(|inst| inst.op)
}

/// Is the block only a short test that may leave the loop?
fn is_test(func: &Func, flow: &Flow, header: Block) -> bool {
    let leaves = |block: Block| flow.depth(block) < flow.depth(header);
    let slots = |inst: &Inst| match inst.op {
        Op::Imm64 { .. } | Op::Symbol { .. } | Op::Frame { .. } => 2,
        // What else there is does not depend on where it is.
        Op::Asm { .. } | Op::AsmGoto { .. } | Op::Call { .. } => SHORT + 1,
        _ => 1,
    };
    let insts = &func.blocks[header].insts;
    matches!(last(func, header), Some(Op::Branch { then, els, .. }) if leaves(then) != leaves(els))
        && insts.iter().map(slots).sum::<usize>() <= SHORT
}
