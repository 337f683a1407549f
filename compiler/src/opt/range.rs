//! range: signed operations on values that are not negative become unsigned ones.
//!
//! ```text
//! block1(v1: i32):                ; 0, then v4
//!   v2 = icmp slt v1, v9
//!   br v2, block2, block3
//! block2:
//!   v3 = sext.i64 v1        ->    v3 = zext.i64 v1
//!   v4 = add v1, 1
//! ```
//!
//! A forward analysis of signed intervals: each value has one, and the comparisons on the way to a
//! block narrow it there. Loops are widened to the limits of the type after a few rounds.
//! An extended sum, product or shift with a constant is computed in 64 bits if it does not overflow and
//! has no other use, so that the constant can become part of an address. A lower half that is the whole value is
//! not extended again.
//! Below `-mcpu=v4` there is no signed division, and sign extension takes two shifts; zero extension
//! is often free.
//! Preserves: results; comparisons are not touched, since they also tell the kernel's verifier.
//! The kernel's verifier still accepts: unsigned bounds follow from unsigned operations.
//! Cost: linear in the instructions, times a few rounds, times the depth of conditions looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Cx;
use super::bits::known;
use super::edit::{self, Edit, Editor, use_counts};
use super::extend;
use crate::ir::flow::{Flow, goes_back};
use crate::ir::{Arena, BinaryOp, Block, Compare, ConvertOp, Function, Inst, InstData, Type, Value};

/// Conditions on the way to a block that are looked at.
const CONDITIONS: usize = 24;

/// Rounds before bounds that still grow are given up.
const ROUNDS: usize = 3;

/// Rounds before bounds are set to the limits of their type.
const PATIENCE: usize = 16;

/// Numbers at which growing bounds stop first.
const MARKS: usize = 192;

/// Times that intervals are computed again once they hold.
const NARROWING: usize = 2;

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    let wanted = |data: &InstData| {
        matches!(
            data,
            InstData::Binary { op: BinaryOp::Sdiv | BinaryOp::Srem | BinaryOp::Ashr, .. }
                | InstData::Convert { op: ConvertOp::Sext | ConvertOp::Zext, ty: Type::I64, .. }
        )
    };
    if !f.order.iter().flat_map(|&block| &f.blocks[block].insts).any(|&inst| wanted(&f.insts[inst])) {
        return false;
    }
    super::cfg::remove_unreachable(f);
    let ranges = cx.ranges(f);
    let mut new: Vec<(Inst, InstData)> = Vec::new();
    let mut whole: BTreeMap<Inst, Value> = BTreeMap::new();
    let mut wider: BTreeSet<Inst> = BTreeSet::new();
    let uses = use_counts(f);
    let compared = compared_as_signed(f, cx);
    for &block in &f.order {
        for &inst in &f.blocks[block].insts {
            let positive = |v: Value| ranges.at(f, v, block).lo >= 0;
            match f.insts[inst] {
                InstData::Binary { op, args: [a, b] } => {
                    let unsigned = match op {
                        BinaryOp::Sdiv if positive(a) && positive(b) => BinaryOp::Udiv,
                        BinaryOp::Srem if positive(a) && positive(b) => BinaryOp::Urem,
                        BinaryOp::Ashr if positive(a) => BinaryOp::Lshr,
                        _ => continue,
                    };
                    new.push((inst, InstData::Binary { op: unsigned, args: [a, b] }));
                }
                InstData::Convert { op: op @ (ConvertOp::Sext | ConvertOp::Zext), ty, arg }
                    if positive(arg) =>
                {
                    if ty == Type::I64
                        && let Some(value) = ranges.whole(f, arg, block)
                    {
                        whole.insert(inst, value);
                        continue;
                    }
                    if op == ConvertOp::Sext && !compared.contains(&arg) {
                        new.push((inst, InstData::Convert { op: ConvertOp::Zext, ty, arg }));
                    }
                    if ty == Type::I64 && uses[arg] == 1 && ranges.fits_wider(f, arg, block) {
                        wider.insert(inst);
                    }
                }
                _ => {}
            }
        }
    }
    let changed = !new.is_empty() || !wider.is_empty() || !whole.is_empty();
    for (inst, data) in new {
        f.set_inst(inst, data);
    }
    edit::rewrite(f, |ed, inst| match ed.f.insts[inst] {
        InstData::Convert { arg, .. } if wider.contains(&inst) => {
            extend_first(ed, &ranges, arg).map_or(Edit::Keep, Edit::Replace)
        }
        _ => whole.get(&inst).map_or(Edit::Keep, |&value| Edit::Replace(value)),
    });
    changed
}

