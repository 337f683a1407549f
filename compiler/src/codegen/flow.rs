//! Control flow of machine IR: reverse postorder, dominators, loops.
//!
//! Loops are the natural loops of back edges, and loops with the same header are one. A function remembers its last
//! [`Flow`], which holds for as long as its graph is what it was.

use std::cell::RefCell;
use std::rc::Rc;

use super::mir::{Block, Func};
use crate::ir::dominators::Dominators;
use crate::ir::{Arena, Preds};

/// Facts about the control flow of a function. Blocks that cannot be reached have none.
pub struct Flow {
    /// Reachable blocks in reverse postorder; the first is the entry.
    pub rpo: Vec<Block>,
    position: Arena<Block, Option<u32>>,
    tree: Dominators,
    header: Arena<Block, Option<Block>>,
    depth: Arena<Block, u32>,
    /// The graph that it is about: how many blocks there are, their layout, and where each goes.
    graph: (usize, Vec<Block>, Vec<[Option<Block>; 2]>),
}

/// The last [`Flow`] of a function.
#[derive(Clone, Default)]
pub struct Remembered(RefCell<Option<Rc<Flow>>>);

impl std::fmt::Debug for Remembered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("_")
    }
}

/// Where control goes from a block.
fn ways(func: &Func, block: Block) -> [Option<Block>; 2] {
    let mut next = func.successors(block);
    [next.next(), next.next()]
}

impl Flow {
    /// Analyses a function, unless that was done and its graph is still the same.
    pub fn of(func: &Func) -> Rc<Flow> {
        let mut last = func.flow.0.borrow_mut();
        match &*last {
            Some(flow) if flow.is_of(func) => Rc::clone(flow),
            _ => Rc::clone(last.insert(Rc::new(Flow::new(func)))),
        }
    }

    fn is_of(&self, func: &Func) -> bool {
        let (count, layout, jumps) = &self.graph;
        let mut blocks = layout.iter().zip(jumps);
        *count == func.blocks.len()
            && *layout == func.order
            && blocks.all(|(&block, &jumps)| ways(func, block) == jumps)
    }

    fn new(func: &Func) -> Flow {
        let rpo = reverse_postorder(func);
        let mut position = Arena::filled(&func.blocks, None);
        for (i, &block) in rpo.iter().enumerate() {
            position[block] = Some(i as u32);
        }
        let preds = func.predecessors();
        let tree = Dominators::new(rpo.len(), |node| {
            preds[rpo[node as usize]].iter().filter_map(|&pred| position[pred])
        });
        let mut flow = Flow {
            rpo,
            position,
            tree,
            header: Arena::filled(&func.blocks, None),
            depth: Arena::filled(&func.blocks, 0),
            graph: (
                func.blocks.len(),
                func.order.clone(),
                func.order.iter().map(|&block| ways(func, block)).collect(),
            ),
        };
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
        match (self.position[a], self.position[b]) {
            (Some(a), Some(b)) => self.tree.dominates(a, b),
            (None, _) | (_, None) => false,
        }
    }

    fn idom(&self, block: Block) -> Option<Block> {
        Some(self.rpo[self.tree.idom(self.position[block]?)? as usize])
    }

    /// The position in reverse postorder of each reachable block.
    pub fn position(&self, block: Block) -> Option<u32> {
        self.position[block]
    }

    /// The position of the last block that each reachable block dominates.
    pub fn ends(&self) -> Arena<Block, Option<u32>> {
        let mut ends = self.position.clone();
        for &block in self.rpo.iter().rev() {
            if let Some(up) = self.idom(block) {
                ends[up] = ends[up].max(ends[block]);
            }
        }
        ends
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
                *later = self.idom(*later)?;
            }
        }
        Some(found)
    }

    /// A block outside of all loops that dominates `block`; the block itself if it is in none.
    pub fn outside_loops(&self, block: Block) -> Block {
        let mut at = block;
        while let Some(header) = self.header[at] {
            match self.idom(header) {
                Some(before) => at = before,
                // The entry is a loop header: there is nothing before it.
                None => return block,
            }
        }
        at
    }

    fn find_loops(&mut self, func: &Func, preds: &Preds<Block>) {
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

fn reverse_postorder(func: &Func) -> Vec<Block> {
    let Some(&entry) = func.order.first() else { return Vec::new() };
    let mut seen = Arena::filled(&func.blocks, false);
    let mut order = Vec::with_capacity(func.order.len());
    // Each block with how many of its successors are still to be entered.
    let mut stack = Vec::with_capacity(func.order.len());
    stack.push((entry, func.successors(entry).count()));
    seen[entry] = true;
    while let Some((block, left)) = stack.last_mut() {
        // The last successor first, so that the first one comes first in the result.
        if *left == 0 {
            order.push(*block);
            stack.pop();
            continue;
        }
        *left -= 1;
        if let Some(next) = func.successors(*block).nth(*left)
            && !std::mem::replace(&mut seen[next], true)
        {
            stack.push((next, func.successors(next).count()));
        }
    }
    order.reverse();
    order
}
