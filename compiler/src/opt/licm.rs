//! licm: what every round of a loop computes alike is computed once before it.
//!
//! ```text
//! block1: jump block2                          block1: v5 = mul v1, 20   v6 = ptr_add v2, v5   jump block2
//! block2(v3: i64):                       ->    block2(v3: i64):
//!   v5 = mul v1, 20   v6 = ptr_add v2, v5        v7 = ptr_add v6, v3
//!   v7 = ptr_add v6, v3
//! ```
//!
//! Moved are arithmetic and additions to pointers, never loads; and only as long as a register is
//! free for the result throughout the loop: four in a loop that calls anything.
//! Preserves: everything; what moves has no effect and cannot fail.
//! The kernel's verifier still accepts: nothing moves whose parts are compared within the loop, so what
//! was computed from a checked value still is. That the index of a row was checked before the loop over
//! its columns stays known: an address keeps its range, while the verifier forgets that of a
//! number that it takes for a counter.
//! Cost: for each loop, its instructions times the values that move, which are few.

use std::collections::BTreeSet;

use super::Cx;
use super::edit::{cost, inst_blocks};
use crate::hash::LookupSet;
use crate::ir::flow::{Flow, Loop};
use crate::ir::{Arena, Block, Function, Inst, InstData, Value, ValueDef};

/// Registers that keep their content over a call.
const KEPT: usize = 4;

/// Registers of a loop without calls, a few left for what each round computes.
const ALL: usize = 6;

/// Loops of more instructions are left alone.
const LARGEST: usize = 2_000;

/// Values that are moved out of one loop at most.
const MOVED: usize = 8;

/// Runs the pass.
pub fn run(f: &mut Function, _: &Cx<'_>) -> bool {
    let flow = f.flow();
    let loops = flow.loops();
    if loops.loops.is_empty() {
        return false;
    }
    let mut around = Around::new(f, &flow);
    let mut changed = false;
    // Inner loops first: what leaves them may leave the loop around them too.
    for l in loops.loops.iter().rev() {
        let size: usize = l.blocks.iter().map(|&block| f.blocks[block].insts.len()).sum();
        if size <= LARGEST
            && let Some(before) = entering(f, &flow, l)
        {
            changed |= Hoist::new(f, &flow, &around, l).run(f, &mut around, before);
        }
    }
    changed
}

/// The block before a loop that goes nowhere else.
pub fn entering(f: &Function, flow: &Flow, l: &Loop) -> Option<Block> {
    let mut outside = flow.preds[l.header].iter().copied().filter(|pred| !l.blocks.contains(pred));
    let (before, None) = (outside.next()?, outside.next()) else { return None };
    matches!(f.insts[f.terminator(before)?], InstData::Jump { .. }).then_some(before)
}

/// So many values that live across a loop leave no room for others.
const CROWD: usize = 9;

/// What is known of a whole function.
pub struct Around {
    /// The block of each instruction.
    pub homes: Arena<Inst, Option<Block>>,
    /// Of the values that are computed in a block or before it, those that are used last, with the
    /// position of the use in reverse post-order; the latest first.
    lasting: Arena<Block, Vec<(u32, Value)>>,
}

impl Around {
    /// Looks at a function.
    pub fn new(f: &Function, flow: &Flow) -> Around {
        let mut last_use = Arena::filled(&f.values, 0);
        for (order, &block) in flow.rpo.iter().enumerate() {
            for &inst in &f.blocks[block].insts {
                f.insts[inst].for_each_operand(|v| last_use[v] = order as u32);
            }
        }
        let mut around = Around { homes: inst_blocks(f), lasting: Arena::filled(&f.blocks, Vec::new()) };
        for (order, &block) in flow.rpo.iter().enumerate() {
            let mut list = flow.idom(block).map(|up| around.lasting[up].clone()).unwrap_or_default();
            let results = f.blocks[block].insts.iter().filter_map(|&inst| f.result(inst));
            for value in f.blocks[block].params.iter().copied().chain(results) {
                let last = last_use[value];
                if last > order as u32 && !is_leaf(f, value) {
                    let at = list.partition_point(|&(other, _)| other >= last);
                    list.insert(at, (last, value));
                    list.truncate(CROWD);
                }
            }
            around.lasting[block] = list;
        }
        around
    }
}