/// Values whose sign extension is what is compared: what is used must be the same.
fn compared_as_signed(f: &Function, cx: &Cx<'_>) -> BTreeSet<Value> {
    let mut compared = BTreeSet::new();
    if !extend::compares_halves(cx.options.cpu) {
        for &inst in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
            if let InstData::Compare { op, args } = f.insts[inst]
                && extend::extension(op) == ConvertOp::Sext
                && f.ty(args[0]) == Type::I32
            {
                compared.extend(args);
            }
        }
    }
    compared
}

/// `zext (x op C)` as `(zext x) op C`.
fn extend_first(ed: &mut Editor<'_>, ranges: &Ranges, value: Value) -> Option<Value> {
    let Some(InstData::Binary { op, args: [x, constant] }) = ed.f.def(value).cloned() else { return None };
    let constant = ed.f.constant(constant)?;
    let x = match ranges.whole(ed.f, x, ed.block) {
        Some(whole) => whole,
        None => ed.convert(ConvertOp::Zext, Type::I64, x),
    };
    Some(ed.binary_imm(op, x, constant))
}

/// A signed interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Interval {
    lo: i64,
    hi: i64,
}

impl Interval {
    fn full(ty: Type) -> Interval {
        let hi = (ty.mask() >> 1) as i64;
        Interval { lo: -hi - 1, hi }
    }

    fn exactly(value: i64) -> Interval {
        Interval { lo: value, hi: value }
    }

    fn join(self, other: Interval) -> Interval {
        Interval { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }

    /// An empty intersection belongs to a path that is never taken: anything holds there.
    fn meet(self, other: Interval) -> Interval {
        let (lo, hi) = (self.lo.max(other.lo), self.hi.min(other.hi));
        if lo <= hi { Interval { lo, hi } } else { self }
    }

    fn within(self, ty: Type) -> Option<Interval> {
        let full = Interval::full(ty);
        (full.lo <= self.lo && self.hi <= full.hi).then_some(self)
    }
}

/// The intervals of a function's values.
pub struct Ranges {
    flow: Arc<Flow>,
    values: Arena<Value, Option<Interval>>,
    /// The last round in which each interval grew.
    grown: Arena<Value, usize>,
    /// What is known from the bits of a value.
    bits: Arena<Value, Option<Interval>>,
    /// What the branch at the end of each block says.
    conditions: Arena<Block, Option<Condition>>,
    /// Values that conditions say something about.
    tested: Arena<Value, bool>,
    /// Numbers at which growing bounds stop first, in order.
    marks: Vec<i64>,
}

/// A value whose interval is computed, and its block.
#[derive(Clone, Copy)]
struct Step {
    block: Block,
    value: Value,
    from: Origin,
}

/// What it is computed from.
#[derive(Clone, Copy)]
enum Origin {
    /// What edges pass for the parameter with this number.
    Edges(usize),
    Inst(Inst),
}

impl Step {
    /// May it change when another one does?
    fn depends(&self, f: &Function) -> bool {
        match self.from {
            Origin::Edges(_) => true,
            Origin::Inst(inst) => matches!(
                f.insts[inst],
                InstData::Convert { .. } | InstData::Select { .. } | InstData::Binary { .. }
            ),
        }
    }
}

/// The constants that a function compares with, and their neighbours.
fn marks(f: &Function) -> Vec<i64> {
    let mut marks = BTreeSet::new();
    for &inst in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
        if let InstData::Compare { args: [_, b], .. } = f.insts[inst]
            && let Some(bits) = f.constant(b)
            && marks.len() < MARKS
        {
            let mark = f.ty(b).sign_extend(bits);
            marks.extend([mark.saturating_sub(1), mark, mark.saturating_add(1)]);
        }
    }
    marks.into_iter().collect()
}

