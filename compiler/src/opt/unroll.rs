//! unroll: loops whose number of rounds is known become straight code, where that is wished.
//!
//! ```text
//! block1(v1: i32) unroll:          ; v1 = 0, 1, 2, then the exit
//!   v2 = icmp ult v1, 3
//!   br v2, block2, block3    ->    three copies of block2, one after the other
//! block2: ...
//!   jump block1(v4)
//! ```
//!
//! Wished by a pragma, or small: without branches, and short when all is folded that depends on the counter alone.
//! The number of rounds is found by evaluating the loop's conditions round by round. A loop that is
//! wished to be unrolled `n` times and has more rounds, or an unknown number, gets `n` copies of its
//! body with all their tests. A short loop without branches that has many rounds gets [`COPIES`] bodies, of which one
//! tests: it is known in which the loop ends.
//! Preserves: every round in order; all exits stay in the copies until they are folded.
//! A loop that indexes into what a program is given is unrolled too if it can be, with branches and all:
//! the kernel refuses a context pointer with anything added to it, so as a loop it could not be loaded.
//! So is one that ends when two addresses meet: the kernel does not know how they compare, and walks on.
//! So is a small one that alone keeps a variable from being split into values.
//! The kernel's verifier still accepts: the copies are the paths that it would walk. Loops with
//! branches are else unrolled on request only: each copy multiplies its paths.
//! Cost: the size of the copies, at most [`FULL_SIZE`] instructions for one loop.

use std::collections::BTreeMap;

use super::Cx;
use super::alias::{Place, Root};
use super::clone;
use super::simplify::evaluate;
use crate::ir::flow::{Flow, Loop};
use crate::ir::{Arena, Block, Function, Inst, InstData, SrcLoc, Type, Unroll, Value};

/// Rounds that are evaluated.
const ROUNDS: usize = 4096;
/// Instructions of all copies of a loop.
const FULL_SIZE: usize = 40_000;
/// Rounds of a loop that is unrolled without being asked.
const SMALL_ROUNDS: usize = 32;
/// Instructions of all its copies that are left when what depends on the counter alone is folded.
const SMALL_SIZE: usize = 40;
/// Rounds of a loop that is unrolled without being asked although its copies are not small: what is
/// computed from the counter, and tested after the loop, becomes constant.
const FEW_ROUNDS: usize = 2;
/// Instructions of all its copies.
const FEW_SIZE: usize = 240;

/// Bodies of a loop with many rounds.
const COPIES: usize = 4;
/// Instructions of all of them.
const COPIES_SIZE: usize = 48;
/// Rounds of a loop that gets them.
const MANY_ROUNDS: usize = 32;

/// Rounds of a loop that is unrolled because the kernel would not take it.
const NEEDED_ROUNDS: usize = 32;
/// Instructions of all its copies.
const NEEDED_SIZE: usize = 2000;

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    super::cfg::remove_unreachable(f);
    let mut changed = false;
    // Each round of this loop unrolls one loop, inner ones first, and marks it as done.
    loop {
        let flow = f.flow();
        let loops = flow.loops();
        let plan = loops.loops.iter().rev().find_map(|l| Some((l.clone(), plan(f, cx, &flow, l)?)));
        let Some((l, plan)) = plan else { return changed };
        f.blocks[l.header].unroll = Unroll::Never;
        plan.remark(f, cx, &l);
        match plan {
            Plan::Full(rounds) => drop(copy(f, &flow, &l, rounds + 1, false)),
            Plan::Partial(copies) => drop(copy(f, &flow, &l, copies, true)),
            Plan::Counted(copies, end) => {
                let bodies = copy(f, &flow, &l, copies, true);
                f.blocks[l.header].unroll = Unroll::Never;
                for (index, test) in bodies.iter().map(|body| body[&end.test]).enumerate() {
                    if index != end.round % bodies.len() {
                        go_on(f, test, end.inside);
                    }
                }
            }
            Plan::Nothing => continue,
        }
        changed = true;
    }
}

enum Plan {
    /// All of these rounds.
    Full(usize),
    /// This many more bodies within the loop.
    Partial(usize),
    /// The same, of a loop whose end is known.
    Counted(usize, End),
    /// The wish cannot be fulfilled.
    Nothing,
}

