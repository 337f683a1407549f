//! dce: what nobody needs goes.
//!
//! ```text
//!   v3 = add v1, v2        ; v3 unused             (nothing)
//!   store.i32 v4, v5       ; slot never read  ->   (nothing)
//! ```
//!
//! Removed: pure instructions and plain loads without a use, stores and fills of slots that nobody
//! reads, block parameters without a use, and the instructions that only these needed.
//! Preserves: effects, volatile accesses and their order.
//! The kernel's verifier still accepts: there is only less to check.
//! Cost: linear.

use std::collections::BTreeSet;

use super::Cx;
use super::edit::use_counts;
use super::slots;
use super::ssa::drop_param;
use crate::ir::flow::goes_down;
use crate::ir::{Arena, Block, Function, Inst, InstData, Slot, Value, ValueDef};

/// Runs the pass.
pub fn run(f: &mut Function, _: &Cx<'_>) -> bool {
    let mut changed = false;
    loop {
        let (found, removed) = Found::after_removal(f);
        changed |= removed;
        let slots = found.slots(f);
        let written = slots.values().any(|&ways| ways == way::NAMED | way::WRITTEN);
        let mut here = written && remove_dead_stores(f);
        here |= found.is_passed_only(f) && remove_params(f, &found.ways);
        if !here {
            remove_slots(f, &slots);
            return changed;
        }
        changed = true;
    }
}

/// The ways in which a value is used, a bit for each.
mod way {
    /// A jump passes it to a parameter.
    pub const PASSED: u8 = 1;
    /// It is written through, or another address is computed from it.
    pub const WRITTEN: u8 = 2;
    /// Any other.
    pub const NEEDED: u8 = 4;
    /// Of slots: an instruction names it.
    pub const NAMED: u8 = 8;
}

/// How what is left is used.
struct Found {
    /// How each value is used.
    ways: Arena<Value, u8>,
    /// Addresses of slots.
    addresses: Vec<(Slot, Value)>,
}

impl Found {
    /// Removes what nobody needs. Whether there was any.
    fn after_removal(f: &mut Function) -> (Found, bool) {
        let mut found = Found { ways: Arena::filled(&f.values, 0), addresses: Vec::new() };
        if goes_down(f) {
            let removed =
                sweep(f, &mut found, |found, v| found.ways[v] != 0, |found, f, inst| found.see(f, inst));
            return (found, removed);
        }
        let removed = remove_in_turn(f);
        f.order.iter().flat_map(|&block| &f.blocks[block].insts).for_each(|&inst| found.see(f, inst));
        (found, removed)
    }

    /// Notes how an instruction uses values.
    fn see(&mut self, f: &Function, inst: Inst) {
        let ways = &mut self.ways;
        let data = &f.insts[inst];
        match data {
            InstData::SlotAddr { slot, .. } => self.addresses.extend(f.result(inst).map(|v| (*slot, v))),
            InstData::Jump { target } => target.args.iter().for_each(|&v| ways[v] |= way::PASSED),
            InstData::Branch { cond: value, .. } | InstData::Switch { value, .. } => {
                data.for_each_operand(|v| ways[v] |= way::PASSED);
                ways[*value] |= way::NEEDED;
            }
            _ => {
                let mut through = slots::written_through(data);
                data.for_each_operand(|v| {
                    // Another operand of the same value is not written through.
                    let target = through.take_if(|target| *target == v).is_some();
                    ways[v] |= if target { way::WRITTEN } else { way::NEEDED };
                });
            }
        }
    }

    /// How the addresses of each slot are used.
    fn slots(&self, f: &Function) -> Arena<Slot, u8> {
        let mut slots = Arena::filled(&f.slots, 0);
        self.addresses.iter().for_each(|&(slot, v)| slots[slot] |= way::NAMED | self.ways[v]);
        slots
    }

    /// Is there a parameter that is at most passed on?
    fn is_passed_only(&self, f: &Function) -> bool {
        let mut params = f.order.iter().skip(1).flat_map(|&block| &f.blocks[block].params);
        params.any(|&param| self.ways[param] & !way::PASSED == 0)
    }
}

/// Marks slots that nothing names.
fn remove_slots(f: &mut Function, ways: &Arena<Slot, u8>) {
    for (data, (_, &ways)) in f.slots.values_mut().zip(ways.iter()) {
        if ways == 0 {
            data.size = 0;
            data.name.clear();
        }
    }
}