/// What a branch asks about two values.
#[derive(Clone, Copy)]
struct Condition {
    op: Compare,
    sides: [Side; 2],
    /// Where it goes when that holds.
    then: Block,
}

/// A side of a comparison.
#[derive(Clone, Copy)]
struct Side {
    value: Value,
    /// What it extends.
    of: Option<(ConvertOp, Value)>,
    constant: Option<i64>,
}

impl Side {
    fn new(f: &Function, value: Value) -> Side {
        let of = match f.def(value) {
            Some(&InstData::Convert { op: op @ (ConvertOp::Sext | ConvertOp::Zext), arg, .. }) => {
                Some((op, arg))
            }
            _ => None,
        };
        Side { value, of, constant: f.constant(value).map(|bits| f.ty(value).sign_extend(bits)) }
    }
}

/// What the branch at the end of a block asks.
fn condition(f: &Function, block: Block) -> Option<Condition> {
    let (cond, then) = f.branch(block)?;
    let Some(&InstData::Compare { op, args }) = f.def(cond) else { return None };
    Some(Condition { op, sides: args.map(|value| Side::new(f, value)), then })
}

impl Ranges {
    /// Is there something about each value of the function?
    pub fn cover(&self, f: &Function) -> bool {
        self.values.len() == f.values.len()
    }

    /// Analyses a function without unreachable blocks.
    pub fn new(f: &Function) -> Ranges {
        let (flow, values) = (f.flow_as_is(), Arena::filled(&f.values, None));
        let bits = Arena::filled(&f.values, None);
        let mut conditions = Arena::filled(&f.blocks, None);
        let mut tested = Arena::filled(&f.values, false);
        for &block in &f.order {
            conditions[block] = condition(f, block);
            for side in conditions[block].iter().flat_map(|condition| &condition.sides) {
                tested[side.value] = side.constant.is_none();
                if let Some((_, arg)) = side.of {
                    tested[arg] = true;
                }
            }
        }
        let grown = Arena::filled(&f.values, 0);
        let mut ranges = Ranges { flow, values, grown, bits, conditions, tested, marks: marks(f) };
        let mut steps = ranges.steps(f);
        let mut changed = ranges.round(f, &steps, 0);
        // Where nothing goes back, all that is joined in the first round is known by then.
        if !changed || !goes_back(f, &ranges.flow.rpo) {
            return ranges;
        }
        steps.retain(|step| step.depends(f));
        // Bounds grow for some rounds, then those of parameters that still grow are set to the next
        // number that the function compares with, at last to the limits of their type. Every cycle
        // passes a parameter, so this ends.
        let mut round = 0;
        while changed {
            round += 1;
            changed = ranges.round(f, &steps, round);
        }
        for _ in 0..NARROWING {
            if !ranges.narrow(f, &steps) {
                break;
            }
        }
        ranges
    }

    /// All that has an interval, in an order in which what it depends on comes first but for what goes back.
    fn steps(&self, f: &Function) -> Vec<Step> {
        let mut steps = Vec::with_capacity(edit::size(f));
        for &block in &self.flow.rpo {
            let data = &f.blocks[block];
            let params = data.params.iter().enumerate();
            steps.extend(params.map(|(index, &value)| Step { block, value, from: Origin::Edges(index) }));
            let results = data.insts.iter().filter_map(|&inst| Some((inst, f.result(inst)?)));
            steps.extend(results.map(|(inst, value)| Step { block, value, from: Origin::Inst(inst) }));
        }
        steps
    }

