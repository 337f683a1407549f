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

use super::Cx;
use super::edit::use_counts;
use crate::ir::flow::Flow;
use crate::ir::{Block, Compare, ConvertOp, Function, InstData, SrcLoc, Value};

/// Runs the pass.
pub fn run(f: &mut Function, _: &Cx<'_>) -> bool {
    let mut found = Vec::new();
    for &block in &f.order {
        if let Some(&last) = f.blocks[block].insts.last() {
            equalities(f, &f.insts[last], &mut found);
        }
    }
    if found.is_empty() {
        return false;
    }
    // Only a block that is entered in one way knows how.
    let (flow, entry) = (f.flow(), f.entry());
    found.retain(|&(target, ..)| target != entry && flow.preds[target].len() == 1);
    if found.is_empty() {
        return false;
    }
    found.sort_by_key(|&(target, ..)| target);
    // The comparison itself is a use.
    let uses = use_counts(f);
    let both = |fact: Fact| [Some(fact), source(f, fact)].into_iter().flatten();
    let found: Vec<Fact> =
        found.into_iter().flat_map(both).filter(|&(_, value, _)| uses[value] > 1).collect();
    found.into_iter().fold(false, |changed, fact| replace_below(f, &flow, fact) | changed)
}

/// In this block, and those it dominates, this value equals this constant.
type Fact = (Block, Value, u64);

/// Values that equal a constant in the target of a jump.
fn equalities(f: &Function, data: &InstData, found: &mut Vec<Fact>) {
    // Constants that take two slots are better kept in the register that has them.
    let small = |bits: u64, value: Value| i32::try_from(f.ty(value).sign_extend(bits)).is_ok();
    match data {
        InstData::Branch { cond, then, els } => {
            let Some(InstData::Compare { op, args: [value, c] }) = f.def(*cond) else { return };
            let target = match op {
                Compare::Eq => then.block,
                Compare::Ne => els.block,
                _ => return,
            };
            let Some(bits) = f.constant(*c).filter(|&bits| small(bits, *value)) else { return };
            found.extend((then.block != els.block).then_some((target, *value, bits)));
        }
        InstData::Switch { value, cases, .. } => {
            let cases = cases.iter().filter(|case| case.lo == case.hi && small(case.lo, *value));
            found.extend(cases.map(|case| (case.target.block, *value, case.lo)));
        }
        _ => {}
    }
}

/// What the value was extended from equals the constant too.
fn source(f: &Function, (target, value, bits): Fact) -> Option<Fact> {
    let Some(InstData::Convert { op: ConvertOp::Zext | ConvertOp::Sext, arg, .. }) = f.def(value) else {
        return None;
    };
    f.constant(*arg).is_none().then(|| (target, *arg, bits & f.ty(*arg).mask()))
}

/// Replaces the uses of a value in the blocks that a block dominates.
fn replace_below(f: &mut Function, flow: &Flow, (block, value, bits): Fact) -> bool {
    let uses = |f: &Function, inst| {
        let mut found = false;
        f.insts[inst].for_each_operand(|v| found |= v == value);
        found
    };
    let mut constant = None;
    let mut work = vec![block];
    while let Some(at) = work.pop() {
        work.extend(flow.children(at));
        for index in 0..f.blocks[at].insts.len() {
            let inst = f.blocks[at].insts[index];
            if !uses(f, inst) {
                continue;
            }
            let (_, with) = match constant {
                Some(made) => made,
                None => {
                    let ty = f.ty(value);
                    let made = f.make_inst(InstData::Const { ty, value: bits }, SrcLoc::NONE);
                    let Some(with) = f.result(made) else { return false };
                    *constant.insert((made, with))
                }
            };
            f.insts.map_operands(inst, |v| if v == value { with } else { v });
        }
    }
    if let Some((made, _)) = constant {
        f.blocks[block].insts.insert(0, made);
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
