//! Copies of blocks, for passes that duplicate control flow.
//!
//! In: a function and some of its blocks. Out: copies of them whose jumps among themselves stay among
//! the copies, and the values of the copies. Invariant: the copies use what the originals use from
//! outside; values of the originals that are used outside must be [`super::mem2reg::demote`]d before,
//! so that both definitions store to one slot.

use std::collections::{BTreeMap, BTreeSet};

use super::mem2reg::{demote, promote};
use crate::ir::{Arena, Block, Function, Slot, Type, Value, ValueDef};

/// What became of blocks and values.
pub struct Copies {
    /// The copy of each block.
    pub blocks: BTreeMap<Block, Block>,
    /// The copy of each value that the blocks define.
    pub values: BTreeMap<Value, Value>,
}

/// Copies blocks, which are given in an order in which definitions come before uses. The copies
/// follow `after` in the layout.
pub fn blocks(f: &mut Function, list: &[Block], after: Block) -> Copies {
    let mut copies = Copies { blocks: BTreeMap::new(), values: BTreeMap::new() };
    let mut order = Vec::new();
    for &block in list {
        let copy = f.blocks.push(Default::default());
        f.blocks[copy].unroll = f.blocks[block].unroll;
        order.push(copy);
        copies.blocks.insert(block, copy);
        for param in f.blocks[block].params.clone() {
            let ty = f.ty(param);
            let twin = f.add_param(copy, ty);
            copies.values.insert(param, twin);
        }
    }
    for &block in list {
        for inst in f.blocks[block].insts.clone() {
            let mut data = f.insts[inst].clone();
            data.map_operands(|v| copies.values.get(&v).copied().unwrap_or(v));
            for call in data.targets_mut() {
                call.block = copies.blocks.get(&call.block).copied().unwrap_or(call.block);
            }
            let twin = f.append(copies.blocks[&block], data, f.locs[inst]);
            if let (Some(old), Some(new)) = (f.result(inst), f.result(twin)) {
                copies.values.insert(old, new);
            }
        }
    }
    let place = f.order.iter().position(|&b| b == after).map_or(f.order.len(), |i| i + 1);
    f.order.splice(place..place, order);
    copies
}

/// Moves values that blocks define and others use into slots.
pub fn demote_escaping(f: &mut Function, list: &[Block]) -> BTreeMap<Slot, Type> {
    let inside: BTreeSet<Block> = list.iter().copied().collect();
    let mut home: Arena<Value, Option<Block>> = Arena::filled(&f.values, None);
    for &block in list {
        for &param in &f.blocks[block].params {
            home[param] = Some(block);
        }
        for &inst in &f.blocks[block].insts {
            if let Some(result) = f.result(inst) {
                home[result] = Some(block);
            }
        }
    }
    let mut escaping = BTreeSet::new();
    for &block in f.order.iter().filter(|block| !inside.contains(block)) {
        for &inst in &f.blocks[block].insts {
            f.insts[inst].for_each_operand(|v| {
                if home[v].is_some() {
                    escaping.insert(v);
                }
            });
        }
    }
    let mut slots = BTreeMap::new();
    for value in escaping {
        // What can be computed again anywhere needs no slot.
        let ty = f.ty(value);
        debug_assert!(!matches!(f.values[value].def, ValueDef::Alias(_)));
        slots.insert(demote(f, value, &inside), ty);
    }
    slots
}

/// Makes the slots of [`demote_escaping`] values again.
pub fn repair(f: &mut Function, slots: &BTreeMap<Slot, Type>) {
    super::cfg::remove_unreachable(f);
    if !slots.is_empty() {
        promote(f, slots);
    }
}