    /// Computes every interval again from those found, which all hold: so the new ones hold too.
    fn narrow(&mut self, f: &Function, steps: &[Step]) -> bool {
        let mut changed = false;
        for &Step { block, value, from } in steps {
            let new = match from {
                Origin::Edges(_) if self.values[value].is_none() => continue,
                Origin::Edges(index) => self.incoming(f, block, index),
                Origin::Inst(inst) => Some(self.computed(f, block, inst, value)),
            };
            if let Some(new) = new {
                let new = Some(self.values[value].map_or(new, |old| old.meet(new)));
                changed |= std::mem::replace(&mut self.values[value], new) != new;
            }
        }
        changed
    }

    /// The least value in a block.
    pub fn lowest(&self, f: &Function, value: Value, block: Block) -> i64 {
        self.at(f, value, block).lo
    }

    /// The greatest value in a block.
    pub fn highest(&self, f: &Function, value: Value, block: Block) -> i64 {
        self.at(f, value, block).hi
    }

    /// The value of 64 bits of which this is the lower half, if the upper one is zero, and the sign too.
    fn whole(&self, f: &Function, half: Value, block: Block) -> Option<Value> {
        match *f.def(half)? {
            InstData::Convert { op: ConvertOp::Trunc, ty: Type::I32, arg } if f.ty(arg) == Type::I64 => {
                let range = self.at(f, arg, block);
                (range.lo >= 0 && range.hi <= i32::MAX.into()).then_some(arg)
            }
            _ => None,
        }
    }

    /// Is the value `x op C`, computed without overflow from an `x` that is not negative? Then it can
    /// be computed in 64 bits, where a constant part becomes part of an address.
    fn fits_wider(&self, f: &Function, value: Value, block: Block) -> bool {
        let Some(InstData::Binary { op: op @ (BinaryOp::Add | BinaryOp::Mul | BinaryOp::Shl), args: [x, c] }) =
            f.def(value)
        else {
            return false;
        };
        let (x, c) = (self.at(f, *x, block), f.constant(*c).unwrap_or(u64::MAX));
        let c = c as i64;
        x.lo >= 0
            && (0..=i64::from(i16::MAX)).contains(&c)
            && arithmetic(*op, x, Interval::exactly(c)).is_some_and(|r| r.within(Type::I32).is_some())
    }

    /// Lets every interval grow by what has been found since. Whether one did.
    fn round(&mut self, f: &Function, steps: &[Step], round: usize) -> bool {
        let mut changed = false;
        for &Step { block, value, from } in steps {
            // What may be anything does not grow any more.
            if self.values[value] == Some(Interval::full(f.ty(value))) {
                continue;
            }
            let new = match from {
                Origin::Edges(index) if round == 0 || self.may_bring(f, block, index, round) => {
                    self.incoming(f, block, index)
                }
                Origin::Inst(inst) if round == 0 || self.may_grow(f, inst, round) => {
                    Some(self.computed(f, block, inst, value))
                }
                Origin::Edges(_) | Origin::Inst(_) => None,
            };
            // Only what edges pass is made to grow in larger steps: every cycle passes a parameter.
            let patience = if matches!(from, Origin::Edges(_)) { round } else { 0 };
            if new.is_some_and(|new| self.grow(f, value, new, patience)) {
                self.grown[value] = round;
                changed = true;
            }
        }
        changed
    }

    /// Has something grown since the last round that the result of an instruction is computed from?
    fn may_grow(&self, f: &Function, inst: Inst, round: usize) -> bool {
        let mut may = false;
        f.insts[inst].for_each_operand(|v| may |= self.may_have_grown(v, round));
        may
    }

