//! The order of blocks in memory, and jumps that go straight to where they lead.
//!
//! In: machine IR with machine registers. Out: the same with its final order of blocks, in which
//! most jumps go to the next block and are no instructions.

use skep_stdlib::isa::{Cond, Cpu};

use super::flow::Flow;
use super::mir::{Block, Func, Inst, Op, Src};
use super::{preset, rotate, tails};
use crate::ir::Arena;

/// Orders the blocks of a function; blocks that cannot be reached are dropped.
pub fn order(func: &mut Func, cpu: Cpu) {
    if func.order.len() == 1 {
        return;
    }
    thread_jumps(func);
    rotate::run(func);
    func.order = placement(func, cpu);
    if tails::merge(func) | thread_jumps(func) | preset::run(func) {
        func.order = placement(func, cpu);
    }
    end_early(func);
}

/// Where a jump would lead only to the end, the end is as short as the jump.
fn end_early(func: &mut Func) {
    let next: Vec<_> = func.order.iter().skip(1).copied().map(Some).chain([None]).collect();
    for (&block, next) in func.order.clone().iter().zip(next) {
        let Some(&Inst { op: Op::Jump { to }, .. }) = func.blocks[block].insts.last() else { continue };
        if ends(func, to)
            && Some(to) != next
            && let Some(&end) = func.blocks[to].insts.first()
            && let Some(last) = func.blocks[block].insts.last_mut()
        {
            last.op = end.op;
        }
    }
    let preds = func.predecessors();
    let entry = func.order.first().copied();
    func.order.retain(|&block| Some(block) == entry || !preds[block].is_empty());
}

/// Jumps to a block that only jumps on go to its target. Whether there were any.
fn thread_jumps(func: &mut Func) -> bool {
    let mut changed = false;
    let mut target = identity(func);
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
            let before = last.op.ways();
            last.op.map_successors(|block| target[block]);
            if let Op::Branch { then, els, .. } = last.op
                && then == els
            {
                last.op = Op::Jump { to: then };
            }
            changed |= last.op.ways() != before;
        }
    }
    if let Some(first) = func.order.first_mut() {
        changed |= *first != target[*first];
        *first = target[*first];
    }
    changed
}

/// Each block with itself.
fn identity(func: &Func) -> Arena<Block, Block> {
    let mut same = Arena::new();
    for block in func.blocks.keys() {
        same.push(block);
    }
    same
}

/// Links blocks to chains, the most useful links first (Pettis and Hansen, "Profile Guided Code
/// Positioning", bottom-up), and puts the chains one after another.
fn placement(func: &Func, cpu: Cpu) -> Vec<Block> {
    let flow = Flow::of(func);
    let mut links = links(func, &flow, cpu);
    links.sort_by_key(|link| link.rank);
    let mut chains = Chains {
        next: Arena::filled(&func.blocks, None),
        linked: Arena::filled(&func.blocks, false),
        chain: identity(func),
    };
    for link in links {
        chains.link(link.from, link.to);
    }
    let mut order = Vec::with_capacity(flow.rpo.len());
    for &head in flow.rpo.iter().filter(|&&block| !chains.linked[block]) {
        let mut at = Some(head);
        while let Some(block) = at {
            order.push(block);
            at = chains.next[block];
        }
    }
    order
}

/// A jump that could be saved by putting one block after another.
struct Link {
    /// Useful links first: not to a lone end; often executed; unconditional; into code of its own rather than
    /// to where paths meet, so that what a check guards follows the check, and the kernel's verifier sees
    /// it with the check passed first; in the order of the blocks; in a loop what many values lead to before
    /// what one leads to, because the verifier walks it first and then finds the one among the many.
    rank: (bool, std::cmp::Reverse<u32>, bool, bool, usize, bool),
    from: Block,
    to: Block,
}

fn links(func: &Func, flow: &Flow, cpu: Cpu) -> Vec<Link> {
    let entry = func.order.first().copied();
    let mut links = Vec::with_capacity(2 * flow.rpo.len());
    for (position, &from) in flow.rpo.iter().enumerate() {
        let Some(&Inst { op, .. }) = func.blocks[from].insts.last() else { continue };
        let rank = |to: Block, conditional: bool, second: bool| {
            let often = std::cmp::Reverse(flow.depth(from).min(flow.depth(to)));
            // Before a lone end of the function little is saved: the end itself can replace the jump.
            let end = ends(func, to);
            let meets =
                flow.preds[to].len() > 1 || passes_by(func, to).is_some_and(|on| flow.preds[on].len() > 1);
            (end, often, conditional, meets, position, second)
        };
        match op {
            // The way back is a jump in any case.
            Op::Jump { to } if flow.dominates(to, from) => {}
            Op::Jump { to } => links.push(Link { rank: rank(to, false, false), from, to }),
            Op::AsmGoto { next, .. } => {
                links.push(Link { rank: rank(next, true, true), from, to: next });
            }
            Op::Branch { cond, src, then, els, .. } => {
                // What all values but one lead to, in a loop.
                let general = cond == Cond::Eq && matches!(src, Src::Imm(_)) && flow.depth(from) > 0;
                links.push(Link { rank: rank(els, true, !general), from, to: els });
                if negated(cond, src, cpu).is_some() {
                    links.push(Link { rank: rank(then, true, general), from, to: then });
                }
            }
            _ => {}
        }
    }
    links.retain(|link| Some(link.to) != entry);
    links
}

/// Where a block leads that only moves values for the blocks that it leads to.
fn passes_by(func: &Func, block: Block) -> Option<Block> {
    let (last, moves) = func.blocks[block].insts.split_last()?;
    let Op::Jump { to } = last.op else { return None };
    let is_move = |op: &Op| matches!(op, Op::Mov { .. } | Op::MovImm { .. } | Op::Zext { .. });
    moves.iter().all(|inst| is_move(&inst.op)).then_some(to)
}

/// Does the block only end the function?
fn ends(func: &Func, block: Block) -> bool {
    matches!(func.blocks[block].insts.first().map(|inst| inst.op), Some(Op::Exit { .. }))
}

struct Chains {
    next: Arena<Block, Option<Block>>,
    /// Does the block follow another one?
    linked: Arena<Block, bool>,
    /// A block of the same chain, the block itself for one of each chain.
    chain: Arena<Block, Block>,
}

impl Chains {
    fn find(&mut self, mut block: Block) -> Block {
        while self.chain[block] != block {
            self.chain[block] = self.chain[self.chain[block]];
            block = self.chain[block];
        }
        block
    }

    /// Puts `to` after `from` if both are free for that.
    fn link(&mut self, from: Block, to: Block) {
        let (a, b) = (self.find(from), self.find(to));
        if a != b && self.next[from].is_none() && !self.linked[to] {
            self.next[from] = Some(to);
            self.linked[to] = true;
            self.chain[b] = a;
        }
    }
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