/// A loop, and what leaves it.
pub struct Hoist {
    /// Instructions of the loop, in an order in which definitions come before uses.
    insts: Vec<Inst>,
    /// The same, to be asked.
    inside: LookupSet<Inst>,
    /// Blocks of the loop.
    blocks: BTreeSet<Block>,
    /// Values from before the loop that are used behind it, as far as there is room for them.
    beyond: BTreeSet<Value>,
    /// Numbers that the loop compares, and what they are computed from.
    pub compared: BTreeSet<Value>,
    /// Values that the loop carries from round to round.
    carried: usize,
    calls: bool,
}

impl Hoist {
    /// Looks at a loop.
    pub fn new(f: &Function, flow: &Flow, around: &Around, l: &Loop) -> Hoist {
        let insts: Vec<Inst> = l.blocks.iter().flat_map(|&block| &f.blocks[block].insts).copied().collect();
        let last = l.blocks.iter().filter_map(|&block| flow.order(block)).max();
        let lasting = flow.idom(l.header).map_or(&[][..], |before| &around.lasting[before]);
        let beyond = lasting.iter().filter(|&&(order, _)| Some(order) > last).map(|&(_, value)| value);
        let mut hoist = Hoist {
            blocks: l.blocks.iter().copied().collect(),
            beyond: beyond.collect(),
            compared: BTreeSet::new(),
            carried: f.blocks[l.header].params.len(),
            calls: insts.iter().any(|&inst| matches!(f.insts[inst], InstData::Call { .. })),
            inside: insts.iter().copied().collect(),
            insts,
        };
        for &inst in &hoist.insts {
            if let InstData::Compare { args, .. } = &f.insts[inst] {
                args.iter().for_each(|&v| parts(f, v, &mut hoist.compared));
            }
        }
        hoist
    }

    /// Is the value computed in the loop?
    pub fn is_inside(&self, f: &Function, value: Value) -> bool {
        match f.values[value].def {
            ValueDef::Inst(inst) => self.inside.contains(&inst),
            ValueDef::Param(block, _) => self.blocks.contains(&block),
            ValueDef::Alias(_) => true,
        }
    }

    fn run(&self, f: &mut Function, around: &mut Around, before: Block) -> bool {
        let movable = self.movable(f);
        let mut moved: BTreeSet<Inst> = BTreeSet::new();
        for &root in self.insts.iter().filter(|inst| movable.contains(inst)) {
            let mut tree = BTreeSet::new();
            self.tree(f, root, &movable, &mut tree);
            let saved: usize = tree.difference(&moved).map(|&inst| cost(&f.insts[inst])).sum();
            let worth = if matches!(f.insts[root], InstData::PtrAdd { .. }) { 1 } else { 2 };
            let all: BTreeSet<Inst> = moved.union(&tree).copied().collect();
            let room = if self.calls { KEPT } else { ALL };
            if saved >= worth && all.len() <= MOVED && self.pressure(f, &all) <= room {
                moved = all;
            }
        }
        if moved.is_empty() {
            return false;
        }
        let order: Vec<Inst> = self.insts.iter().copied().filter(|inst| moved.contains(inst)).collect();
        for &block in &self.blocks {
            f.blocks[block].insts.retain(|inst| !moved.contains(inst));
        }
        for inst in order {
            self.place(f, before, inst);
            around.homes[inst] = Some(before);
        }
        true
    }

    /// Instructions of the loop that always have the same result, and that may move.
    fn movable(&self, f: &Function) -> BTreeSet<Inst> {
        let mut movable = BTreeSet::new();
        for &inst in &self.insts {
            let data = &f.insts[inst];
            let kind = match data {
                InstData::Binary { .. } | InstData::Convert { .. } | InstData::Unary { .. } => true,
                // Accesses absorb constants and relocations.
                InstData::PtrAdd { offset, .. } => !is_leaf(f, *offset),
                _ => false,
            };
            let mut fixed = kind && f.result(inst).is_some_and(|result| !self.compared.contains(&result));
            data.for_each_operand(|v| {
                let made = match f.values[v].def {
                    ValueDef::Inst(inst) => movable.contains(&inst),
                    ValueDef::Param(..) | ValueDef::Alias(_) => false,
                };
                fixed &= is_leaf(f, v) || !self.compared.contains(&v) && (made || !self.is_inside(f, v));
            });
            if fixed {
                movable.insert(inst);
            }
        }
        movable
    }

