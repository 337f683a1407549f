//! Control flow of machine IR: reverse postorder, dominators, loops.
//!
//! Dominators by Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm"; loops are the
//! natural loops of back edges, and loops with the same header are one.

use super::mir::{Block, Func};
use crate::ir::Arena;

/// Facts about the control flow of a function. Blocks that cannot be reached have none.
pub struct Flow {
    /// Reachable blocks in reverse postorder; the first is the entry.
    pub rpo: Vec<Block>,
    position: Arena<Block, Option<u32>>,
    idom: Arena<Block, Option<Block>>,
    header: Arena<Block, Option<Block>>,
    depth: Arena<Block, u32>,
}

impl Flow {
    /// Analyses a function.
    pub fn new(func: &Func) -> Flow {
        let rpo = reverse_postorder(func);
        let mut position = Arena::filled(&func.blocks, None);
        for (i, &block) in rpo.iter().enumerate() {
            position[block] = Some(i as u32);
        }
        let mut flow = Flow {
            rpo,
            position,
            idom: Arena::filled(&func.blocks, None),
            header: Arena::filled(&func.blocks, None),
            depth: Arena::filled(&func.blocks, 0),
        };
        let preds = func.predecessors();
        flow.find_dominators(&preds);
        flow.find_loops(func, &preds);
        flow
    }

    /// Can the block be reached?
    pub fn reaches(&self, block: Block) -> bool {
        self.position[block].is_some()
    }

    /// How many loops are around a block.
    pub fn depth(&self, block: Block) -> u32 {
        self.depth[block]
    }

    /// Does every path to `b` pass `a`?
    pub fn dominates(&self, a: Block, b: Block) -> bool {
        let Some(limit) = self.position[a] else { return false };
        let mut at = Some(b);
        while let Some(block) = at {
            if block == a {
                return true;
            }
            if self.position[block].is_none_or(|p| p < limit) {
                return false;
            }
            at = self.idom[block];
        }
        false
    }

    /// The last block that every path to each of these passes, if it is found in so many steps.
    pub fn common_dominator(&self, blocks: &[Block], steps: usize) -> Option<Block> {
        let (&first, others) = blocks.split_first()?;
        let (mut found, mut left) = (first, steps);
        for &block in others {
            let mut other = block;
            while found != other {
                left = left.checked_sub(1)?;
                let later =
                    if self.position[found]? > self.position[other]? { &mut found } else { &mut other };
                *later = self.idom[*later]?;
            }
        }
        Some(found)
    }

    /// A block outside of all loops that dominates `block`; the block itself if it is in none.
    pub fn outside_loops(&self, block: Block) -> Block {
        let mut at = block;
        while let Some(header) = self.header[at] {
            match self.idom[header] {
                Some(before) => at = before,
                // The entry is a loop header: there is nothing before it.
                None => return block,
            }
        }
        at
    }

    fn find_dominators(&mut self, preds: &Arena<Block, Vec<Block>>) {
        let Some(&entry) = self.rpo.first() else { return };
        // The entry is its own dominator while the search runs.
        self.idom[entry] = Some(entry);
        let mut changed = true;
        while changed {
            changed = false;
            for &block in &self.rpo[1..] {
                let known = preds[block].iter().copied().filter(|&p| self.idom[p].is_some());
                let new = known.reduce(|a, b| intersect(&self.idom, &self.position, a, b));
                if self.idom[block] != new {
                    self.idom[block] = new;
                    changed = true;
                }
            }
        }
        self.idom[entry] = None;
    }

    fn find_loops(&mut self, func: &Func, preds: &Arena<Block, Vec<Block>>) {
        let mut member = Arena::filled(&func.blocks, None);
        // Outer headers come first in reverse postorder, so inner loops overwrite `header`.
        for index in 0..self.rpo.len() {
            let header = self.rpo[index];
            let mut work: Vec<Block> =
                preds[header].iter().copied().filter(|&p| self.dominates(header, p)).collect();
            if work.is_empty() {
                continue;
            }
            work.push(header);
            while let Some(block) = work.pop() {
                if member[block] == Some(header) || !self.reaches(block) {
                    continue;
                }
                member[block] = Some(header);
                self.header[block] = Some(header);
                self.depth[block] += 1;
                if block != header {
                    work.extend(preds[block].iter().copied());
                }
            }
        }
    }
}

fn intersect(
    idom: &Arena<Block, Option<Block>>,
    position: &Arena<Block, Option<u32>>,
    mut a: Block,
    mut b: Block,
) -> Block {
    while a != b {
        let later = if position[a] > position[b] { &mut a } else { &mut b };
        match idom[*later] {
            Some(up) => *later = up,
            None => break,
        }
    }
    a
}

fn reverse_postorder(func: &Func) -> Vec<Block> {
    let Some(&entry) = func.order.first() else { return Vec::new() };
    let mut seen = Arena::filled(&func.blocks, false);
    let mut order = Vec::new();
    let mut stack = vec![(entry, func.successors(entry).collect::<Vec<_>>())];
    seen[entry] = true;
    while let Some((block, rest)) = stack.last_mut() {
        // The last successor first, so that the first one comes first in the result.
        match rest.pop() {
            Some(next) => {
                if !std::mem::replace(&mut seen[next], true) {
                    stack.push((next, func.successors(next).collect()));
                }
            }
            None => {
                order.push(*block);
                stack.pop();
            }
        }
    }
    order.reverse();
    order
}
