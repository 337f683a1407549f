//! Copies of blocks, for passes that duplicate control flow.
//!
//! In: a function and some of its blocks. Out: copies of them whose jumps among themselves stay among
//! the copies. Invariant: the copies use what the originals use from outside; values of the originals
//! that are used outside are moved to slots before, by [`demote_escaping`], so that both definitions
//! store to one slot.

use std::collections::BTreeMap;

use super::mem2reg;
use crate::ir::{Arena, Block, Function, Slot, Type, Value, ValueDef};

/// The copy of each block.
pub type Copies = BTreeMap<Block, Block>;

/// What stands for each value in the copy that was made last: the value itself, if none of its blocks defines it.
pub struct Twins(Arena<Value, Value>);

impl Twins {
    /// For copies of blocks of a function as it is now.
    pub fn new(f: &Function) -> Twins {
        Twins(f.values.keys().collect())
    }

    /// Copies blocks, which are given in an order in which definitions come before uses. The copies are in no layout
    /// yet, and none of the blocks is a copy that this has made.
    pub fn copy(&mut self, f: &mut Function, list: &[Block]) -> Copies {
        let Twins(twins) = self;
        let mut copies = Copies::new();
        f.reserve(list.iter().map(|&block| f.blocks[block].insts.len()).sum());
        for &block in list {
            let copy = f.blocks.push(Default::default());
            f.blocks[copy].unroll = f.blocks[block].unroll;
            copies.insert(block, copy);
            for param in f.blocks[block].params.clone() {
                let ty = f.ty(param);
                twins[param] = f.add_param(copy, ty);
            }
        }
        for &block in list {
            let copy = copies[&block];
            let size = f.blocks[block].insts.len();
            f.blocks[copy].insts.reserve(size);
            for at in 0..size {
                let inst = f.blocks[block].insts[at];
                let mut data = f.insts[inst].clone();
                data.map_operands(|v| twins[v]);
                for call in data.targets_mut() {
                    call.block = copies.get(&call.block).copied().unwrap_or(call.block);
                }
                let twin = f.append(copy, data, f.locs[inst]);
                if f.insts.is_settled(inst) {
                    f.insts.settle(twin);
                }
                if let (Some(old), Some(new)) = (f.result(inst), f.result(twin)) {
                    twins[old] = new;
                }
            }
        }
        copies
    }
}

/// Puts blocks into the layout, each list after a block of its own.
pub fn place(f: &mut Function, lists: &[(Block, Vec<Block>)]) {
    let mut following = Arena::filled(&f.blocks, None);
    for (index, (after, _)) in lists.iter().enumerate() {
        following[*after] = Some(index);
    }
    let order = std::mem::take(&mut f.order);
    f.order.reserve(order.len() + lists.len());
    for block in order {
        f.order.push(block);
        if let Some(index) = following[block] {
            f.order.extend(&lists[index].1);
        }
    }
}

/// Moves values that some blocks define and others use into slots: stored where they are defined, loaded
/// at each use elsewhere. Each list of blocks is apart from the others.
pub fn demote_escaping(f: &mut Function, lists: &[&[Block]]) -> Vec<(Slot, Type)> {
    let mut region: Arena<Block, Option<usize>> = Arena::filled(&f.blocks, None);
    let mut home: Arena<Value, Option<Block>> = Arena::filled(&f.values, None);
    for (index, &list) in lists.iter().enumerate() {
        for &block in list {
            region[block] = Some(index);
            for &param in &f.blocks[block].params {
                home[param] = Some(block);
            }
            for &inst in &f.blocks[block].insts {
                if let Some(result) = f.result(inst) {
                    home[result] = Some(block);
                }
            }
        }
    }
    let escapes = |v: Value, user: Block| home[v].is_some_and(|block| region[block] != region[user]);
    let mut readers: Vec<(Block, Vec<Value>)> = Vec::new();
    let mut slot_of: BTreeMap<Value, Slot> = BTreeMap::new();
    for &block in &f.order {
        let mut read = Vec::new();
        for &inst in &f.blocks[block].insts {
            f.insts[inst].for_each_operand(|v| {
                if escapes(v, block) && !read.contains(&v) {
                    read.push(v);
                }
            });
        }
        if !read.is_empty() {
            readers.push((block, read));
        }
    }
    for &value in readers.iter().flat_map(|(_, read)| read) {
        slot_of.insert(value, Slot::from_index(0));
    }
    let mut defined: BTreeMap<Block, Vec<Value>> = BTreeMap::new();
    for (&value, slot) in &mut slot_of {
        debug_assert!(!matches!(f.values[value].def, ValueDef::Alias(_)));
        *slot = mem2reg::slot_for(f, value);
        if let Some(block) = home[value] {
            defined.entry(block).or_default().push(value);
        }
    }
    for (block, mut read) in readers {
        read.sort();
        mem2reg::load_in(f, block, &read, &slot_of);
    }
    for (block, values) in defined {
        mem2reg::store_in(f, block, &values, &slot_of);
    }
    slot_of.into_iter().map(|(value, slot)| (slot, f.ty(value))).collect()
}

/// Makes the slots of [`demote_escaping`] values again.
pub fn repair(f: &mut Function, slots: &[(Slot, Type)]) {
    super::cfg::remove_unreachable(f);
    if !slots.is_empty() {
        mem2reg::promote(f, slots);
    }
}
