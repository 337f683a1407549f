//! Pure instructions that were seen, by what they compute.
//!
//! In: pure instructions in reverse post-order. Out: for each the value of an equal one that dominates it. Equal are
//! two that differ at most in the order of operands that do not mind. A table of chains: instructions whose hashes
//! agree in their low bits are linked, the last one first; what cannot dominate anything any more leaves its chain.

use std::hash::{Hash, Hasher};

use crate::hash::Mix;
use crate::ir::flow::Flow;
use crate::ir::{Arena, Block, Function, Inst, InstData, Value};
use crate::opt::simplify::rules::commutes;

/// The end of a chain.
const END: u32 = u32::MAX;

pub struct Expressions {
    /// The first of each chain, by hash.
    chains: Vec<u32>,
    seen: Vec<Seen>,
    /// The position in reverse post-order of the last block that each dominates.
    ends: Arena<Block, u32>,
}

struct Seen {
    inst: Inst,
    value: Value,
    block: Block,
    /// The next of its chain.
    next: u32,
}

impl Expressions {
    /// Room for the instructions of a function that has `size`.
    pub fn new(f: &Function, flow: &Flow, size: usize) -> Expressions {
        let mut ends = Arena::filled(&f.blocks, 0);
        for (order, &block) in flow.rpo.iter().enumerate().rev() {
            ends[block] = ends[block].max(order as u32);
            if let Some(up) = flow.idom(block) {
                ends[up] = ends[up].max(ends[block]);
            }
        }
        let chains = vec![END; size.next_power_of_two()];
        Expressions { chains, seen: Vec::with_capacity(size), ends }
    }

    /// The value of an equal instruction that dominates this one of `block`; without any, this one is seen.
    pub fn equal(&mut self, f: &Function, flow: &Flow, block: Block, inst: Inst) -> Option<Value> {
        let result = f.result(inst)?;
        let data = &f.insts[inst];
        let chain = hash(data) as usize & (self.chains.len() - 1);
        let (mut at, mut after) = (self.chains[chain], END);
        while let Some(Seen { inst: other, value, block: home, next }) = self.seen.get(at as usize) {
            if flow.dominates(*home, block)
                && is_equal(&f.insts[*other], data)
                && f.ty(*value) == f.ty(result)
            {
                return Some(*value);
            }
            let (here, next) = (at, *next);
            at = next;
            if Some(self.ends[*home]) >= flow.order(block) {
                after = here;
            } else if let Some(after) = self.seen.get_mut(after as usize) {
                after.next = next;
            } else {
                self.chains[chain] = next;
            }
        }
        let next = self.chains[chain];
        self.chains[chain] = self.seen.len() as u32;
        self.seen.push(Seen { inst, value: result, block, next });
        None
    }
}

/// Instructions that compare as equal have the same.
fn hash(data: &InstData) -> u64 {
    let mut state = Mix::default();
    match in_order(data) {
        Some(data) => data.hash(&mut state),
        None => data.hash(&mut state),
    }
    state.finish()
}

fn is_equal(a: &InstData, b: &InstData) -> bool {
    a == b
        || match (in_order(a), in_order(b)) {
            (None, None) => false,
            (a_in_order, b_in_order) => a_in_order.as_ref().unwrap_or(a) == b_in_order.as_ref().unwrap_or(b),
        }
}

/// The same with operands in order, where they are not and the order does not matter.
fn in_order(data: &InstData) -> Option<InstData> {
    match data {
        InstData::Binary { op, args: [a, b] } if commutes(*op) && b < a => {
            Some(InstData::Binary { op: *op, args: [*b, *a] })
        }
        InstData::Compare { op, args: [a, b] } if b < a => {
            Some(InstData::Compare { op: op.swapped(), args: [*b, *a] })
        }
        _ => None,
    }
}
