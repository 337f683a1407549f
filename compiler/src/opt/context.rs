//! context: what a program is given is accessed through the pointer that it was given.
//!
//! ```text
//! block1:  jump block3(v0+8)                block1:  store.i32 v1, v0+8
//! block2:  jump block3(v0+32)       ->      block2:  store.i32 v1, v0+32
//! block3(v2: ptr):
//!   store.i32 v1, v2
//! ```
//!
//! A block that accesses memory through one of several places of the context is copied for each way into it.
//! Preserves: what happens on every path.
//! The kernel's verifier still accepts, and only now: it refuses a context pointer to which anything was
//! added, and one instruction that accesses several fields.
//! Cost: linear where there is nothing to do; else the size of the copies, at most [`COPIES`] blocks.

use super::Cx;
use super::alias::{Place, Root};
use super::clone;
use crate::ir::{Block, Function, InstData, Preds, Type, Value};

/// Blocks that are made at most.
const COPIES: usize = 64;

/// Instructions of a block that is copied.
const SIZE: usize = 60;

/// Runs the pass.
pub fn run(f: &mut Function, _: &Cx<'_>) -> bool {
    let [context] = f.blocks[f.entry()].params[..] else { return false };
    let joins = |f: &Function| {
        f.order.iter().skip(1).any(|&block| f.blocks[block].params.iter().any(|&p| f.ty(p) == Type::Ptr))
    };
    if f.ty(context) != Type::Ptr || !joins(f) {
        return false;
    }
    let mut changed = super::cfg::remove_unreachable(f);
    let mut copies = 0;
    while copies < COPIES {
        let preds = f.predecessors();
        let found = f.order.iter().skip(1).copied().find(|&block| mixes(f, &preds, context, block));
        let Some(block) = found else { break };
        copies += split(f, &preds, block);
        changed = true;
    }
    changed
}

/// Does the block access memory through a parameter that is several places of the context?
fn mixes(f: &Function, preds: &Preds, context: Value, block: Block) -> bool {
    let data = &f.blocks[block];
    if data.insts.len() > SIZE || preds[block].len() < 2 || preds[block].contains(&block) {
        return false;
    }
    let accessed = |param: Value| {
        data.insts.iter().any(|&inst| match f.insts[inst] {
            InstData::Load { base, .. } | InstData::Store { base, .. } => {
                Place::new(f, base, 0).root == Root::Other(param)
            }
            _ => false,
        })
    };
    data.params.iter().enumerate().any(|(index, &param)| {
        f.ty(param) == Type::Ptr && accessed(param) && {
            let places: Vec<Place> = preds[block]
                .iter()
                .flat_map(|&pred| f.successors(pred).filter(|call| call.block == block))
                .filter_map(|call| Some(Place::new(f, *call.args.get(index)?, 0)))
                .collect();
            let of_context = |place: &Place| place.root == Root::Other(context);
            places.iter().any(of_context) && places.iter().any(|place| Some(place) != places.first())
        }
    })
}

/// Gives each way into a block a copy of its own. Returns how many were made.
fn split(f: &mut Function, preds: &Preds, block: Block) -> usize {
    let mut sources: Vec<Block> = preds[block].to_vec();
    sources.dedup();
    let mut twins = clone::Twins::new(f);
    let mut made = Vec::new();
    for pred in sources {
        let Some(last) = f.terminator(pred) else { continue };
        for jump in 0..f.insts[last].targets().len() {
            if f.insts[last].targets()[jump].block == block {
                let copy = twins.copy(f, &[block])[&block];
                for call in f.insts.targets_mut(last).skip(jump).take(1) {
                    call.block = copy;
                }
                made.push(copy);
            }
        }
    }
    let count = made.len();
    made.reverse();
    clone::place(f, &[(block, made)]);
    twins.repair(f);
    count
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    #[test]
    fn an_access_of_one_of_two_fields_is_two_accesses() {
        let text = "function @f(ptr) -> i32 {\nblock0(v0: ptr):\n  v1 = load.i32 v0 align 4\n\
            v2 = iconst.i32 3\n  v3 = icmp eq v1, v2\n  v4 = iconst.i64 8\n  v5 = ptr_add v0, v4\n\
            v6 = iconst.i64 32\n  v7 = ptr_add v0, v6\n  br v3, block1(v5), block1(v7)\n\
            block1(v8: ptr):\n  store v2, v8 align 4\n  return v2\n}";
        let out = after_pass("context", text);
        assert_eq!(out.matches("store").count(), 2, "{out}");
        let other =
            text.replace("(ptr)", "(ptr, i32)").replace("block0(v0: ptr)", "block0(v0: ptr, v9: i32)");
        assert_eq!(after_pass("context", &other).matches("store").count(), 1);
    }
}
