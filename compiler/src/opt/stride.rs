//! stride: addresses that a loop computes from its counter move on from round to round.
//!
//! ```text
//! block1(v1: i64):                   block1(v1: i64, v9: ptr):     ; v9 starts as v0
//!   v2 = shl v1, 3                     v4 = load.i64 v9+8
//!   v3 = ptr_add v0, v2        ->      ...
//!   v4 = load.i64 v3+8                 v10 = ptr_add v9, 8
//!   ...                                jump block1(v5, v10)
//!   jump block1(v5)
//! ```
//!
//! An address is a sum of values from before the loop, a constant, and a multiple of a counter that starts at a
//! constant and grows by one. All addresses of a loop that differ by a constant share one pointer, if more
//! instructions go than the one that moves it on, and if a register is free for it throughout the loop.
//! Preserves: every address. Halves that are extended are looked through only where [`super::range`] knows that
//! nothing overflows.
//! The kernel's verifier still accepts: it walks a loop whose counter starts at a constant round by round and knows
//! the counter exactly in each, and so each distance. An address that also depends on other numbers is left
//! alone if the loop compares one of them; so is one whose base the loop tests, and a loop that calls
//! anything, because some calls make the verifier forget what counters are.
//! Cost: linear for each depth of nesting; functions of more than [`LARGEST`] instructions are left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use thin_vec::ThinVec;

use super::Cx;
use super::alias::{Place, Root};
use super::edit::{self, use_counts};
use super::licm::{self, Around, Hoist, is_leaf};
use super::range::Ranges;
use super::widen;
use crate::ir::flow::{Flow, Loop, Loops};
use crate::ir::{
    Arena, BinaryOp, Block, BlockCall, Compare, ConvertOp, Function, Inst, InstData, SrcLoc, Type, Value,
    ValueDef,
};

/// Instructions of a function that is looked at.
const LARGEST: usize = 20_000;

/// Values of which an address is the sum, at most.
const TERMS: usize = 4;

/// How deep an address is looked into.
const DEEP: usize = 12;

/// Values that may live throughout a loop.
const ROOM: usize = 8;

/// The largest constant that is left to the accesses.
const NEAR: i64 = 0x4000;

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    super::cfg::remove_unreachable(f);
    let deepest = |loops: &Loops| loops.loops.iter().map(|l| l.depth).max().unwrap_or(0);
    let mut flow = f.flow();
    if !flow.loops().loops.iter().any(|l| moves_on(f, l)) || edit::size(f) > LARGEST {
        return false;
    }
    let mut changed = false;
    // Where an inner loop begins is an address that the loop around it computes from its own counter.
    let mut facts = Facts::new(f, cx.ranges(f));
    for depth in (1..=deepest(flow.loops())).rev() {
        let mut here = false;
        for l in flow.loops().loops.iter().filter(|l| l.depth == depth) {
            let plans = Plans::new(f, &facts, l);
            here |= plans.is_some_and(|plans| plans.carry_out(f, &facts.flow, l));
        }
        changed |= here;
        if here && depth > 1 {
            facts = Facts::new(f, Rc::new(Ranges::new(f)));
            flow = Arc::clone(&facts.flow);
        }
    }
    if changed {
        f.resolve_aliases();
        super::dce::remove_unused(f);
    }
    changed
}

/// Does the loop compute an address, and call nothing?
fn moves_on(f: &Function, l: &Loop) -> bool {
    let insts = || l.blocks.iter().flat_map(|&block| &f.blocks[block].insts).map(|&inst| &f.insts[inst]);
    let opaque = |data: &InstData| {
        matches!(data, InstData::Call { .. } | InstData::Asm { .. } | InstData::Intrinsic { .. })
    };
    insts().any(|data| matches!(data, InstData::PtrAdd { .. })) && !insts().any(opaque)
}

/// What is known of a function before its loops of one depth change.
struct Facts {
    flow: Arc<Flow>,
    ranges: Rc<Ranges>,
    around: Around,
    uses: Arena<Value, u32>,
}

impl Facts {
    fn new(f: &mut Function, ranges: Rc<Ranges>) -> Facts {
        let flow = f.flow();
        Facts { around: Around::new(f, &flow), uses: use_counts(f), flow, ranges }
    }
}

/// A sum of multiples of values, which are extended with zeros if they have 32 bits, and a constant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Sum {
    terms: BTreeMap<Value, i64>,
    constant: i64,
}

impl Sum {
    fn constant(constant: i64) -> Sum {
        Sum { terms: BTreeMap::new(), constant }
    }

