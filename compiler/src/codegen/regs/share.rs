//! An address that several calls are passed is made once.
//!
//! ```text
//! r2 = fo0; call 1                      %9 = fo0
//! r2 = fo0; call 2                =>    r2 = %9; call 1
//! r2 = fo0; r3 = fo0; call 3            r2 = %9; call 2
//!                                       r2 = %9; r3 = %9; call 3
//! ```
//! An address of the frame or of a variable takes two slots, a copy of it one. Where there is no register
//! for it, allocation makes it again before each copy, which then is what it was.
//! The kernel's verifier sees the same pointer in another register.

use std::collections::BTreeMap;

use crate::codegen::flow::Flow;
use crate::codegen::mir::{Block, Func, Inst, Object, Op, Reg};
use crate::ir::SymbolId;

/// Steps of the search for a place before all uses.
const FAR: usize = 256;

/// What is addressed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Frame(Object, i32),
    Symbol(SymbolId, i64),
}

/// The instructions that make an address.
#[derive(Default)]
struct Group {
    /// Blocks and positions, in reverse postorder.
    places: Vec<(Block, usize)>,
    /// How many of them put it where a call wants it.
    arguments: usize,
    op: Option<Inst>,
}

/// Shares addresses.
pub fn run(func: &mut Func, flow: &Flow) {
    let mut groups: BTreeMap<Target, Group> = BTreeMap::new();
    for &block in &flow.rpo {
        for (at, inst) in func.blocks[block].insts.iter().enumerate() {
            let (target, dst) = match inst.op {
                Op::Frame { dst, object, off } => (Target::Frame(object, off), dst),
                Op::Symbol { dst, symbol, addend } => (Target::Symbol(symbol, addend), dst),
                _ => continue,
            };
            if inst.core.is_none() {
                let group = groups.entry(target).or_default();
                group.places.push((block, at));
                group.arguments += usize::from(!dst.is_virtual());
                group.op.get_or_insert(*inst);
            }
        }
    }
    let mut made: BTreeMap<Block, Vec<(usize, Inst)>> = BTreeMap::new();
    for group in groups.into_values() {
        let others = group.places.len() - group.arguments;
        // Where something else holds the address anyway, each copy saves a slot.
        if group.arguments + 2 * others > 2
            && group.arguments > 0
            && let Some(first) = group.op
            && let Some((block, at)) = place(func, flow, &group)
        {
            let shared = func.new_reg();
            for &(block, at) in &group.places {
                let op = &mut func.blocks[block].insts[at].op;
                if let Some(dst) = op.rematerialised() {
                    *op = Op::Mov { dst, src: shared };
                }
            }
            made.entry(block).or_default().push((at, Inst { op: written_to(first.op, shared), ..first }));
        }
    }
    for (block, mut insts) in made {
        // From the end, so that positions stay what they are.
        insts.sort_by_key(|&(at, _)| std::cmp::Reverse(at));
        for (at, inst) in insts {
            func.blocks[block].insts.insert(at, inst);
        }
    }
}

/// Where the address is made: before all that use it, and outside of loops.
fn place(func: &Func, flow: &Flow, group: &Group) -> Option<(Block, usize)> {
    let mut blocks: Vec<Block> = group.places.iter().map(|&(block, _)| block).collect();
    blocks.dedup();
    let block = flow.outside_loops(flow.common_dominator(&blocks, FAR)?);
    let end = func.blocks[block].insts.len().checked_sub(1)?;
    let first = group.places.iter().filter(|(other, _)| *other == block).map(|&(_, at)| at).min();
    Some((block, first.unwrap_or(end)))
}

fn written_to(mut op: Op, dst: Reg) -> Op {
    op.map_regs(|_, _| dst);
    op
}
