//! decided: a branch on what a dominating edge has decided goes the way that follows from it.
//!
//! ```text
//!   v2 = icmp ult v0, v1
//!   br v2, block1, block2
//! block1:                          ->   block1:
//!   v3 = icmp uge v0, v1                  jump block4
//!   br v3, block3, block4
//! ```
//!
//! Known are conditions themselves, comparisons of the same two values, and what equals a constant.
//! Preserves: every way that an execution takes.
//! The kernel's verifier still accepts: what an edge has decided it knows as well; only ways that no execution
//! takes disappear.
//! Cost: linear in the blocks and in what is known of each value.

use super::Cx;
use super::simplify::fold;
use crate::hash::LookupMap;
use crate::ir::{Block, Compare, Function, InstData, Value};

/// A branch on a condition that a dominating edge has decided follows that edge.
pub fn run(f: &mut Function, _: &Cx<'_>) -> bool {
    enum Step {
        Enter(Block),
        Forget(Subject, usize),
    }
    let asked = asked_again(f);
    if asked.is_empty() {
        return false;
    }
    let asks = |f: &Function, cond: Value| asked.binary_search(&subject(f, cond)).is_ok();
    let flow = f.flow();
    let mut changed = false;
    // The conditions that the edges on the way have decided, the nearest last.
    let mut known: LookupMap<Subject, Vec<(Value, bool)>> = LookupMap::default();
    let mut stack = vec![Step::Enter(f.entry())];
    while let Some(step) = stack.pop() {
        let block = match step {
            Step::Enter(block) => block,
            Step::Forget(subject, len) => {
                if let Some(facts) = known.get_mut(&subject) {
                    facts.truncate(len);
                }
                continue;
            }
        };
        // Only edges into blocks with one predecessor say something about all that follows.
        if let [pred] = flow.preds[block]
            && let Some((cond, then)) = f.branch(pred)
            && asks(f, cond)
        {
            let taken = then == block;
            for about in subjects(f, cond, taken).into_iter().flatten() {
                let facts = known.entry(about).or_default();
                stack.push(Step::Forget(about, facts.len()));
                facts.push((cond, taken));
            }
        }
        if let Some(inst) = f.terminator(block)
            && let InstData::Branch { cond, .. } = f.insts[inst]
            && asks(f, cond)
            && let Some(decided) = decided(f, &known, cond)
            && let InstData::Branch { then, els, .. } = f.insts[inst].clone()
        {
            f.set_inst(inst, InstData::Jump { target: if decided { then } else { els } });
            changed = true;
        }
        stack.extend(flow.children(block).iter().rev().map(|&child| Step::Enter(child)));
    }
    changed
}

/// What more than one branch asks about, in order. What only one asks about, no other has decided.
fn asked_again(f: &Function) -> Vec<Value> {
    let mut subjects = Vec::with_capacity(f.order.len());
    for &block in &f.order {
        if let Some(InstData::Branch { cond, .. }) = f.terminator(block).map(|inst| &f.insts[inst]) {
            subjects.push(subject(f, *cond));
        }
    }
    subjects.sort_unstable();
    subjects.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect()
}

/// What a condition is about: conditions about different values say nothing of each other.
fn subject(f: &Function, cond: Value) -> Value {
    match f.def(cond) {
        Some(InstData::Compare { args, .. }) => args[0],
        _ => cond,
    }
}

/// How what is known is found.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Subject {
    /// A condition that is not a comparison.
    Condition(Value),
    /// A comparison of these two.
    Pair(Value, Side),
    /// The value equals a constant.
    Equal(Value),
}

/// The right side of a comparison. Two constants that are equal are one, whichever instruction makes them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Value(Value),
    Constant(u64),
}

impl Subject {
    fn pair(f: &Function, [a, b]: [Value; 2]) -> Subject {
        Subject::Pair(a, f.constant(b).map_or(Side::Value(b), Side::Constant))
    }
}