    fn of(value: Value) -> Sum {
        Sum { terms: [(value, 1)].into(), constant: 0 }
    }

    fn plus(mut self, other: &Sum, times: i64) -> Option<Sum> {
        self.constant = self.constant.wrapping_add(other.constant.wrapping_mul(times));
        for (&value, &factor) in &other.terms {
            let sum = self.terms.entry(value).or_default();
            *sum = sum.wrapping_add(factor.wrapping_mul(times));
        }
        self.terms.retain(|_, factor| *factor != 0);
        (self.terms.len() <= TERMS).then_some(self)
    }
}

/// A counter: a parameter of the header, its start and its step.
#[derive(Clone, Copy)]
struct Counter {
    start: u64,
    step: u64,
}

/// What is known about a loop.
struct Sums<'a> {
    f: &'a Function,
    ranges: &'a Ranges,
    hoist: &'a Hoist,
    homes: &'a Arena<Inst, Option<Block>>,
    counters: BTreeMap<Value, Counter>,
}

impl Sums<'_> {
    /// The sum that a value of 64 bits is, as seen by one round.
    fn of(&self, value: Value, deep: usize) -> Option<Sum> {
        if let Some(bits) = self.f.constant(value) {
            return Some(Sum::constant(bits as i64));
        }
        if self.counters.contains_key(&value)
            || is_object(self.f, value)
            || !self.hoist.is_inside(self.f, value)
        {
            return self.term(value);
        }
        if deep == 0 {
            return None;
        }
        let of = |v: Value| self.of(v, deep - 1);
        match *self.f.def(value)? {
            InstData::PtrAdd { base, offset } => of(base)?.plus(&of(offset)?, 1),
            InstData::Binary { op: BinaryOp::Add, args: [a, b] } => of(a)?.plus(&of(b)?, 1),
            InstData::Binary { op: BinaryOp::Sub, args: [a, b] } => of(a)?.plus(&of(b)?, -1),
            InstData::Binary { op, args: [a, c] } => {
                Sum::default().plus(&of(a)?, factor(op, self.f.constant(c)?)?)
            }
            InstData::Convert { op: ConvertOp::Zext, ty: Type::I64, arg } if self.f.ty(arg) == Type::I32 => {
                self.of_half(arg, deep - 1)
            }
            _ => None,
        }
    }

    /// The sum that a value of 32 bits is when it is extended with zeros.
    fn of_half(&self, value: Value, deep: usize) -> Option<Sum> {
        if let Some(bits) = self.f.constant(value) {
            return Some(Sum::constant(bits as i64));
        }
        let (lo, hi) = self.range(value);
        if lo < 0 {
            return None;
        }
        if self.counters.contains_key(&value) || !self.hoist.is_inside(self.f, value) {
            return self.term(value);
        }
        if deep == 0 {
            return None;
        }
        let of = |v: Value| self.of_half(v, deep - 1);
        let exact =
            |bound: Option<i64>| bound.filter(|&bound| bound <= i32::MAX.into() && hi <= i32::MAX.into());
        match *self.f.def(value)? {
            InstData::Binary { op: BinaryOp::Add, args: [a, b] } => {
                exact(self.range(a).1.checked_add(self.range(b).1))?;
                of(a)?.plus(&of(b)?, 1)
            }
            InstData::Binary { op, args: [a, c] } => {
                let factor = factor(op, self.f.constant(c)?).filter(|&factor| factor > 0)?;
                exact(self.range(a).1.checked_mul(factor))?;
                Sum::default().plus(&of(a)?, factor)
            }
            InstData::Convert { op: ConvertOp::Trunc, arg, .. } if self.f.ty(arg) == Type::I64 => {
                let (lo, hi) = self.range(arg);
                (lo >= 0 && hi <= i32::MAX.into()).then(|| self.of(arg, deep - 1))?
            }
            _ => None,
        }
    }

    fn term(&self, value: Value) -> Option<Sum> {
        // Relocations are part of accesses.
        (!matches!(self.f.def(value), Some(InstData::Core { .. }))).then(|| Sum::of(value))
    }

    /// The least and greatest value where it is computed.
    fn range(&self, value: Value) -> (i64, i64) {
        let home = match self.f.values[value].def {
            ValueDef::Inst(inst) => home(self.homes, inst),
            ValueDef::Param(block, _) => Some(block),
            ValueDef::Alias(_) => None,
        };
        home.map_or((i64::MIN, i64::MAX), |home| {
            (self.ranges.lowest(self.f, value, home), self.ranges.highest(self.f, value, home))
        })
    }
}