impl Plan {
    fn remark(&self, f: &Function, cx: &Cx<'_>, l: &Loop) {
        let loc = f.terminator(l.header).map_or(SrcLoc::NONE, |last| f.locs[last]);
        let missed = matches!(self, Plan::Nothing);
        cx.remark(loc, "loop-unroll", missed, || match self {
            Plan::Full(rounds) => format!("completely unrolled loop with {rounds} iterations"),
            Plan::Partial(copies) | Plan::Counted(copies, _) => {
                format!("unrolled loop by a factor of {}", copies + 1)
            }
            Plan::Nothing => {
                "loop not unrolled: it has too many iterations, or a number that is not known".into()
            }
        });
    }
}

fn plan(f: &Function, cx: &Cx<'_>, flow: &Flow, l: &Loop) -> Option<Plan> {
    let wish = f.blocks[l.header].unroll;
    if wish == Unroll::Never {
        return None;
    }
    let size: usize = l.blocks.iter().map(|&block| weight(f, block)).sum();
    let end = || end(f, flow, l);
    let left = |end: &End| left(f, flow, l, end);
    let rounds = || end().map(|end| end.round);
    match wish {
        Unroll::Never => None,
        Unroll::Auto => {
            let simple = cx.options.level >= 2 && branches(f, l) == 1 && size <= FEW_SIZE;
            let few = |n: usize| n <= FEW_ROUNDS && n * size <= FEW_SIZE;
            let needed = |n: usize| n <= NEEDED_ROUNDS && (n + 1) * size <= NEEDED_SIZE;
            let refused = || indexes_context(f, l) || compares_addresses(f, l);
            if size <= NEEDED_SIZE && refused() {
                return rounds().filter(|&n| needed(n)).map(Plan::Full);
            }
            if !simple {
                let apart = cx.options.level >= 2 && size <= FEW_SIZE && takes_apart(f, l);
                let end = apart.then(end)??;
                let fits = end.round <= SMALL_ROUNDS && (end.round + 1) * left(&end) <= SMALL_SIZE;
                return fits.then_some(Plan::Full(end.round));
            }
            let end = end()?;
            let n = end.round;
            if cx.options.size {
                return ((n + 1) * left(&end) <= size).then_some(Plan::Full(n));
            }
            if few(n) || n <= SMALL_ROUNDS && (n + 1) * left(&end) <= SMALL_SIZE {
                return Some(Plan::Full(n));
            }
            // The test is to stay where it is in a round: at the end or at the start.
            let rounds = n + usize::from(l.latches.contains(&end.test));
            let fits = |copies: &usize| rounds % copies == 0 && copies * size <= COPIES_SIZE;
            let copies = (2..=COPIES).rev().find(fits)?;
            let worth = n >= MANY_ROUNDS && l.latches.len() == 1 && !calls(f, l);
            worth.then_some(Plan::Counted(copies - 1, end))
        }
        Unroll::Full => Some(match rounds() {
            Some(n) if (n + 1).saturating_mul(size) <= FULL_SIZE => Plan::Full(n),
            _ => Plan::Nothing,
        }),
        Unroll::Count(count) => {
            let count = count as usize;
            Some(match rounds() {
                Some(n) if n <= count && (n + 1).saturating_mul(size) <= FULL_SIZE => Plan::Full(n),
                _ if count > 1 && count.saturating_mul(size) <= FULL_SIZE => Plan::Partial(count - 1),
                _ => Plan::Nothing,
            })
        }
    }
}

fn weight(f: &Function, block: Block) -> usize {
    f.blocks[block].insts.iter().filter(|&&inst| !matches!(f.insts[inst], InstData::Const { .. })).count()
}

fn branches(f: &Function, l: &Loop) -> usize {
    l.blocks.iter().filter(|&&block| f.successors(block).len() > 1).count()
}

/// Whether the loop adds something that is not constant to the one argument of a program.
fn indexes_context(f: &Function, l: &Loop) -> bool {
    let [context] = f.blocks[f.entry()].params.as_slice() else { return false };
    let adds = |data: &InstData| match data {
        InstData::PtrAdd { base, offset } => {
            f.constant(*offset).is_none() && Place::new(f, *base, 0).root == Root::Other(*context)
        }
        _ => false,
    };
    l.blocks.iter().flat_map(|&block| &f.blocks[block].insts).any(|&inst| adds(&f.insts[inst]))
}