    /// Has something grown since the last round that an edge passes?
    fn may_bring(&self, f: &Function, block: Block, index: usize, round: usize) -> bool {
        let calls = self.flow.preds[block].iter().flat_map(|&pred| f.successors(pred));
        let mut calls = calls.filter(|call| call.block == block);
        calls.any(|call| self.may_have_grown(call.args[index], round))
    }

    /// Has the value grown since the last round? Of what conditions are about, others say something too.
    fn may_have_grown(&self, value: Value, round: usize) -> bool {
        self.tested[value] || self.grown[value] + 1 >= round
    }

    /// The interval of what an instruction computes.
    fn computed(&mut self, f: &Function, block: Block, inst: Inst, result: Value) -> Interval {
        let from_bits = self.of_bits(f, result);
        self.transfer(f, block, &f.insts[inst], result, from_bits)
    }

    /// Joins what all edges pass, as far as it is known yet.
    fn incoming(&self, f: &Function, block: Block, index: usize) -> Option<Interval> {
        if block == f.entry() {
            return Some(Interval::full(f.ty(f.blocks[block].params[index])));
        }
        let mut sum: Option<Interval> = None;
        for &pred in &self.flow.preds[block] {
            for call in f.successors(pred).filter(|call| call.block == block) {
                let arg = call.args[index];
                if self.values[arg].is_none() && f.constant(arg).is_none() {
                    continue;
                }
                let there = self.narrowed(f, arg, self.at(f, arg, pred), pred, block);
                sum = Some(sum.map_or(there, |sum| sum.join(there)));
            }
        }
        sum
    }

    /// Joins an interval with what was found before; from some round on in larger steps.
    fn grow(&mut self, f: &Function, value: Value, new: Interval, round: usize) -> bool {
        let full = Interval::full(f.ty(value));
        let old = self.values[value];
        let mut grown = old.map_or(new, |old| old.join(new));
        if old == Some(grown) {
            return false;
        }
        if let (true, Some(old)) = (round >= ROUNDS, old) {
            let marks: &[i64] = if round < PATIENCE { &self.marks } else { &[] };
            let inside = |mark: &&i64| full.lo < **mark && **mark < full.hi;
            if grown.hi > old.hi {
                let next = marks.iter().filter(inside).find(|&&mark| mark >= grown.hi);
                grown.hi = next.copied().unwrap_or(if grown.hi < full.hi { full.hi - 1 } else { full.hi });
            }
            if grown.lo < old.lo {
                let next = marks.iter().rev().filter(inside).find(|&&mark| mark <= grown.lo);
                grown.lo = next.copied().unwrap_or(full.lo);
            }
        }
        self.values[value] = Some(grown);
        true
    }

    /// The interval of a value in a block, narrowed by the conditions on the way there.
    fn at(&self, f: &Function, value: Value, block: Block) -> Interval {
        let ty = f.ty(value);
        let found = self.values.get(value).copied().flatten();
        // Nothing is known of values that were made since, but of constants.
        let mut range = found.unwrap_or_else(|| match f.constant(value) {
            Some(bits) => Interval::exactly(ty.sign_extend(bits)),
            None => Interval::full(ty),
        });
        if self.tested.get(value) != Some(&true) {
            return range;
        }
        let mut at = block;
        for _ in 0..CONDITIONS {
            let Some(up) = self.flow.idom(at) else { break };
            if let [_] = self.flow.preds[at][..] {
                range = self.narrowed(f, value, range, up, at);
            }
            at = up;
        }
        range
    }

