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
use super::mem2reg::drop_param;
use super::slots;
use crate::ir::{Arena, Block, Function, Inst, InstData, Value, ValueDef};

/// Runs the pass.
pub fn run(f: &mut Function, _: &Cx<'_>) -> bool {
    let mut changed = false;
    loop {
        let here = remove_unused(f) | remove_dead_stores(f) | remove_params(f);
        if !here {
            break;
        }
        changed = true;
    }
    remove_slots(f);
    changed
}

/// Marks slots that nothing names.
fn remove_slots(f: &mut Function) {
    if !slots::has_slots(f) {
        return;
    }
    let named = f.named_slots();
    for slot in named.keys().filter(|&slot| !named[slot]) {
        f.slots[slot].size = 0;
        f.slots[slot].name.clear();
    }
}

/// Removes instructions whose result nobody needs.
pub fn remove_unused(f: &mut Function) -> bool {
    let mut uses = use_counts(f);
    let mut dead = Arena::filled(&f.insts, false);
    let unused = |f: &Function, uses: &Arena<Value, u32>, inst: Inst| {
        f.result(inst).is_some_and(|v| uses[v] == 0) && f.insts[inst].is_removable()
    };
    let mut work: Vec<Inst> = Vec::new();
    for &block in &f.order {
        work.extend(f.blocks[block].insts.iter().copied().filter(|&inst| unused(f, &uses, inst)));
    }
    if work.is_empty() {
        return false;
    }
    while let Some(inst) = work.pop() {
        if std::mem::replace(&mut dead[inst], true) {
            continue;
        }
        f.insts[inst].for_each_operand(|v| {
            uses[v] -= 1;
            if let ValueDef::Inst(def) = f.values[v].def
                && uses[v] == 0
                && unused(f, &uses, def)
            {
                work.push(def);
            }
        });
    }
    for block in f.order.clone() {
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
    for block in f.order.clone() {
        f.blocks[block].insts.retain(|inst| !dead.contains(inst));
    }
    true
}

/// Removes block parameters that only feed each other.
fn remove_params(f: &mut Function) -> bool {
    if f.order.iter().skip(1).all(|&block| f.blocks[block].params.is_empty()) {
        return false;
    }
    // A parameter is needed when an instruction uses it, or an edge passes it to a needed one.
    let mut needed = Arena::filled(&f.values, false);
    let mut work: Vec<Value> = Vec::new();
    for &block in &f.order {
        for &inst in &f.blocks[block].insts {
            let data = &f.insts[inst];
            let mut need = |v: Value| {
                if matches!(f.values[v].def, ValueDef::Param(..)) {
                    work.push(v);
                }
            };
            // Operands that are only passed on do not count.
            match data {
                InstData::Jump { .. } => {}
                InstData::Branch { cond: value, .. } | InstData::Switch { value, .. } => need(*value),
                other => other.for_each_operand(need),
            }
        }
    }
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
    let entry = f.entry();
    let mut dead: Vec<(Block, Value)> = Vec::new();
    for &block in f.order.iter().filter(|&&block| block != entry) {
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