/// Whether the loop is left when two addresses compare in some way, one of which it moves on.
fn compares_addresses(f: &Function, l: &Loop) -> bool {
    let test = |&block: &Block| match f.insts[f.terminator(block)?] {
        InstData::Branch { cond, .. } => Some(cond),
        _ => None,
    };
    let leaves = |block: &&Block| f.successors(**block).any(|call| !l.blocks.contains(&call.block));
    let of_addresses = |cond| match f.def(cond) {
        Some(InstData::Compare { args: [a, b], .. }) => {
            // What is compared with the end of a packet the kernel does know; what each round reads from
            // memory is no counter.
            let counts = |v: Value| match Place::new(f, v, 0).root {
                Root::Number(_) => false,
                Root::Other(root) => !matches!(f.def(root), Some(InstData::Load { .. })),
                Root::Slot(_) | Root::Symbol(_) | Root::Helper(_) => true,
            };
            f.ty(*a) == Type::Ptr && [*a, *b].iter().all(|&v| f.constant(v).is_none() && counts(v))
        }
        _ => false,
    };
    l.blocks.iter().filter(leaves).filter_map(test).any(of_addresses)
}

/// Whether the loop alone keeps a variable from being split into values: nothing else indexes it, and its address
/// goes nowhere.
fn takes_apart(f: &Function, l: &Loop) -> bool {
    let indexed = l.blocks.iter().flat_map(|&block| &f.blocks[block].insts).find_map(|&inst| {
        let InstData::PtrAdd { base, offset } = f.insts[inst] else { return None };
        match Place::new(f, base, 0).root {
            Root::Slot(slot) if f.constant(offset).is_none() => Some(slot),
            _ => None,
        }
    });
    let Some(slot) = indexed else { return false };
    let is_part = |v: Value| f.ty(v) == Type::Ptr && Place::new(f, v, 0).root == Root::Slot(slot);
    let mut insts = f.order.iter().flat_map(|&block| f.blocks[block].insts.iter().map(move |&i| (block, i)));
    insts.all(|(block, inst)| match &f.insts[inst] {
        InstData::PtrAdd { base, offset } => {
            !is_part(*base) || f.constant(*offset).is_some() || l.blocks.contains(&block)
        }
        InstData::Load { .. } => true,
        InstData::Store { value, .. } => !is_part(*value),
        InstData::Intrinsic { args, .. } => !args.iter().any(|&v| is_part(v)),
        data => {
            let mut whole = true;
            data.for_each_operand(|v| whole &= !is_part(v));
            whole
        }
    })
}

/// The value of a constant. An address in an object of our own has one to count with: the objects
/// are far from each other.
fn known(f: &Function, value: Value) -> Option<u64> {
    const APART: u64 = 1 << 32;
    match f.def(value)? {
        InstData::Const { ty, value } => Some(value & ty.mask()),
        InstData::SlotAddr { slot, offset } => {
            Some((slot.index() as u64 + 1).wrapping_mul(APART).wrapping_add_signed((*offset).into()))
        }
        InstData::PtrAdd { base, offset } => match f.def(*base)? {
            InstData::SlotAddr { .. } => Some(known(f, *base)?.wrapping_add(f.constant(*offset)?)),
            _ => None,
        },
        _ => None,
    }
}

fn calls(f: &Function, l: &Loop) -> bool {
    let is_call = |inst: &Inst| matches!(f.insts[*inst], InstData::Call { .. } | InstData::Asm { .. });
    l.blocks.iter().any(|&block| f.blocks[block].insts.iter().any(is_call))
}

/// Lets the block, which goes on in the loop or leaves it, go on.
fn go_on(f: &mut Function, block: Block, then: bool) {
    if let Some(last) = f.terminator(block)
        && let InstData::Branch { then: one, els: other, .. } = f.insts[last].clone()
    {
        f.set_inst(last, InstData::Jump { target: if then { one } else { other } });
    }
}

/// How a loop ends.
struct End {
    /// How often it went back to its header before.
    round: usize,
    /// Where it ends.
    test: Block,
    /// Whether the test goes on when its condition holds.
    inside: bool,
}

/// How the loop ends, if its conditions can be evaluated.
fn end(f: &Function, flow: &Flow, l: &Loop) -> Option<End> {
    // A test that every round makes, and that leaves the loop one way.
    let tests: Vec<Block> = l
        .blocks
        .iter()
        .copied()
        .filter(|&block| {
            l.latches.iter().all(|&latch| flow.dominates(block, latch))
                && f.successors(block).any(|call| !l.blocks.contains(&call.block))
        })
        .collect();
    let mut round = Round::first(f, flow, l, deciding(f, l, &tests));
    for number in 0..ROUNDS {
        round.evaluate(f);
        let mut decided = false;
        for &test in &tests {
            let (taken, inside) = match &f.insts[f.terminator(test)?] {
                InstData::Branch { cond, then, els } => match round.get(f, *cond) {
                    Some(bit) if bit & 1 == 1 => (then.block, false),
                    Some(_) => (els.block, true),
                    None => continue,
                },
                InstData::Jump { target } => (target.block, false),
                _ => continue,
            };
            decided = true;
            if !l.blocks.contains(&taken) {
                return Some(End { round: number, test, inside });
            }
        }
        if !decided {
            return None;
        }
        round.go_on(f, l);
    }
    None
}