    /// The interval of a value on the edge between two blocks.
    fn narrowed(&self, f: &Function, value: Value, range: Interval, from: Block, to: Block) -> Interval {
        let Some(Some(Condition { op, sides: [a, b], then })) = self.conditions.get(from) else {
            return range;
        };
        let op = if *then == to { *op } else { op.negated() };
        for (this, other, op) in [(a, b, op), (b, a, op.swapped())] {
            let direct = this.value == value;
            let through = this.of.filter(|&(_, arg)| arg == value).map(|(op, _)| op);
            if !direct && through.is_none() {
                continue;
            }
            let bound = match other.constant {
                Some(exact) => Interval::exactly(exact),
                None => self.values[other.value].unwrap_or(Interval::full(f.ty(other.value))),
            };
            if let Some(limits) = allowed(op, bound) {
                // An extended value that fits the narrow type's positive half is the value itself.
                let half = Interval { lo: 0, hi: Interval::full(f.ty(value)).hi };
                let fits = limits.lo >= half.lo && limits.hi <= half.hi;
                if direct || fits || through == Some(ConvertOp::Sext) {
                    return range.meet(limits);
                }
            }
        }
        range
    }

    fn transfer(
        &self,
        f: &Function,
        block: Block,
        data: &InstData,
        result: Value,
        from_bits: Interval,
    ) -> Interval {
        let ty = f.ty(result);
        let full = Interval::full(ty);
        let of = |v: Value| self.at(f, v, block);
        let computed = match data {
            InstData::Const { value, .. } => Some(Interval::exactly(ty.sign_extend(*value))),
            InstData::Convert { op, arg, .. } => match op {
                ConvertOp::Sext => Some(of(*arg)),
                ConvertOp::Zext if of(*arg).lo >= 0 => Some(of(*arg)),
                ConvertOp::Zext => Some(Interval { lo: 0, hi: f.ty(*arg).mask() as i64 }),
                ConvertOp::Trunc => of(*arg).within(ty),
                ConvertOp::PtrToInt | ConvertOp::IntToPtr => None,
            },
            InstData::Select { args: [a, b], .. } => Some(of(*a).join(of(*b))),
            InstData::Binary { op, args: [a, b] } => {
                arithmetic(*op, of(*a), of(*b)).and_then(|r| r.within(ty))
            }
            _ => None,
        };
        computed.unwrap_or(full).meet(from_bits)
    }

    /// What the bits of a value say, which is the same in every round.
    fn of_bits(&mut self, f: &Function, value: Value) -> Interval {
        let ty = f.ty(value);
        *self.bits[value].get_or_insert_with(|| {
            let bits = known(f, value);
            match bits.is_non_negative(ty) {
                true => Interval { lo: bits.ones as i64, hi: bits.maybe() as i64 },
                false => Interval::full(ty),
            }
        })
    }
}

/// What `x op bound` says about `x`.
fn allowed(op: Compare, bound: Interval) -> Option<Interval> {
    let (min, max) = (i64::MIN, i64::MAX);
    let limits = match op {
        Compare::Eq => bound,
        Compare::Slt => Interval { lo: min, hi: bound.hi.checked_sub(1)? },
        Compare::Sle => Interval { lo: min, hi: bound.hi },
        Compare::Sgt => Interval { lo: bound.lo.checked_add(1)?, hi: max },
        Compare::Sge => Interval { lo: bound.lo, hi: max },
        // Below a bound that is not negative, unsigned, means not negative.
        Compare::Ult if bound.lo >= 0 => Interval { lo: 0, hi: bound.hi.checked_sub(1)? },
        Compare::Ule if bound.lo >= 0 => Interval { lo: 0, hi: bound.hi },
        Compare::Ult | Compare::Ule | Compare::Ugt | Compare::Uge | Compare::Ne => return None,
    };
    (limits.lo <= limits.hi).then_some(limits)
}

