//! The order of blocks in memory, and jumps that go straight to where they lead.
//!
//! Blocks are placed in reverse postorder with loops kept together, so that jumps forward are
//! rare and most conditional jumps fall through on one side.

use skep_stdlib::isa::{Cond, Cpu};

use super::flow::Flow;
use super::mir::{Block, Func, Op, Src};
use crate::ir::Arena;

/// Orders the blocks of a function; blocks that cannot be reached are dropped.
pub fn order(func: &mut Func, cpu: Cpu) {
    thread_jumps(func);
    func.order = placement(func, cpu);
}

/// Jumps to a block that only jumps on go to its target.
fn thread_jumps(func: &mut Func) {
    let mut target: Arena<Block, Block> = Arena::new();
    for block in func.blocks.keys() {
        target.push(block);
    }
    for block in func.blocks.keys() {
        // Endless loops of empty blocks stay as they are.
        let mut at = block;
        for _ in 0..func.blocks.len() {
            match func.blocks[at].insts.as_slice() {
                [only] => match only.op {
                    Op::Jump { to } => at = to,
                    _ => break,
                },
                _ => break,
            }
        }
        target[block] = at;
    }
    for data in func.blocks.values_mut() {
        if let Some(last) = data.insts.last_mut() {
            last.op.map_successors(|block| target[block]);
            if let Op::Branch { then, els, .. } = last.op
                && then == els
            {
                last.op = Op::Jump { to: then };
            }
        }
    }
    if let Some(first) = func.order.first_mut() {
        *first = target[*first];
    }
}

fn placement(func: &Func, cpu: Cpu) -> Vec<Block> {
    let Some(&entry) = func.order.first() else { return Vec::new() };
    let flow = Flow::new(func);
    let mut seen = Arena::filled(&func.blocks, false);
    let mut order = Vec::new();
    let mut stack = vec![(entry, preferred(func, &flow, entry, cpu))];
    seen[entry] = true;
    while let Some((block, rest)) = stack.last_mut() {
        if rest.is_empty() {
            order.push(*block);
            stack.pop();
        } else {
            let next = rest.remove(0);
            if !std::mem::replace(&mut seen[next], true) {
                stack.push((next, preferred(func, &flow, next, cpu)));
            }
        }
    }
    order.reverse();
    order
}

/// The successors of a block; the one that should follow it comes last.
fn preferred(func: &Func, flow: &Flow, block: Block, cpu: Cpu) -> Vec<Block> {
    let mut next: Vec<Block> = func.successors(block).collect();
    if let Some(Op::Branch { cond, src, then, els, .. }) = func.blocks[block].insts.last().map(|i| i.op) {
        let follows = if flow.depth(then) != flow.depth(els) {
            if flow.depth(then) > flow.depth(els) { then } else { els }
        } else if negated(cond, src, cpu).is_none() {
            els
        } else {
            then
        };
        next.sort_by_key(|&b| b == follows);
    }
    next
}

/// The condition that holds exactly when this one does not, and whether its operands are exchanged;
/// `None` if the cpu has none.
pub fn negated(cond: Cond, src: Src, cpu: Cpu) -> Option<(Cond, bool)> {
    let opposite = match cond {
        Cond::Eq => return Some((Cond::Ne, false)),
        Cond::Ne => return Some((Cond::Eq, false)),
        Cond::Set => return None,
        Cond::Gt => Cond::Le,
        Cond::Ge => Cond::Lt,
        Cond::Lt => Cond::Ge,
        Cond::Le => Cond::Gt,
        Cond::Sgt => Cond::Sle,
        Cond::Sge => Cond::Slt,
        Cond::Slt => Cond::Sge,
        Cond::Sle => Cond::Sgt,
    };
    if exists(opposite, cpu) {
        return Some((opposite, false));
    }
    match src {
        Src::Reg(_) => Some((exchanged(opposite), true)),
        Src::Imm(_) => None,
    }
}

/// Does the cpu have jumps on this condition?
fn exists(cond: Cond, cpu: Cpu) -> bool {
    match cond {
        Cond::Lt | Cond::Le | Cond::Slt | Cond::Sle => cpu >= Cpu::V2,
        Cond::Eq | Cond::Ne | Cond::Set | Cond::Gt | Cond::Ge | Cond::Sgt | Cond::Sge => true,
    }
}

/// The same condition with its operands exchanged.
fn exchanged(cond: Cond) -> Cond {
    match cond {
        Cond::Eq => Cond::Eq,
        Cond::Ne => Cond::Ne,
        Cond::Set => Cond::Set,
        Cond::Gt => Cond::Lt,
        Cond::Ge => Cond::Le,
        Cond::Lt => Cond::Gt,
        Cond::Le => Cond::Ge,
        Cond::Sgt => Cond::Slt,
        Cond::Sge => Cond::Sle,
        Cond::Slt => Cond::Sgt,
        Cond::Sle => Cond::Sge,
    }
}