/// The block of an instruction; those made since are in none.
fn home(homes: &Arena<Inst, Option<Block>>, inst: Inst) -> Option<Block> {
    homes.get(inst).copied().flatten()
}

/// What multiplies when this operation is applied with a constant.
fn factor(op: BinaryOp, constant: u64) -> Option<i64> {
    match op {
        BinaryOp::Mul => Some(constant as i64),
        BinaryOp::Shl if constant < 31 => Some(1 << constant),
        _ => None,
    }
}

/// Is the value the address of an object, which is made again wherever it is needed?
fn is_object(f: &Function, value: Value) -> bool {
    matches!(f.def(value), Some(InstData::SymbolAddr { .. } | InstData::SlotAddr { .. }))
}

/// Addresses that can share a pointer: the instructions that compute them, with their sums.
struct Plan {
    counter: Value,
    addresses: Vec<(Inst, Sum)>,
}

/// What is to be done in one loop.
struct Plans {
    counters: BTreeMap<Value, Counter>,
    plans: Vec<Plan>,
    room: usize,
}

impl Plans {
    fn new(f: &Function, facts: &Facts, l: &Loop) -> Option<Plans> {
        let Facts { flow, ranges, around, uses } = facts;
        if !moves_on(f, l) {
            return None;
        }
        let insts = || l.blocks.iter().flat_map(|&block| &f.blocks[block].insts).copied();
        let counters = counters(f, flow, l);
        if counters.is_empty() {
            return None;
        }
        let hoist = Hoist::new(f, flow, around, l);
        let room = ROOM.saturating_sub(hoist.pressure(f, &BTreeSet::new()));
        let homes = &around.homes;
        let sums = Sums { f, ranges, hoist: &hoist, homes, counters };
        let tested = tested(f, l);
        let mut plans: BTreeMap<Vec<(Value, i64)>, Plan> = BTreeMap::new();
        for inst in insts() {
            let InstData::PtrAdd { base, offset } = f.insts[inst] else { continue };
            let Some(sum) = f.result(inst).and_then(|address| sums.of(address, DEEP)) else { continue };
            let mut own = sum.terms.keys().filter(|value| sums.counters.contains_key(value));
            let (Some(&counter), None) = (own.next(), own.next()) else { continue };
            let others: Vec<Value> = sum.terms.keys().copied().filter(|&v| v != counter).collect();
            let pointers = others.iter().filter(|&&v| f.ty(v) == Type::Ptr).count();
            let compared = |&v: &Value| f.ty(v) != Type::Ptr && hoist.compared.contains(&v);
            let numbers = others.len() > 1;
            if pointers != 1
                || others.iter().any(|v| tested.contains(v) || is_context(f, *v))
                || numbers && (others.iter().any(compared) || hoist.compared.contains(&offset))
                || numbers && f.ty(base) != Type::Ptr
            {
                continue;
            }
            let key: Vec<(Value, i64)> = sum.terms.clone().into_iter().collect();
            plans.entry(key).or_insert(Plan { counter, addresses: Vec::new() }).addresses.push((inst, sum));
        }
        let always = |inst: Inst| {
            home(homes, inst).is_some_and(|home| l.latches.iter().all(|&latch| flow.dominates(home, latch)))
        };
        let plans = plans.into_values().filter(|plan| plan.saves(f, uses, &hoist, &always) > 1).collect();
        Some(Plans { counters: sums.counters, plans, room })
    }

    fn carry_out(self, f: &mut Function, flow: &Flow, l: &Loop) -> bool {
        if self.plans.is_empty() || self.room == 0 {
            return false;
        }
        let Some(before) = before(f, flow, l) else { return false };
        for plan in self.plans.iter().take(self.room) {
            plan.carry_out(f, l, before, self.counters[&plan.counter]);
        }
        true
    }
}

impl Plan {
    /// How many instructions each round executes less, without the one that moves the pointer on.
    fn saves(
        &self,
        f: &Function,
        uses: &Arena<Value, u32>,
        hoist: &Hoist,
        always: &dyn Fn(Inst) -> bool,
    ) -> usize {
        let mut left: BTreeMap<Value, u32> = BTreeMap::new();
        let own: BTreeSet<Inst> = self.addresses.iter().map(|&(inst, _)| inst).collect();
        let mut work: Vec<Inst> = own.iter().copied().collect();
        let (mut saved, mut gone) = (0, own);
        while let Some(inst) = work.pop() {
            if always(inst) {
                saved += taken(f, inst, hoist);
            }
            f.insts[inst].for_each_operand(|v| {
                let left = left.entry(v).or_insert(uses[v]);
                *left = left.saturating_sub(1);
                if let (0, ValueDef::Inst(def)) = (*left, f.values[v].def)
                    && f.insts[def].is_pure()
                    && hoist.is_inside(f, v)
                    && gone.insert(def)
                {
                    work.push(def);
                }
            });
        }
        saved
    }