/// The instructions of a loop, in order, that have results.
fn results<'a>(f: &'a Function, l: &'a Loop) -> impl DoubleEndedIterator<Item = (Inst, Value)> + 'a {
    let insts = l.blocks.iter().flat_map(|&block| &f.blocks[block].insts);
    insts.filter_map(|&inst| Some((inst, f.result(inst)?)))
}

/// The pure instructions of a loop that the conditions of these tests follow from.
fn deciding(f: &Function, l: &Loop, tests: &[Block]) -> Vec<(Inst, Value)> {
    let header = &f.blocks[l.header];
    let mut needed = Arena::filled(&f.values, false);
    for &test in tests {
        if let Some(InstData::Branch { cond, .. }) = f.terminator(test).map(|last| &f.insts[last]) {
            needed[*cond] = true;
        }
    }
    // What a round needs of the one before shows only at the start of the loop.
    let mut passed = vec![false; header.params.len()];
    loop {
        for (inst, result) in results(f, l).rev() {
            if needed[result] && f.insts[inst].is_pure() {
                f.insts[inst].for_each_operand(|v| needed[v] = true);
            }
        }
        let mut more = false;
        for (i, &param) in header.params.iter().enumerate() {
            if needed[param] && !std::mem::replace(&mut passed[i], true) {
                more = true;
                let jumps = l.latches.iter().flat_map(|&latch| f.successors(latch));
                jumps.filter(|call| call.block == l.header).for_each(|call| needed[call.args[i]] = true);
            }
        }
        if !more {
            return results(f, l).filter(|&(inst, v)| needed[v] && f.insts[inst].is_pure()).collect();
        }
    }
}

/// Instructions of a loop's last round that do not depend on counters alone.
fn left(f: &Function, flow: &Flow, l: &Loop, end: &End) -> usize {
    let pure = results(f, l).filter(|&(inst, _)| f.insts[inst].is_pure()).collect();
    let mut round = Round::first(f, flow, l, pure);
    round.evaluate(f);
    for _ in 0..end.round {
        round.go_on(f, l);
        round.evaluate(f);
    }
    let of = |v: Value| round.get(f, v);
    let known = |inst: &Inst| match (f.result(*inst), &f.insts[*inst]) {
        (_, InstData::PtrAdd { offset, .. }) => of(*offset).is_some(),
        (_, InstData::Convert { .. } | InstData::Branch { .. } | InstData::Jump { .. }) => true,
        (result, _) => result.and_then(of).is_some(),
    };
    let insts = l.blocks.iter().flat_map(|&block| &f.blocks[block].insts);
    insts.filter(|inst| !known(inst)).count()
}

/// The constant that all jumps from some blocks pass for a parameter.
fn passed(
    f: &Function,
    from: &[Block],
    to: Block,
    index: usize,
    of: &dyn Fn(Value) -> Option<u64>,
) -> Option<u64> {
    let mut common = None;
    for &block in from {
        for call in f.successors(block).filter(|call| call.block == to) {
            let bits = of(*call.args.get(index)?)?;
            if *common.get_or_insert(bits) != bits {
                return None;
            }
        }
    }
    common
}

/// What the values of one round of a loop are, as far as it is known.
struct Round {
    values: Arena<Value, Option<u64>>,
    /// Those that are.
    known: Vec<Value>,
    /// What is evaluated in each round, with its result.
    insts: Vec<(Inst, Value)>,
    /// Parameters of the next round.
    next: Vec<(Value, u64)>,
}

impl Round {
    /// The first round, of which what the loop is entered with is known.
    fn first(f: &Function, flow: &Flow, l: &Loop, insts: Vec<(Inst, Value)>) -> Round {
        let mut values = Arena::filled(&f.values, None);
        // What is known in every round.
        for &(inst, _) in &insts {
            f.insts[inst].for_each_operand(|v| values[v] = values[v].or_else(|| known(f, v)));
        }
        let mut round = Round { values, known: Vec::new(), insts, next: Vec::new() };
        let entering: Vec<Block> =
            flow.preds[l.header].iter().copied().filter(|p| !l.blocks.contains(p)).collect();
        for (i, &param) in f.blocks[l.header].params.iter().enumerate() {
            if let Some(bits) = passed(f, &entering, l.header, i, &|v| known(f, v)) {
                round.learn(param, bits);
            }
        }
        round
    }