    /// The instruction and those that it needs, as far as they are in the loop.
    fn tree(&self, f: &Function, root: Inst, movable: &BTreeSet<Inst>, tree: &mut BTreeSet<Inst>) {
        let mut work = vec![root];
        while let Some(inst) = work.pop() {
            if tree.insert(inst) {
                f.insts[inst].for_each_operand(|v| {
                    if let ValueDef::Inst(inst) = f.values[v].def
                        && movable.contains(&inst)
                    {
                        work.push(inst);
                    }
                });
            }
        }
    }

    /// Values that live throughout the loop when these instructions are before it.
    pub fn pressure(&self, f: &Function, moved: &BTreeSet<Inst>) -> usize {
        let mut live = self.beyond.clone();
        for &inst in self.insts.iter().filter(|inst| !moved.contains(inst)) {
            f.insts[inst].for_each_operand(|v| {
                let made = matches!(f.values[v].def, ValueDef::Inst(inst) if moved.contains(&inst));
                if (made || !self.is_inside(f, v)) && !is_leaf(f, v) {
                    live.insert(v);
                }
            });
        }
        live.len() + self.carried
    }

    /// Puts an instruction before the jump at the end of a block, with the constants that it needs.
    fn place(&self, f: &mut Function, block: Block, inst: Inst) {
        let mut data = f.insts[inst].clone();
        let mut needed = Vec::new();
        data.for_each_operand(|v| {
            if is_leaf(f, v) && self.is_inside(f, v) {
                needed.push(v);
            }
        });
        let at = f.blocks[block].insts.len() - 1;
        let mut insts = Vec::new();
        for value in needed {
            let ValueDef::Inst(made) = f.values[value].def else { continue };
            let copy = f.make_inst(f.insts[made].clone(), f.locs[made]);
            if let Some(result) = f.result(copy) {
                data.map_operands(|v| if v == value { result } else { v });
            }
            insts.push(copy);
        }
        f.set_inst(inst, data);
        insts.push(inst);
        f.blocks[block].insts.splice(at..at, insts);
    }
}

/// Is the value a constant or an address, which is made again wherever it is needed?
pub fn is_leaf(f: &Function, value: Value) -> bool {
    matches!(
        f.def(value),
        Some(
            InstData::Const { .. }
                | InstData::SymbolAddr { .. }
                | InstData::SlotAddr { .. }
                | InstData::Core { .. }
        )
    )
}

/// A number and what it is computed from, without constants.
fn parts(f: &Function, value: Value, found: &mut BTreeSet<Value>) {
    let mut work = vec![value];
    while let Some(value) = work.pop() {
        if is_leaf(f, value) || !found.insert(value) {
            continue;
        }
        if let Some(data) = f.def(value).filter(|data| data.is_pure()) {
            data.for_each_operand(|v| work.push(v));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    /// Adds up a row; `{test}` is a comparison within the loop.
    fn text(test: &str, call: &str) -> String {
        format!(
            "function @f(ptr, i64, i64) -> i64 {{\nblock0(v0: ptr, v1: i64, v2: i64):\n  v3 = iconst.i64 0\n  \
             v4 = iconst.i64 1\n  v5 = iconst.i64 3\n  v6 = and v1, v5\n  jump block1(v3, v3)\n\
             block1(v7: i64, v8: i64):\n  v9 = iconst.i64 5\n  v10 = mul v6, v9\n  v11 = ptr_add v0, v10\n  \
             v12 = ptr_add v11, v7\n  v13 = load.i8 v12 align 1\n  v14 = zext.i64 v13\n  v15 = add v8, v14\n  \
             {call}v16 = add v7, v4\n  v17 = icmp ult {test}, v9\n  br v17, block1(v16, v15), block2\n\
             block2:\n  return v15\n}}"
        )
    }

    fn is_moved(text: &str) -> bool {
        let out = after_pass("licm", text);
        out.find("mul") < out.find("block1(v7")
    }

    #[test]
    fn the_address_of_a_row_is_computed_once() {
        assert!(is_moved(&text("v16", "")));
        assert!(is_moved(&text("v16", "call helper 7()\n  ")));
    }

    #[test]
    fn what_the_loop_checks_stays_in_it() {
        assert!(!is_moved(&text("v6", "")));
        assert!(!is_moved(&text("v10", "")));
    }

    #[test]
    fn without_a_register_nothing_moves() {
        let busy = text("v16", "call helper 7()\n  ")
            .replace("return v15", "v20 = add v15, v2\n  v21 = add v20, v1\n  return v21");
        assert!(!is_moved(&busy));
    }
}
