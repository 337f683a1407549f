//! Blocks that end alike share the end.
//!
//! ```text
//! bb1: ... r0 = 1; goto bb9            bb1: ... goto bb2
//! bb2: r0 = 1; goto bb9         =>     bb2: r0 = 1; goto bb9
//! ```
//! Only instructions on registers and on the frame are shared. The kernel's verifier wants the kinds
//! of pointers that one load or store sees, and the map that one call sees, to be always the same.

use std::collections::{BTreeMap, BTreeSet};

use super::mir::{Base, Block, Func, Inst, Op};

/// Merges equal ends of blocks. The locations of the first block stay. Whether there were any.
pub fn merge(func: &mut Func) -> bool {
    let (mut changed, mut any) = (true, false);
    while changed {
        changed = false;
        let mut groups: BTreeMap<Key, Vec<Block>> = BTreeMap::new();
        for &block in &func.order {
            if let Some(key) = Key::of(func, block) {
                groups.entry(key).or_default().push(block);
            }
        }
        for blocks in groups.values() {
            changed |= merge_group(func, blocks);
        }
        any |= changed;
    }
    any
}

/// What blocks that may share an end have in common: where they go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Jump(Block),
    Exit(bool),
}

impl Key {
    fn of(func: &Func, block: Block) -> Option<Key> {
        match func.blocks[block].insts.last()?.op {
            Op::Jump { to } => Some(Key::Jump(to)),
            Op::Exit { value } => Some(Key::Exit(value)),
            _ => None,
        }
    }
}

/// Merges the pairs of blocks with the longest common end, if any, in order.
fn merge_group(func: &mut Func, blocks: &[Block]) -> bool {
    let mut most = 1;
    let mut best = Vec::new();
    for (i, &a) in blocks.iter().enumerate() {
        // Ends of many blocks are alike; the neighbours in the order are enough to find that.
        for &b in blocks.iter().skip(i + 1).take(16) {
            let length = common_end(&func.blocks[a].insts, &func.blocks[b].insts);
            if length > most {
                most = length;
                best.clear();
            }
            if length == most && length > 1 {
                best.push((a, b));
            }
        }
    }
    // What a block ends in now is another matter once it goes to a shared end.
    let mut done = BTreeSet::new();
    for &(a, b) in &best {
        if !done.contains(&a) && !done.contains(&b) {
            let end = merge_pair(func, a, b, most);
            done.extend([a, b].into_iter().filter(|&block| block != end));
        }
    }
    !best.is_empty()
}

/// Lets two blocks share their last instructions. Returns the block that these are.
fn merge_pair(func: &mut Func, a: Block, b: Block, length: usize) -> Block {
    // A block that is nothing but the end is it; else the end becomes a block.
    let whole = [a, b].into_iter().find(|&block| func.blocks[block].insts.len() == length);
    let end = whole.unwrap_or_else(|| split_end(func, a, length));
    for block in [a, b].into_iter().filter(|&block| block != end) {
        let insts = &mut func.blocks[block].insts;
        if insts.last().is_none_or(|inst| inst.op != (Op::Jump { to: end })) {
            insts.truncate(insts.len() - length);
            push_jump(insts, end);
        }
    }
    end
}

/// Makes the last instructions of a block a block of their own.
fn split_end(func: &mut Func, block: Block, length: usize) -> Block {
    let end = func.new_block();
    let insts = &mut func.blocks[block].insts;
    let tail = insts.split_off(insts.len() - length);
    push_jump(insts, end);
    func.blocks[end].insts = tail;
    func.order.push(end);
    end
}

fn push_jump(insts: &mut Vec<Inst>, to: Block) {
    let loc = insts.last().map(|inst| inst.loc).unwrap_or_default();
    insts.push(Inst { op: Op::Jump { to }, loc, core: None });
}

fn common_end(a: &[Inst], b: &[Inst]) -> usize {
    let pairs = a.iter().rev().zip(b.iter().rev());
    pairs.take_while(|(x, y)| x.op == y.op && x.core == y.core && is_shareable(&x.op)).count()
}

fn is_shareable(op: &Op) -> bool {
    match op {
        Op::Load { addr, .. } | Op::Store { addr, .. } => matches!(addr.base, Base::Frame(_)),
        Op::Call { .. } | Op::Atomic { .. } | Op::Asm { .. } | Op::AsmGoto { .. } | Op::Branch { .. } => {
            false
        }
        Op::Alu { .. }
        | Op::Mov { .. }
        | Op::Zext { .. }
        | Op::MovImm { .. }
        | Op::Imm64 { .. }
        | Op::Symbol { .. }
        | Op::Frame { .. }
        | Op::FramePointer { .. }
        | Op::MovSx { .. }
        | Op::CastSpace { .. }
        | Op::Neg { .. }
        | Op::Swap { .. }
        | Op::Jump { .. }
        | Op::End
        | Op::Exit { .. } => true,
    }
}