    fn carry_out(&self, f: &mut Function, l: &Loop, before: Block, counter: Counter) {
        let Some((_, first)) = self.addresses.first() else { return };
        // What accesses can add themselves is not part of the pointer.
        let constants = || self.addresses.iter().map(|(_, sum)| sum.constant);
        let far = constants().any(|constant| constant.abs() > NEAR);
        let constant = if far { constants().min().unwrap_or(0) } else { 0 };
        let factor = first.terms.get(&self.counter).copied().unwrap_or(0);
        let mut start = first.clone();
        start.terms.remove(&self.counter);
        start.constant = factor.wrapping_mul(counter.start as i64).wrapping_add(constant);
        let start = materialise(f, before, &start);
        let pointer = f.add_param(l.header, Type::Ptr);
        pass(f, before, l.header, start);
        for &latch in &l.latches {
            let Some(last) = f.blocks[latch].insts.pop() else { continue };
            let step = factor.wrapping_mul(counter.step as i64);
            let next = edit::append(f, latch, f.locs[last], |ed| ed.offset(pointer, step));
            f.blocks[latch].insts.push(last);
            pass(f, latch, l.header, next);
        }
        let distances: BTreeMap<Inst, i64> =
            self.addresses.iter().map(|(inst, sum)| (*inst, sum.constant.wrapping_sub(constant))).collect();
        for &block in &l.blocks {
            let old = std::mem::take(&mut f.blocks[block].insts);
            for inst in old {
                if let Some(&distance) = distances.get(&inst) {
                    let data = InstData::Const { ty: Type::I64, value: distance as u64 };
                    let offset = f.append_value(block, data, f.locs[inst]);
                    f.set_inst(inst, InstData::PtrAdd { base: pointer, offset });
                }
                f.blocks[block].insts.push(inst);
            }
        }
    }
}

/// Instructions of the machine, roughly: what adds to a value that lives on copies it first.
fn taken(f: &Function, inst: Inst, hoist: &Hoist) -> usize {
    let lives_on = |v: Value| matches!(f.values[v].def, ValueDef::Param(..)) || !hoist.is_inside(f, v);
    match f.insts[inst] {
        // An access adds constants itself.
        InstData::PtrAdd { offset, .. } if f.constant(offset).is_some() => 0,
        InstData::PtrAdd { base, offset } => 1 + usize::from(lives_on(base) && lives_on(offset)),
        InstData::Binary { args: [a, b], .. } => {
            1 + usize::from(lives_on(a) && (lives_on(b) || f.constant(b).is_some()))
        }
        _ => 0,
    }
}

/// The parameters of the header that grow by a constant in each round, from a constant on.
fn counters(f: &Function, flow: &Flow, l: &Loop) -> BTreeMap<Value, Counter> {
    let mut counters = BTreeMap::new();
    for (index, &param) in f.blocks[l.header].params.iter().enumerate() {
        let (mut start, mut step) = (None, None);
        let mut simple = matches!(f.ty(param), Type::I32 | Type::I64);
        for &pred in &flow.preds[l.header] {
            for call in f.successors(pred).filter(|call| call.block == l.header) {
                let arg = call.args[index];
                let (place, found) = if l.latches.contains(&pred) {
                    (&mut step, widen::step(f, param, arg).map(|step| f.ty(param).sign_extend(step) as u64))
                } else {
                    (&mut start, f.constant(arg))
                };
                simple &= found.is_some_and(|found| *place.get_or_insert(found) == found);
            }
        }
        if let (true, Some(start), Some(step)) = (simple, start, step) {
            counters.insert(param, Counter { start, step });
        }
    }
    counters
}

/// What the loop tests for being equal to something, such as null.
fn tested(f: &Function, l: &Loop) -> BTreeSet<Value> {
    let mut tested = BTreeSet::new();
    for &inst in l.blocks.iter().flat_map(|&block| &f.blocks[block].insts) {
        if let InstData::Compare { op: Compare::Eq | Compare::Ne, args } = f.insts[inst] {
            tested.extend(args);
        }
    }
    tested
}

/// May the value be the context of a program, which nothing is added to?
fn is_context(f: &Function, value: Value) -> bool {
    let [context] = f.blocks[f.entry()].params[..] else { return false };
    Place::new(f, value, 0).root == Root::Other(context)
}

