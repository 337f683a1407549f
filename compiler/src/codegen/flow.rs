//! Control flow of machine IR: reverse postorder, dominators, loops.
//!
//! Loops are the natural loops of back edges, and loops with the same header are one. A function remembers its last
//! [`Flow`], which holds for as long as its graph is what it was.

use std::cell::RefCell;
use std::rc::Rc;

use super::mir::{Block, Func, Ways};
use crate::ir::dominators::Dominators;
use crate::ir::{Arena, Preds};

/// Facts about the control flow of a function. Blocks that cannot be reached have none.
pub struct Flow {
    /// Reachable blocks in reverse postorder; the first is the entry.
    pub rpo: Vec<Block>,
    /// Blocks that jump to each block, once for each jump.
    pub preds: Preds<Block>,
    places: Arena<Block, Place>,
    tree: Dominators,
    /// The graph that it is about: how many blocks there are, and their layout with where each goes.
    graph: (usize, Vec<(Block, Ways)>),
}

/// Where a block is.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Its position in reverse postorder.
    position: Option<u32>,
    /// The header of the innermost loop around it.
    header: Option<Block>,
    /// How many loops are around it.
    depth: u32,
}

/// The last [`Flow`] of a function.
#[derive(Clone, Default)]
pub struct Remembered(RefCell<Option<Rc<Flow>>>);

impl std::fmt::Debug for Remembered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("_")
    }
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
        let (count, layout) = &self.graph;
        let same = |(&block, &(known, ways)): (&Block, &_)| block == known && func.ways(block) == ways;
        *count == func.blocks.len()
            && layout.len() == func.order.len()
            && func.order.iter().zip(layout).all(same)
    }

    fn new(func: &Func) -> Flow {
        let rpo = reverse_postorder(func);
        let mut places = Arena::filled(&func.blocks, Place::default());
        for (i, &block) in rpo.iter().enumerate() {
            places[block].position = Some(i as u32);
        }
        let layout = func.order.iter().map(|&block| (block, func.ways(block))).collect();
        let graph = (func.blocks.len(), layout);
        let mut flow = Flow { rpo, preds: Preds::default(), places, tree: Dominators::default(), graph };
        if !flow.is_straight() {
            flow.preds = func.predecessors();
            let (rpo, preds, places) = (&flow.rpo, &flow.preds, &flow.places);
            flow.tree = Dominators::new(rpo.len(), |node| {
                preds[rpo[node as usize]].iter().filter_map(|&pred| places[pred].position)
            });
            flow.find_loops();
        }
        flow
    }

    /// Does no block lead to another?
    pub fn is_straight(&self) -> bool {
        self.graph.1.iter().all(|&(_, ways)| ways == [None; 2])
    }

    /// Can the block be reached?
    pub fn reaches(&self, block: Block) -> bool {
        self.position(block).is_some()
    }

    /// How many loops are around a block.
    pub fn depth(&self, block: Block) -> u32 {
        self.places[block].depth
    }

    /// Does every path to `b` pass `a`?
    pub fn dominates(&self, a: Block, b: Block) -> bool {
        match (self.position(a), self.position(b)) {
            // Of a single block there is no tree.
            (Some(a), Some(b)) => a == b || self.tree.dominates(a, b),
            (None, _) | (_, None) => false,
        }
    }

    fn idom(&self, block: Block) -> Option<Block> {
        Some(self.rpo[self.tree.idom(self.position(block)?)? as usize])
    }

    /// The position in reverse postorder of each reachable block.
    pub fn position(&self, block: Block) -> Option<u32> {
        self.places[block].position
    }

    /// The position of the last block that each reachable block dominates.
    pub fn ends(&self) -> Arena<Block, Option<u32>> {
        let mut ends = Arena::filled(&self.places, None);
        self.rpo.iter().for_each(|&block| ends[block] = self.position(block));
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
                    if self.position(found)? > self.position(other)? { &mut found } else { &mut other };
                *later = self.idom(*later)?;
            }
        }
        Some(found)
    }

    /// A block outside of all loops that dominates `block`; the block itself if it is in none.
    pub fn outside_loops(&self, block: Block) -> Block {
        let mut at = block;
        while let Some(header) = self.places[at].header {
            match self.idom(header) {
                Some(before) => at = before,
                // The entry is a loop header: there is nothing before it.
                None => return block,
            }
        }
        at
    }

    fn find_loops(&mut self) {
        let mut work = Vec::new();
        // Outer headers come first in reverse postorder, so inner loops overwrite `header`.
        for index in 0..self.rpo.len() {
            let header = self.rpo[index];
            work.extend(self.preds[header].iter().copied().filter(|&pred| self.dominates(header, pred)));
            if work.is_empty() {
                continue;
            }
            work.push(header);
            while let Some(block) = work.pop() {
                let place = &mut self.places[block];
                if place.header == Some(header) || place.position.is_none() {
                    continue;
                }
                place.header = Some(header);
                place.depth += 1;
                if block != header {
                    work.extend(self.preds[block].iter().copied());
                }
            }
        }
    }
}

fn reverse_postorder(func: &Func) -> Vec<Block> {
    let Some(&entry) = func.order.first() else { return Vec::new() };
    let mut seen = Arena::filled(&func.blocks, false);
    let mut order = Vec::with_capacity(func.order.len());
    // Each block with its successors that are still to be entered.
    let mut stack = Vec::with_capacity(func.order.len());
    stack.push((entry, func.ways(entry)));
    seen[entry] = true;
    while let Some((block, [first, second])) = stack.last_mut() {
        // The last successor first, so that the first one comes first in the result.
        let Some(next) = second.take().or_else(|| first.take()) else {
            order.push(*block);
            stack.pop();
            continue;
        };
        if !std::mem::replace(&mut seen[next], true) {
            stack.push((next, func.ways(next)));
        }
    }
    order.reverse();
    order
}
