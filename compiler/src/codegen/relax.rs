//! Jumps that are too far for the 16 bits of their distance.
//!
//! In: machine IR with its final layout. Out: its code, in which every jump reaches.
//!
//! ```text
//! if r1 > 7 goto bb9          if r1 > 7 goto bb20
//! ...                         ...
//!                      =>     goto bb8                 ; only if control comes from above
//!                             bb20: goto bb9
//! bb8: ...                    bb8: ...
//! bb9: ...                    bb9: ...
//! ```
//! A block that does nothing but jump on is put where the jump reaches it. From cpu v4 on a plain jump
//! reaches everything, so the block follows the one that jumps, and the condition is turned around;
//! below it stands as far on the way as the jump reaches, and several may be needed.

use std::collections::BTreeMap;

use skep_stdlib::isa::Cpu;

use super::code::FuncCode;
use super::emit::{self, Emitted, Far};
use super::mir::{Block, Func, Inst, Op};
use crate::ir::{Limit, Module, SrcLoc};

/// How far a bridge is from the jump: what is inserted in between must not bring it out of reach.
const STEP: u32 = 16_000;

/// Instructions of a block, so that there is a place for bridges on the way.
const PIECE: usize = 6_000;

/// Emits a function; `None` when that cannot be done, which is reported.
pub fn emit(mut func: Func, module: &Module, cpu: Cpu, limits: &mut Vec<Limit>) -> Option<FuncCode> {
    // What was inserted may bring other jumps out of reach, as long as these are fewer and fewer: where thousands
    // of targets are far away, their bridges alone fill the way.
    let mut fewest = usize::MAX;
    loop {
        match emit::emit(&func, module, cpu, limits) {
            Emitted::Code(code) => return Some(code),
            Emitted::Wrong => return None,
            // Bridges need places: the next round measures with them.
            Emitted::Far(_) if cpu < Cpu::V4 && cut(&mut func) => {}
            Emitted::Far(far) if far.jumps.len() >= fewest => break,
            Emitted::Far(far) => {
                fewest = far.jumps.len();
                if cpu >= Cpu::V4 { turn_around(&mut func, &far) } else { bridge(&mut func, &far) }
            }
        }
    }
    let name = &module.symbols[func.symbol].name;
    let loc = func.order.first().and_then(|&block| func.blocks[block].insts.first());
    let loc = loc.map_or(SrcLoc::NONE, |inst| inst.loc);
    limits.push(Limit::new(loc, format!("a jump in `{name}` is farther than 32767 instructions")));
    None
}

/// Leads each far jump through a plain jump right behind the block.
fn turn_around(func: &mut Func, far: &Far) {
    let mut behind: BTreeMap<Block, Vec<Block>> = BTreeMap::new();
    for &(from, _, to) in &far.jumps {
        // Assembly may jump to the same target several times.
        if func.successors(from).all(|block| block != to) {
            continue;
        }
        let block = new_bridge(func, from, to);
        lead(func, from, to, block);
        behind.entry(from).or_default().push(block);
    }
    let order = std::mem::take(&mut func.order);
    for block in order {
        func.order.push(block);
        func.order.extend(behind.remove(&block).unwrap_or_default());
    }
}

/// Leads each far jump through as many plain jumps on the way as it takes.
fn bridge(func: &mut Func, far: &Far) {
    let order = std::mem::take(&mut func.order);
    let starts: Vec<u32> = order.iter().map(|&block| far.starts[block]).collect();
    // By target and the place before which they stand. Jumps to the same target share them.
    let mut bridges: BTreeMap<(Block, usize), Block> = BTreeMap::new();
    for &(from, slot, to) in &far.jumps {
        let (mut from, mut at) = (from, slot);
        let goal = far.starts[to];
        while at.abs_diff(goal) > STEP {
            // The last place in reach. There is one, as blocks are short.
            let place = if goal > at {
                starts.partition_point(|&start| start <= at + STEP) - 1
            } else {
                starts.partition_point(|&start| start + STEP < at).max(1)
            };
            let start = starts.get(place).copied().unwrap_or(goal);
            if start.abs_diff(goal) >= at.abs_diff(goal) {
                break;
            }
            let next = *bridges.entry((to, place)).or_insert_with(|| new_bridge(func, from, to));
            lead(func, from, to, next);
            (from, at) = (next, start);
        }
    }
    let mut before: BTreeMap<usize, Vec<Block>> = BTreeMap::new();
    for ((_, place), block) in bridges {
        before.entry(place).or_default().push(block);
    }
    for (place, block) in order.into_iter().enumerate() {
        func.order.extend(before.remove(&place).unwrap_or_default());
        func.order.push(block);
    }
}

/// A block that jumps on to `to`, for a jump at the end of `from`.
fn new_bridge(func: &mut Func, from: Block, to: Block) -> Block {
    let loc = func.blocks[from].insts.last().map_or(SrcLoc::NONE, |inst| inst.loc);
    let block = func.new_block();
    func.blocks[block].insts.push(Inst { op: Op::Jump { to }, loc, core: None });
    block
}

/// Leads the jump from `from` to `to` to `bridge` instead.
fn lead(func: &mut Func, from: Block, to: Block, bridge: Block) {
    if let Some(last) = func.blocks[from].insts.last_mut() {
        last.op.map_successors(|block| if block == to { bridge } else { block });
    }
}

/// Cuts long blocks to pieces. Returns whether there were any.
fn cut(func: &mut Func) -> bool {
    let order = std::mem::take(&mut func.order);
    let mut changed = false;
    for block in order {
        func.order.push(block);
        let mut rest = std::mem::take(&mut func.blocks[block].insts);
        let mut at = block;
        while rest.len() > PIECE {
            let tail = rest.split_off(PIECE - 1);
            let next = func.new_block();
            let loc = rest.last().map_or(SrcLoc::NONE, |inst| inst.loc);
            rest.push(Inst { op: Op::Jump { to: next }, loc, core: None });
            func.blocks[at].insts = std::mem::replace(&mut rest, tail);
            func.order.push(next);
            (at, changed) = (next, true);
        }
        func.blocks[at].insts = rest;
    }
    changed
}