/// The one block that leads to a loop, and nowhere else; made if need be.
fn before(f: &mut Function, flow: &Flow, l: &Loop) -> Option<Block> {
    if let Some(before) = licm::entering(f, flow, l) {
        return Some(before);
    }
    let mut outside = flow.preds[l.header].iter().copied().filter(|pred| !l.blocks.contains(pred));
    let (pred, None) = (outside.next()?, outside.next()) else { return None };
    let last = f.terminator(pred)?;
    let (middle, loc) = (f.add_block(), f.locs[last]);
    let mut args = ThinVec::new();
    for call in f.insts.targets_mut(last).filter(|call| call.block == l.header) {
        args = std::mem::take(&mut call.args);
        call.block = middle;
    }
    f.append(middle, InstData::Jump { target: BlockCall { block: l.header, args } }, loc);
    // In the layout it follows where it is entered from.
    f.order.pop();
    let place = f.order.iter().position(|&block| block == pred).map_or(f.order.len(), |at| at + 1);
    f.order.insert(place, middle);
    Some(middle)
}

/// Computes a sum at the end of a block, before its jump.
fn materialise(f: &mut Function, block: Block, sum: &Sum) -> Value {
    let last = f.blocks[block].insts.pop();
    let loc = last.map_or(SrcLoc::NONE, |last| f.locs[last]);
    let address = edit::append(f, block, loc, |ed| {
        let (mut base, mut offset): (Option<Value>, Option<Value>) = (None, None);
        for (&value, &factor) in &sum.terms {
            // An address of an object may have been made within the loop.
            let data = ed.f.def(value).filter(|_| is_leaf(ed.f, value)).cloned();
            let value = data.map_or(value, |data| ed.emit(data));
            if ed.f.ty(value) == Type::Ptr {
                base = Some(value);
                continue;
            }
            let wide = ed.convert(ConvertOp::Zext, Type::I64, value);
            let term = if factor == 1 { wide } else { ed.binary_imm(BinaryOp::Mul, wide, factor as u64) };
            offset = Some(offset.map_or(term, |offset| ed.binary(BinaryOp::Add, offset, term)));
        }
        let base = base.expect("an address has a base");
        let base = offset.map_or(base, |offset| ed.emit(InstData::PtrAdd { base, offset }));
        ed.offset(base, sum.constant)
    });
    f.blocks[block].insts.extend(last);
    address
}

/// Passes one more value to a block.
fn pass(f: &mut Function, from: Block, to: Block, value: Value) {
    if let Some(last) = f.terminator(from) {
        for call in f.insts.targets_mut(last).filter(|call| call.block == to) {
            call.args.push(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    /// Adds up an array; `{start}` is where the counter starts.
    fn text(start: &str, extra: &str) -> String {
        format!(
            "function @f(ptr, ptr, i64) -> i64 {{\nblock0(v90: ptr, v0: ptr, v1: i64):\n  v2 = iconst.i64 0\n  \
             v3 = iconst.i64 1\n  v4 = iconst.i64 3\n  v5 = iconst.i64 100\n  jump block1({start}, v2)\n\
             block1(v6: i64, v7: i64):\n  v8 = shl v6, v4\n  v9 = ptr_add v0, v8\n  v10 = load.i64 v9 align 1\n  \
             v11 = add v7, v10\n  {extra}v12 = add v6, v3\n  v13 = icmp ult v12, v5\n  \
             br v13, block1(v12, v11), block2\nblock2:\n  return v11\n}}"
        )
    }

    #[test]
    fn an_address_moves_on_with_the_counter() {
        let out = after_pass("stride", &text("v2", ""));
        assert!(!out.contains("shl"), "{out}");
    }

    #[test]
    fn a_counter_that_starts_anywhere_stays() {
        let out = after_pass("stride", &text("v1", ""));
        assert!(out.contains("shl"), "{out}");
    }

    #[test]
    fn nothing_moves_on_in_a_loop_that_calls() {
        let out = after_pass("stride", &text("v2", "call helper 7()\n  "));
        assert!(out.contains("shl"), "{out}");
    }

    #[test]
    fn neighbours_share_a_pointer() {
        let more =
            "v20 = add v6, v3\n  v21 = shl v20, v4\n  v22 = ptr_add v0, v21\n  store v7, v22 align 1\n  ";
        let out = after_pass("stride", &text("v2", more));
        assert!(!out.contains("shl") && out.matches("ptr):").count() == 1, "{out}");
    }
}
