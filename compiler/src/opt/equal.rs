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
//! Also what the value is extended from, what is extended from it, and the value of a switch in the target of a
//! case. So a copy whose size was compared with a constant is a copy of that size.
//! Preserves: everything. The kernel's verifier still accepts: a constant is what it would know best;
//! constants that an edge passes to a block are constants of that edge.
//! Cost: linear in the blocks and in the instructions that an equality dominates.

use std::collections::hash_map::Entry;

use super::Cx;
use super::simplify::fold;
use crate::hash::LookupMap;
use crate::ir::{Block, Compare, ConvertOp, Function, InstData, SrcLoc, Value};

/// Extensions between a value that is compared and one that is used.
const EXTENSIONS: u32 = 2;

/// Runs the pass.
pub fn run(f: &mut Function, _: &Cx<'_>) -> bool {
    enum Step {
        Enter(Block),
        Forget(Value),
    }
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
    found.sort_by_key(|&(target, ..)| target);
    let mut changed = false;
    let mut known: LookupMap<Value, u64> = LookupMap::default();
    let mut stack = if found.is_empty() { Vec::new() } else { vec![Step::Enter(entry)] };
    while let Some(step) = stack.pop() {
        let block = match step {
            Step::Enter(block) => block,
            Step::Forget(value) => {
                known.remove(&value);
                continue;
            }
        };
        let first = found.partition_point(|&(target, ..)| target < block);
        let here = found[first..].iter().take_while(|&&(target, ..)| target == block);
        for (value, bits) in here.flat_map(|&(_, value, bits)| sources(f, value, bits)) {
            // What was found before stays: where another constant was found below, nobody ever comes.
            if let Entry::Vacant(vacant) = known.entry(value) {
                vacant.insert(bits);
                stack.push(Step::Forget(value));
            }
        }
        changed |= !known.is_empty() && replace(f, block, &known);
        stack.extend(flow.children(block).iter().map(|&child| Step::Enter(child)));
    }
    changed
}

/// In this block, and those it dominates, this value equals this constant.
type Fact = (Block, Value, u64);

/// Values that equal a constant in the target of a jump.
fn equalities(f: &Function, data: &InstData, found: &mut Vec<Fact>) {
    match data {
        InstData::Branch { cond, then, els } => {
            let Some(InstData::Compare { op, args: [value, c] }) = f.def(*cond) else { return };
            let target = match op {
                Compare::Eq => then.block,
                Compare::Ne => els.block,
                _ => return,
            };
            let Some(bits) = f.constant(*c).filter(|&bits| is_small(f, *value, bits)) else { return };
            found.extend((then.block != els.block).then_some((target, *value, bits)));
        }
        InstData::Switch { value, cases, .. } => {
            let cases = cases.iter().filter(|case| case.lo == case.hi && is_small(f, *value, case.lo));
            found.extend(cases.map(|case| (case.target.block, *value, case.lo)));
        }
        _ => {}
    }
}

/// Constants that take two slots are better kept in the register that has them.
fn is_small(f: &Function, value: Value, bits: u64) -> bool {
    i32::try_from(f.ty(value).sign_extend(bits)).is_ok()
}

/// A value that equals a constant, and what it was extended from.
fn sources(f: &Function, value: Value, bits: u64) -> impl Iterator<Item = (Value, u64)> {
    let source = |&value: &Value| match f.def(value) {
        Some(&InstData::Convert { op: ConvertOp::Zext | ConvertOp::Sext, arg, .. }) => Some(arg),
        _ => None,
    };
    let chain = std::iter::successors(Some(value), source).take(1 + EXTENSIONS as usize);
    chain.filter(|&value| f.constant(value).is_none()).map(move |value| (value, bits & f.ty(value).mask()))
}

/// Replaces what is known in a block.
fn replace(f: &mut Function, block: Block, known: &LookupMap<Value, u64>) -> bool {
    let mut out = Vec::with_capacity(f.blocks[block].insts.len());
    for at in 0..f.blocks[block].insts.len() {
        let inst = f.blocks[block].insts[at];
        let mut constants: Vec<(Value, u64)> = Vec::new();
        f.insts[inst].for_each_operand(|v| {
            constants.extend(
                constant(f, known, v, EXTENSIONS).filter(|&bits| is_small(f, v, bits)).map(|bits| (v, bits)),
            );
        });
        for &(value, bits) in &constants {
            let made = f.make_inst(InstData::Const { ty: f.ty(value), value: bits }, SrcLoc::NONE);
            if let Some(with) = f.result(made) {
                f.insts.map_operands(inst, |v| if v == value { with } else { v });
                out.push(made);
            }
        }
        out.push(inst);
    }
    let changed = out.len() > f.blocks[block].insts.len();
    f.blocks[block].insts = out;
    changed
}

/// What a value equals that is known, or that is extended from one.
fn constant(f: &Function, known: &LookupMap<Value, u64>, value: Value, extensions: u32) -> Option<u64> {
    if let Some(&bits) = known.get(&value) {
        return Some(bits);
    }
    match f.def(value) {
        Some(&InstData::Convert { op: op @ (ConvertOp::Zext | ConvertOp::Sext), ty, arg })
            if extensions > 0 =>
        {
            Some(fold::convert(op, f.ty(arg), ty, constant(f, known, arg, extensions - 1)?))
        }
        _ => None,
    }
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

    #[test]
    fn what_no_way_leads_to_says_nothing_of_the_rest() {
        let text = "function @f(i32) -> i32 {\nblock0(v0: i32):\n  v1 = iconst.i32 3\n  v2 = iconst.i32 4\n  \
            v3 = icmp eq v0, v1\n  v4 = icmp eq v0, v2\n  br v3, block1, block2\n\
            block1:\n  br v4, block3, block4\nblock2:\n  return v0\nblock3:\n  return v2\nblock4:\n  return v0\n}";
        let turned =
            text.replace("eq v0, v2", "ne v0, v2").replace("br v4, block3, block4", "br v4, block4, block3");
        for text in [text, &turned] {
            let out = after_pass("equal", text);
            let (_, last) = out.split_once("block4:").expect("the block is there");
            assert!(last.contains("iconst.i32 3"), "{out}");
        }
    }

    #[test]
    fn what_is_extended_from_an_equal_value_is_a_constant() {
        let text = "function @f(i32) -> i64 {\nblock0(v0: i32):\n  v1 = iconst.i32 -2\n  v2 = sext.i64 v0\n  \
            v3 = icmp eq v0, v1\n  br v3, block1, block2\nblock1:\n  return v2\nblock2:\n  return v2\n}";
        let out = after_pass("equal", text);
        assert!(out.contains("iconst.i64 -2\n  return v4\nblock2:\n  return v2"), "{out}");
    }
}