    /// The round after it.
    fn go_on(&mut self, f: &Function, l: &Loop) {
        let mut next = std::mem::take(&mut self.next);
        for (i, &param) in f.blocks[l.header].params.iter().enumerate() {
            let bits = passed(f, &l.latches, l.header, i, &|v| self.get(f, v));
            next.extend(bits.map(|bits| (param, bits)));
        }
        self.known.drain(..).for_each(|value| self.values[value] = None);
        next.drain(..).for_each(|(param, bits)| self.learn(param, bits));
        self.next = next;
    }

    fn learn(&mut self, value: Value, bits: u64) {
        self.values[value] = Some(bits);
        self.known.push(value);
    }

    fn get(&self, f: &Function, value: Value) -> Option<u64> {
        self.values[value].or_else(|| known(f, value))
    }

    fn evaluate(&mut self, f: &Function) {
        for at in 0..self.insts.len() {
            let (inst, result) = self.insts[at];
            if let Some(bits) = evaluate(f, &f.insts[inst], &|v| self.get(f, v)) {
                self.learn(result, bits);
            }
        }
    }
}

/// Copies the loop's blocks this many times, one copy after the other: before the loop, or within it
/// so that a round of the loop becomes several. Returns what became of its blocks in each round, the loop's own first.
fn copy(f: &mut Function, flow: &Flow, l: &Loop, count: usize, within: bool) -> Vec<BTreeMap<Block, Block>> {
    let mut rounds: Vec<BTreeMap<Block, Block>> =
        vec![l.blocks.iter().map(|&block| (block, block)).collect()];
    let Some(&last) = l.blocks.last() else { return rounds };
    let after = if within { last } else { flow.idom(l.header).unwrap_or(l.header) };
    // All are copies of the loop as it is, before any edge is led elsewhere.
    let mut twins = clone::Twins::new(f);
    rounds.extend((0..count).map(|_| twins.copy(f, &l.blocks)));
    let copies = rounds[1..].iter().flat_map(|round| l.blocks.iter().map(|block| round[block]));
    clone::place(f, &[(after, copies.collect())]);
    let mut sources: Vec<Block> = if within {
        l.latches.clone()
    } else {
        flow.preds[l.header].iter().copied().filter(|p| !l.latches.contains(p)).collect()
    };
    let mut target = l.header;
    for round in &rounds[1..] {
        redirect(f, &sources, target, round[&l.header]);
        sources = l.latches.iter().map(|latch| round[latch]).collect();
        target = round[&l.header];
    }
    redirect(f, &sources, target, l.header);
    twins.repair(f);
    rounds
}

