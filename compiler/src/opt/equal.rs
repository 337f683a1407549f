//! equal: where a value was found equal to a constant, it is the constant.
//!
//! ```text
//!   v3 = icmp eq v1, 6                        v3 = icmp eq v1, 6
//!   br v3, block1, block2               ->    br v3, block1, block2
//! block1:                                   block1:
//!   v4 = call helper 5(v1)                    v5 = iconst 6
//!                                             v4 = call helper 5(v5)
//! ```
//!
//! Also what the value was extended from, and the value of a switch in the target of a case.
//! Preserves: everything. The kernel's verifier still accepts: a constant is what it would know best;
//! constants that an edge passes to a block are constants of that edge.
//! Cost: linear in the instructions that an equality dominates.

use std::collections::BTreeMap;

use super::Cx;
use super::edit::use_counts;
use crate::ir::flow::Flow;
use crate::ir::{Block, Compare, ConvertOp, Function, InstData, SrcLoc, Value};

/// Runs the pass.
pub fn run(f: &mut Function, _: &Cx<'_>) -> bool {
    let mut changed = super::cfg::remove_unreachable(f);
    let flow = f.flow();
    // What is known at the start of each block, beyond what its dominators know.
    let mut known: BTreeMap<Block, Vec<(Value, u64)>> = BTreeMap::new();
    let uses = use_counts(f);
    for &block in &flow.rpo {
        let Some(last) = f.terminator(block) else { continue };
        for (target, value, bits) in equalities(f, &f.insts[last]) {
            if flow.preds[target].len() == 1 && target != f.entry() {
                let facts = known.entry(target).or_default();
                // The comparison itself is a use.
                let facts_here = [Some((value, bits)), source(f, value, bits)];
                facts.extend(facts_here.into_iter().flatten().filter(|(value, _)| uses[*value] > 1));
            }
        }
    }
    for (block, facts) in known {
        for (value, bits) in facts {
            changed |= replace_below(f, &flow, block, value, bits);
        }
    }
    changed
}

/// Values that equal a constant in the target of a jump.
fn equalities(f: &Function, data: &InstData) -> Vec<(Block, Value, u64)> {
    // Constants that take two slots are better kept in the register that has them.
    let small = |bits: u64, value: Value| i32::try_from(f.ty(value).sign_extend(bits)).is_ok();
    match data {
        InstData::Branch { cond, then, els } => {
            let Some(InstData::Compare { op, args: [value, c] }) = f.def(*cond) else { return Vec::new() };
            let Some(bits) = f.constant(*c).filter(|&bits| small(bits, *value)) else { return Vec::new() };
            match op {
                Compare::Eq if then.block != els.block => vec![(then.block, *value, bits)],
                Compare::Ne if then.block != els.block => vec![(els.block, *value, bits)],
                _ => Vec::new(),
            }
        }
        InstData::Switch { value, cases, .. } => cases
            .iter()
            .filter(|case| case.lo == case.hi && small(case.lo, *value))
            .map(|case| (case.target.block, *value, case.lo))
            .collect(),
        _ => Vec::new(),
    }
}

/// What the value was extended from equals the constant too.
fn source(f: &Function, value: Value, bits: u64) -> Option<(Value, u64)> {
    let Some(InstData::Convert { op: ConvertOp::Zext | ConvertOp::Sext, arg, .. }) = f.def(value) else {
        return None;
    };
    f.constant(*arg).is_none().then(|| (*arg, bits & f.ty(*arg).mask()))
}

/// Replaces the uses of a value in the blocks that a block dominates.
fn replace_below(f: &mut Function, flow: &Flow, block: Block, value: Value, bits: u64) -> bool {
    let uses = |f: &Function, inst| {
        let mut found = false;
        f.insts[inst].for_each_operand(|v| found |= v == value);
        found
    };
    let mut constant = None;
    let mut work = vec![block];
    while let Some(at) = work.pop() {
        work.extend(flow.children(at));
        for inst in f.blocks[at].insts.clone() {
            if !uses(f, inst) {
                continue;
            }
            let with = match constant {
                Some(with) => with,
                None => {
                    let ty = f.ty(value);
                    let made = f.make_inst(InstData::Const { ty, value: bits }, SrcLoc::NONE);
                    f.blocks[block].insts.insert(0, made);
                    let Some(with) = f.result(made) else { return false };
                    *constant.insert(with)
                }
            };
            f.insts[inst].map_operands(|v| if v == value { with } else { v });
        }
    }
    constant.is_some()
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    #[test]
    fn an_equal_value_is_the_constant() {
        let text = "function @f(i32) -> i64 {\nblock0(v0: i32):\n  v1 = iconst.i64 6\n  v2 = zext.i64 v0\n  v3 = icmp eq v2, v1\n\
            br v3, block1, block2\nblock1:\n  v4 = sext.i64 v0\n  v5 = add v4, v2\n  return v5\n\
            block2:\n  return v2\n}";
        let out = after_pass("equal", text);
        assert!(out.contains("block2:\n  return v2") && !out.contains("add v4, v2"), "{out}");
    }
}
