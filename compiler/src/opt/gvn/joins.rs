//! A load at a join that the ways there make needless.
//!
//! ```text
//! block1: store.i32 v1, v0   jump block3         block1: store.i32 v1, v0   jump block3(v1)
//! block2: jump block3                       ->   block2: v4 = load.i32 v0   jump block3(v4)
//! block3: v2 = load.i32 v0                       block3(v3: i32):
//! ```
//!
//! At most one way has to load, and it leads nowhere else: nothing is loaded that was not loaded before,
//! and the code does not grow.

use crate::ir::flow::Flow;
use crate::ir::{Block, Function, Inst, InstData, Value, ValueDef};

use super::{Content, Pass};

/// Instructions of the join before the load: addresses that are computed among them go with it.
const NEAR: usize = 32;

/// Additions and casts of an address that go with the load.
const DEPTH: u32 = 4;

impl Pass<'_> {
    /// The parameter that takes the place of the load `inst`, the next instruction of `block`, if one can.
    pub(super) fn joined(
        &self,
        f: &mut Function,
        flow: &Flow,
        block: Block,
        inst: Inst,
        wanted: &Content,
    ) -> Option<Value> {
        if self.written || flow.preds[block].len() < 2 || f.blocks[block].insts.len() > NEAR {
            return None;
        }
        let mut preds = flow.preds[block].to_vec();
        preds.dedup();
        let mut values = Vec::new();
        for &pred in &preds {
            let memory = self.out[pred].as_ref()?;
            let held = memory.contents.iter().find(|held| wanted.is_same(held) && held.ty == wanted.ty);
            values.push(held.map(|held| f.resolve(held.value)));
        }
        let missing = values.iter().filter(|value| value.is_none()).count();
        if missing > 1 || missing == preds.len() {
            return None;
        }
        if let Some(at) = values.iter().position(Option::is_none) {
            let only_way = f.successors(preds[at]).count() == 1;
            values[at] = Some(if only_way { load_before(f, block, preds[at], inst)? } else { return None });
        }
        let param = f.add_param(block, wanted.ty);
        for (&pred, value) in preds.iter().zip(values) {
            let jump = f.terminator(pred)?;
            for call in f.insts.targets_mut(jump).filter(|call| call.block == block) {
                call.args.extend(value);
            }
        }
        Some(param)
    }
}

/// Loads at the end of `pred` what `inst` in `block` loads.
fn load_before(f: &mut Function, block: Block, pred: Block, inst: Inst) -> Option<Value> {
    let mut copied = Vec::new();
    let InstData::Load { base, .. } = f.insts[inst] else { return None };
    collect(f, block, base, DEPTH, &mut copied)?;
    copied.push(inst);
    let jump = f.blocks[pred].insts.pop()?;
    let mut copies: Vec<(Value, Value)> = Vec::new();
    for inst in copied {
        let mut data = f.insts[inst].clone();
        data.map_operands(|operand| {
            let operand = f.resolve(operand);
            copies.iter().find(|(old, _)| *old == operand).map_or(operand, |(_, new)| *new)
        });
        let copy = f.make_inst(data, f.locs[inst]);
        f.blocks[pred].insts.push(copy);
        copies.extend(f.result(inst).zip(f.result(copy)));
    }
    f.blocks[pred].insts.push(jump);
    copies.last().map(|(_, new)| *new)
}

/// Notes the instructions of `block` that compute an address, first things first; `None` if not all of them
/// can be copied to where the block is jumped to.
fn collect(f: &Function, block: Block, value: Value, depth: u32, copied: &mut Vec<Inst>) -> Option<()> {
    let inst = match f.values[f.resolve(value)].def {
        ValueDef::Param(home, _) => return (home != block).then_some(()),
        ValueDef::Inst(inst) => inst,
        ValueDef::Alias(_) => return None,
    };
    if copied.contains(&inst) || !f.blocks[block].insts.contains(&inst) {
        return Some(());
    }
    if depth == 0 || !f.insts[inst].is_pure() {
        return None;
    }
    let mut operands = Vec::new();
    f.insts[inst].for_each_operand(|operand| operands.push(operand));
    for operand in operands {
        collect(f, block, operand, depth - 1, copied)?;
    }
    copied.push(inst);
    Some(())
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    /// One way stores, the other does not; `more` is what the join does before it loads.
    fn join(more: &str) -> String {
        let text = format!(
            "function @f(ptr, i32) -> i32 {{\nblock0(v0: ptr, v1: i32):\n  v7 = icmp eq v1, v1\n  br v7, block1, block2\n\
            block1:\n  store.i32 v1, v0+4 align 4\n  jump block3\nblock2:\n  jump block3\n\
            block3:\n{more}  v4 = load.i32 v0+4 align 4\n  return v4\n}}"
        );
        after_pass("gvn", &text)
    }

    #[test]
    fn the_way_that_does_not_know_loads() {
        let out = join("");
        let (ways, join) = out.split_once("\nblock3(").expect("a parameter");
        assert!(ways.contains("load.i32 v0+4") && ways.contains("jump block3(v1)"), "{out}");
        assert!(!join.contains("load"), "{out}");
    }

    #[test]
    fn nothing_moves_over_a_write() {
        let out = join("  v2 = iconst.i32 1\n  store.i32 v2, v0 align 4\n");
        assert!(out.contains("block3:"), "{out}");
        let out = join("  v2 = call helper 7() -> i64\n");
        assert!(out.contains("block3:"), "{out}");
    }

    #[test]
    fn nobody_else_has_the_address_of_a_static_variable_that_is_only_used() {
        let text = |more: &str| {
            format!(
                "data @count size 4 align 4 local\nfunction @f(ptr) -> i32 {{\nblock0(v0: ptr):\n\
                v1 = addr @count\n  v2 = iconst.i32 7\n  store.i32 v2, v1 align 4\n{more}\
                v3 = iconst.i32 0\n  store.i32 v3, v0+8 align 4\n  v4 = load.i32 v1 align 4\n  return v4\n}}"
            )
        };
        let out = after_pass("gvn", &text(""));
        assert!(out.contains("return v2"), "{out}");
        let out = after_pass("gvn", &text("  store.ptr v1, v0 align 8\n"));
        assert!(out.contains("return v4"), "{out}");
    }
}