/// Leads jumps from some blocks to another target.
fn redirect(f: &mut Function, from: &[Block], old: Block, new: Block) {
    for &block in from {
        if let Some(last) = f.terminator(block) {
            for call in f.insts.targets_mut(last) {
                if call.block == old {
                    call.block = new;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ir::parse;
    use crate::opt::testing::{after_pass, assert_same};
    use crate::opt::{self, Options};

    const SUM: &str = "func @f(ptr) -> i32 keep\nfunction @f(ptr) -> i32 {\nblock0(v0: ptr):\n  v1 = iconst.i32 0\n\
        jump block1(v1, v1)\nblock1(v2: i32, v3: i32) unroll:\n  v4 = iconst.i32 5\n  v5 = icmp ult v2, v4\n\
        br v5, block2, block3\nblock2:\n  v6 = zext.i64 v2\n  v7 = ptr_add v0, v6\n  v8 = load.i8 v7 align 1\n\
        v9 = zext.i32 v8\n  v10 = add v3, v9\n  v11 = iconst.i32 1\n  v12 = add v2, v11\n  jump block1(v12, v10)\n\
        block3:\n  return v3\n}";

    #[test]
    fn a_counted_loop_becomes_straight_code() {
        let before = parse(SUM).expect("the text parses");
        let mut after = before.clone();
        opt::run(&mut after, &Options::default(), &mut |_, _, _| {});
        assert_same(&before, &after, 3, false);
        assert_eq!(after.functions[0].order.len(), 1, "{after}");
    }

    #[test]
    fn a_wish_for_a_few_copies_keeps_the_loop() {
        let out = after_pass("unroll", &SUM.replace(" unroll:", " unroll 2:"));
        assert_eq!(out.matches("load.i8").count(), 2, "{out}");
    }

    #[test]
    fn a_loop_over_the_context_is_unrolled_unasked() {
        // Thirty rounds are more than a small loop may have, and too few for several bodies.
        let text = SUM.replace(" unroll:", ":").replace("iconst.i32 5", "iconst.i32 30");
        let out = after_pass("unroll", &text);
        assert!(out.matches("load.i8").count() >= 30, "{out}");
        // The same in a field.
        let field = "v90 = iconst.i64 8\n  v91 = ptr_add v0, v90\n  v7 = ptr_add v91, v6";
        let out = after_pass("unroll", &text.replace("v7 = ptr_add v0, v6", field));
        assert!(out.matches("load.i8").count() >= 30, "{out}");
        let two = text.replace("(ptr)", "(ptr, i32)").replace("block0(v0: ptr)", "block0(v0: ptr, v90: i32)");
        let out = after_pass("unroll", &two);
        assert_eq!(out.matches("load.i8").count(), 1, "{out}");
    }

    #[test]
    fn a_loop_that_compares_addresses_is_unrolled_unasked() {
        let text = "func @f(ptr) -> i32 keep\nfunction @f(ptr) -> i32 {\n  s0 = slot 12 align 1\nblock0(v0: ptr):\n  \
            v1 = slot_addr s0\n  v2 = slot_addr s0+12\n  v3 = iconst.i8 1\n  v4 = iconst.i64 1\n  jump block1(v1)\n\
            block1(v5: ptr):\n  store v3, v5 align 1\n  v6 = ptr_add v5, v4\n  v7 = icmp ne v6, v2\n  \
            br v7, block1(v6), block2\nblock2:\n  v8 = load.i32 v1 align 1\n  return v8\n}";
        let out = after_pass("unroll", text);
        assert!(out.matches("store").count() >= 12, "{out}");
    }

    #[test]
    fn a_variable_that_only_a_search_indexes_becomes_values() {
        let text = "func @f(i64) -> i64 keep\nfunction @f(i64) -> i64 {\n  s0 = slot 24 align 8\nblock0(v0: i64):\n  \
            v1 = slot_addr s0\n  v2 = slot_addr s0+8\n  v3 = slot_addr s0+16\n  v4 = iconst.i64 40\n  store v0, v1 align 8\n  \
            store v4, v2 align 8\n  store v0, v3 align 8\n  v5 = iconst.i64 0\n  jump block1(v5)\nblock1(v6: i64):\n  \
            v7 = iconst.i64 3\n  v8 = shl v6, v7\n  v9 = ptr_add v1, v8\n  v10 = load.i64 v9 align 8\n  \
            v11 = icmp eq v10, v4\n  br v11, block3(v6), block2\nblock2:\n  v12 = iconst.i64 1\n  v13 = add v6, v12\n  \
            v14 = icmp ult v13, v7\n  br v14, block1(v13), block3(v5)\nblock3(v15: i64):\n  return v15\n}";
        let before = parse(text).expect("the text parses");
        let mut after = before.clone();
        opt::run(&mut after, &Options::default(), &mut |_, _, _| {});
        assert_same(&before, &after, 3, false);
        let text = after.to_string();
        assert!(!text.contains("load"), "{text}");
    }

    #[test]
    fn many_short_rounds_become_fewer_long_ones() {
        let text = SUM.replace(" unroll:", ":").replace("iconst.i32 5", "iconst.i32 100");
        // What has one argument might be a program, and its loop over the context is another matter.
        let text =
            text.replace("(ptr)", "(ptr, i32)").replace("block0(v0: ptr)", "block0(v0: ptr, v90: i32)");
        let before = parse(&text).expect("the text parses");
        let mut after = before.clone();
        opt::run(&mut after, &Options::default(), &mut |_, _, _| {});
        assert_same(&before, &after, 3, false);
        let text = after.to_string();
        assert!(text.matches("load.i8").count() > 1 && text.matches("icmp").count() == 1, "{text}");
    }

    #[test]
    fn no_wish_is_respected() {
        let out = after_pass("unroll", &SUM.replace(" unroll:", " nounroll:"));
        assert_eq!(out.matches("load.i8").count(), 1, "{out}");
    }
}