/// Under what a condition is found that holds or does not hold.
fn subjects(f: &Function, cond: Value, taken: bool) -> [Option<Subject>; 2] {
    let Some(&InstData::Compare { op, args }) = f.def(cond) else {
        return [Some(Subject::Condition(cond)), None];
    };
    let op = if taken { op } else { op.negated() };
    let equal = op == Compare::Eq && f.constant(args[1]).is_some();
    [Some(Subject::pair(f, args)), equal.then_some(Subject::Equal(args[0]))]
}

/// The value of a condition where this is known.
fn decided(f: &Function, known: &LookupMap<Subject, Vec<(Value, bool)>>, cond: Value) -> Option<bool> {
    let facts = |about: Subject| known.get(&about).map_or(&[][..], Vec::as_slice).iter().rev();
    let Some(&InstData::Compare { op: asked, args }) = f.def(cond) else {
        return facts(Subject::Condition(cond)).next().map(|&(_, taken)| taken);
    };
    let holds = |&(cond, taken): &(Value, bool)| match f.def(cond) {
        Some(&InstData::Compare { op, args }) => Some((if taken { op } else { op.negated() }, args)),
        _ => None,
    };
    let of_pair = |fact| implied(holds(fact)?.0, asked);
    if let Some(decided) = facts(Subject::pair(f, args)).find_map(of_pair) {
        return Some(decided);
    }
    // `x == C` decides every other comparison of `x` with a constant.
    let other = f.constant(args[1])?;
    let (_, [_, constant]) = holds(facts(Subject::Equal(args[0])).next()?)?;
    Some(fold::compare(asked, f.ty(constant), f.constant(constant)?, other))
}

/// What a comparison that holds says about another one of the same operands.
fn implied(known: Compare, asked: Compare) -> Option<bool> {
    if known == asked {
        return Some(true);
    }
    if known == asked.negated() {
        return Some(false);
    }
    match (known, asked) {
        (Compare::Eq, Compare::Ule | Compare::Uge | Compare::Sle | Compare::Sge) => Some(true),
        (Compare::Eq, Compare::Ult | Compare::Ugt | Compare::Slt | Compare::Sgt | Compare::Ne) => Some(false),
        (Compare::Ult, Compare::Ule | Compare::Ne) | (Compare::Ugt, Compare::Uge | Compare::Ne) => Some(true),
        (Compare::Ult, Compare::Eq | Compare::Ugt) | (Compare::Ugt, Compare::Eq | Compare::Ult) => {
            Some(false)
        }
        (Compare::Slt, Compare::Sle | Compare::Ne) | (Compare::Sgt, Compare::Sge | Compare::Ne) => Some(true),
        (Compare::Slt, Compare::Eq | Compare::Sgt) | (Compare::Sgt, Compare::Eq | Compare::Slt) => {
            Some(false)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    /// Whether the branch on `second` stays where the one on `first` held.
    fn stays(first: &str, second: &str) -> bool {
        let text = format!(
            "function @f(i32, i32) -> i32 {{\nblock0(v0: i32, v1: i32):\n  v8 = iconst.i32 5\n  v7 = iconst.i32 5\n  v9 = iconst.i32 7\n  \
             v2 = icmp {first}\n  br v2, block1, block2\nblock1:\n  v3 = icmp {second}\n  br v3, block2, block3\n\
             block2:\n  return v0\nblock3:\n  return v1\n}}"
        );
        after_pass("decided", &text).contains("br v3")
    }

    #[test]
    fn what_an_edge_has_decided_is_not_asked_again() {
        assert!(!stays("ult v0, v1", "ult v0, v1") && !stays("ult v0, v1", "uge v0, v1"));
        assert!(!stays("eq v0, v1", "ule v0, v1") && !stays("eq v0, v8", "ugt v0, v9"));
        assert!(!stays("ult v0, v8", "ult v0, v7"));
    }

    #[test]
    fn what_it_has_not_decided_is() {
        assert!(stays("ule v0, v1", "ult v0, v1") && stays("ult v0, v1", "slt v0, v1"));
        assert!(stays("ult v0, v8", "ult v0, v9") && stays("ult v1, v0", "ult v0, v1"));
    }
}