/// Exact bounds of an operation; `None` when they do not fit 64 bits or are not worth knowing.
fn arithmetic(op: BinaryOp, a: Interval, b: Interval) -> Option<Interval> {
    let positive = a.lo >= 0 && b.lo >= 0;
    Some(match op {
        BinaryOp::Add => Interval { lo: a.lo.checked_add(b.lo)?, hi: a.hi.checked_add(b.hi)? },
        BinaryOp::Sub => Interval { lo: a.lo.checked_sub(b.hi)?, hi: a.hi.checked_sub(b.lo)? },
        BinaryOp::Mul if positive => Interval { lo: a.lo.checked_mul(b.lo)?, hi: a.hi.checked_mul(b.hi)? },
        BinaryOp::Shl if positive && b.lo == b.hi && b.lo < 32 => {
            Interval { lo: a.lo.checked_mul(1 << b.lo)?, hi: a.hi.checked_mul(1 << b.lo)? }
        }
        BinaryOp::And if a.lo >= 0 && b.lo >= 0 => Interval { lo: 0, hi: a.hi.min(b.hi) },
        BinaryOp::And if a.lo >= 0 => Interval { lo: 0, hi: a.hi },
        BinaryOp::And if b.lo >= 0 => Interval { lo: 0, hi: b.hi },
        BinaryOp::Or | BinaryOp::Xor if positive => {
            let top = 64 - (a.hi | b.hi).leading_zeros();
            Interval { lo: 0, hi: if top >= 63 { i64::MAX } else { (1 << top) - 1 } }
        }
        BinaryOp::Udiv | BinaryOp::Sdiv if positive => Interval { lo: 0, hi: a.hi },
        BinaryOp::Urem | BinaryOp::Srem if positive => Interval { lo: 0, hi: a.hi },
        BinaryOp::Lshr | BinaryOp::Ashr if a.lo >= 0 => Interval { lo: 0, hi: a.hi },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::{after_pass, after_pass_on};

    #[test]
    fn a_counter_is_not_negative() {
        let text = "function @f(i32, ptr) -> i32 {\nblock0(v0: i32, v1: ptr):\n  v2 = iconst.i32 0\n  jump block1(v2)\n\
            block1(v3: i32):\n  v4 = icmp slt v3, v0\n  br v4, block2, block3\n\
            block2:\n  v5 = sext.i64 v3\n  v6 = iconst.i64 7\n  v7 = and v5, v6\n  v8 = ptr_add v1, v7\n\
            v9 = load.i8 v8 align 1\n  v10 = iconst.i32 1\n  v11 = add v3, v10\n  jump block1(v11)\n\
            block3:\n  return v3\n}";
        let out = after_pass_on("range", text, 3);
        assert!(out.contains("v5 = zext.i64 v3"), "{out}");
        // Where the comparison extends it, what is used is extended alike.
        let out = after_pass_on("range", text, 2);
        assert!(out.contains("v5 = sext.i64 v3"), "{out}");
    }

    #[test]
    fn a_counter_tested_at_the_end_is_not_negative() {
        let text = "function @f(ptr) -> i32 {\nblock0(v1: ptr):\n  v2 = iconst.i32 0\n  jump block1(v2)\n\
            block1(v3: i32):\n  v5 = sext.i64 v3\n  v8 = ptr_add v1, v5\n  v9 = load.i8 v8 align 1\n\
            v10 = iconst.i32 1\n  v11 = add v3, v10\n  v12 = iconst.i32 40\n  v4 = icmp slt v11, v12\n\
            br v4, block1(v11), block3\nblock3:\n  return v3\n}";
        let out = after_pass("range", text);
        assert!(out.contains("v5 = zext.i64 v3"), "{out}");
    }

    #[test]
    fn a_checked_value_divides_unsigned() {
        let text = "function @f(i32) -> i32 {\nblock0(v0: i32):\n  v1 = iconst.i32 0\n  v2 = icmp slt v0, v1\n\
            v3 = iconst.i32 10\n  v4 = sdiv v0, v3\n  br v2, block1(v1), block2\n\
            block2:\n  v5 = sdiv v0, v3\n  jump block1(v5)\nblock1(v6: i32):\n  v7 = add v6, v4\n  return v7\n}";
        let out = after_pass("range", text);
        assert!(out.contains("v4 = sdiv v0, v3") && out.contains("v5 = udiv v0, v3"), "{out}");
    }
}