/// Removes instructions whose result nobody needs; operands become what their aliases stand for.
pub fn remove_unused(f: &mut Function) -> bool {
    if !goes_down(f) {
        f.resolve_aliases();
        return remove_in_turn(f);
    }
    let mut used = Arena::filled(&f.values, false);
    let removed = sweep(
        f,
        &mut used,
        |used, v| used[v],
        |used, f, inst| {
            f.resolve_operands(inst);
            f.insts[inst].for_each_operand(|v| used[v] = true);
        },
    );
    f.aliases_are_resolved();
    removed
}

/// Removes what is not needed by what follows it, where all uses of a value do: from the last instruction to the
/// first, so that one look at each is enough. `keep` sees what stays.
fn sweep<S>(
    f: &mut Function,
    state: &mut S,
    is_used: fn(&S, Value) -> bool,
    keep: fn(&mut S, &mut Function, Inst),
) -> bool {
    let mut changed = false;
    for at in (0..f.order.len()).rev() {
        let block = f.order[at];
        let mut insts = std::mem::take(&mut f.blocks[block].insts);
        let mut dead = 0;
        for place in (0..insts.len()).rev() {
            let inst = insts[place];
            if f.result(inst).is_some_and(|v| !is_used(state, v)) && f.insts[inst].is_removable() {
                dead += 1;
            } else {
                keep(state, f, inst);
                // What stays moves to the end.
                insts[place + dead] = inst;
            }
        }
        insts.drain(..dead);
        f.blocks[block].insts = insts;
        changed |= dead > 0;
    }
    changed
}

/// Uses are counted, and what loses its last one goes as well.
fn remove_in_turn(f: &mut Function) -> bool {
    let mut uses = use_counts(f);
    let mut work: Vec<Inst> = Vec::new();
    for &inst in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
        if f.result(inst).is_some_and(|v| uses[v] == 0) && f.insts[inst].is_removable() {
            work.push(inst);
        }
    }
    if work.is_empty() {
        return false;
    }
    let mut dead = Arena::filled(&f.insts, false);
    while let Some(inst) = work.pop() {
        dead[inst] = true;
        f.insts[inst].for_each_operand(|v| {
            uses[v] -= 1;
            if uses[v] == 0
                && let ValueDef::Inst(def) = f.values[v].def
                && f.insts[def].is_removable()
            {
                work.push(def);
            }
        });
    }
    for &block in &f.order {
        f.blocks[block].insts.retain(|&inst| !dead[inst]);
    }
    true
}

/// Removes plain writes to slots that nobody reads.
fn remove_dead_stores(f: &mut Function) -> bool {
    let dead: BTreeSet<Inst> = slots::only_written(f).into_values().flatten().collect();
    if dead.is_empty() {
        return false;
    }
    for &block in &f.order {
        f.blocks[block].insts.retain(|inst| !dead.contains(inst));
    }
    true
}

/// Removes block parameters that only feed each other.
fn remove_params(f: &mut Function, ways: &Arena<Value, u8>) -> bool {
    // A parameter is needed when an instruction uses it, or an edge passes it to a needed one.
    let mut needed = Arena::filled(&f.values, false);
    let params = f.order.iter().skip(1).flat_map(|&block| &f.blocks[block].params);
    let mut work: Vec<Value> = params.copied().filter(|&param| ways[param] & !way::PASSED != 0).collect();
    let preds = f.predecessors();
    while let Some(value) = work.pop() {
        if std::mem::replace(&mut needed[value], true) {
            continue;
        }
        let ValueDef::Param(block, index) = f.values[value].def else { continue };
        for &pred in &preds[block] {
            for call in f.successors(pred).filter(|call| call.block == block) {
                let arg = call.args[index as usize];
                if matches!(f.values[arg].def, ValueDef::Param(..)) {
                    work.push(arg);
                }
            }
        }
    }
    let mut dead: Vec<(Block, Value)> = Vec::new();
    for &block in f.order.iter().skip(1) {
        dead.extend(f.blocks[block].params.iter().filter(|&&p| !needed[p]).map(|&p| (block, p)));
    }
    for &(block, param) in &dead {
        drop_param(f, &preds[block], block, param);
    }
    !dead.is_empty()
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    #[test]
    fn an_array_that_is_only_written_goes() {
        let text = "function @f(i64) -> i64 {\n  s0 = slot 80 align 8 \"a\"\nblock0(v0: i64):\n\
            v1 = slot_addr s0\n  v2 = ptr_add v1, v0\n  store v0, v2 align 8\n  return v0\n}";
        let out = after_pass("dce", text);
        assert!(!out.contains("store"), "{out}");
        let out = after_pass("dce", &text.replace("store v0, v2", "store v2, v2"));
        assert!(out.contains("store"), "{out}");
    }
}
