//! widen: 32-bit loop counters that are used as 64-bit indexes become 64-bit counters.
//!
//! ```text
//! block1(v1: i32):                         block1(v9: i64):
//!   v2 = zext.i64 v1                         ; uses of v2 use v9
//!   ...                              ->      ...
//!   v3 = add v1, 1                           v3' = add v9, 1
//!   jump block1(v3)                          jump block1(v3')
//! ```
//!
//! Only counters of which [`super::range`] knows that they neither are negative nor overflow.
//! Comparisons of the counter with constants become comparisons of the 64-bit counter, other uses
//! take its lower half.
//! Preserves: the values. The kernel's verifier still accepts: the check is of the very value that
//! is added to a pointer, in all 64 bits.
//! Cost: linear.

use std::collections::BTreeMap;

use super::Cx;
use super::edit::{self, Edit, inst_blocks};
use super::range::Ranges;
use super::ssa::drop_param;
use crate::ir::flow::Flow;
use crate::ir::{Arena, BinaryOp, Block, ConvertOp, Function, Inst, InstData, SrcLoc, Type, Value, ValueDef};

/// Steps in which a round adds to its counter, at most.
const STEPS: usize = 16;

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    super::cfg::remove_unreachable(f);
    let flow = f.flow();
    let loops = flow.loops();
    if loops.loops.is_empty() {
        return false;
    }
    let ranges = cx.ranges(f);
    let (indexes, homes) = (indexes(f), inst_blocks(f));
    let mut counters = Vec::new();
    for l in &loops.loops {
        for &param in &f.blocks[l.header].params {
            if f.ty(param) == Type::I32
                && indexes[param]
                && let Some(steps) = steps(f, &flow, &ranges, &homes, l.header, param)
            {
                counters.push(Counter { header: l.header, param, steps });
            }
        }
    }
    if counters.is_empty() {
        return false;
    }
    widen(f, &flow, &counters);
    super::dce::remove_unused(f);
    true
}

/// The values that are extended to 64 bits somewhere.
fn indexes(f: &Function) -> Arena<Value, bool> {
    let mut indexes = Arena::filled(&f.values, false);
    for &inst in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
        if let InstData::Convert { op: ConvertOp::Zext | ConvertOp::Sext, ty: Type::I64, arg } = f.insts[inst]
        {
            indexes[arg] = true;
        }
    }
    indexes
}

/// A parameter of a loop's header that becomes wide.
struct Counter {
    header: Block,
    param: Value,
    /// What each edge passes, in the order of predecessors and their jumps.
    steps: Vec<Step>,
}

/// What an edge into the header passes.
#[derive(Clone, Copy)]
enum Step {
    /// Any value that is not negative.
    Start(Value),
    /// The counter plus this.
    Next(Value, u64),
}

/// What each edge passes; `None` if the counter is not simple or may overflow.
fn steps(
    f: &Function,
    flow: &Flow,
    ranges: &Ranges,
    homes: &Arena<Inst, Option<Block>>,
    header: Block,
    param: Value,
) -> Option<Vec<Step>> {
    let index = f.blocks[header].params.iter().position(|&p| p == param)?;
    if ranges.lowest(f, param, header) < 0 {
        return None;
    }
    let mut steps = Vec::new();
    let mut preds = flow.preds[header].to_vec();
    preds.dedup();
    for pred in preds {
        for call in f.successors(pred).filter(|call| call.block == header) {
            let arg = call.args[index];
            match step(f, param, arg) {
                Some(step) if arg != param => {
                    // Without overflow the sum is the sum in 64 bits.
                    let step = (step < 1 << 16).then_some(step)?;
                    let ValueDef::Inst(inst) = f.values[arg].def else { return None };
                    let home = homes[inst]?;
                    let most = ranges.highest(f, param, home).checked_add(step as i64)?;
                    (most <= i32::MAX.into()).then_some(())?;
                    steps.push(Step::Next(arg, step));
                }
                _ if !flow.is_back_edge(pred, header) && ranges.lowest(f, arg, pred) >= 0 => {
                    steps.push(Step::Start(arg));
                }
                _ => return None,
            }
        }
    }
    Some(steps)
}

/// What is added to a counter to make the next one, in one step or a few.
pub fn step(f: &Function, counter: Value, mut next: Value) -> Option<u64> {
    let mut sum = 0u64;
    for _ in 0..STEPS {
        if next == counter {
            return Some(sum & f.ty(counter).mask());
        }
        match *f.def(next)? {
            InstData::Binary { op: BinaryOp::Add, args: [x, c] } => {
                sum = sum.wrapping_add(f.constant(c)?);
                next = x;
            }
            _ => return None,
        }
    }
    None
}

fn widen(f: &mut Function, flow: &Flow, counters: &[Counter]) {
    // Lower halves and what they are halves of; sums of counters, and what they are summed from.
    let mut halves: BTreeMap<Value, Value> = BTreeMap::new();
    let mut sums: BTreeMap<Value, (Value, u64)> = BTreeMap::new();
    for counter in counters {
        let wide = f.add_param(counter.header, Type::I64);
        let data = InstData::Convert { op: ConvertOp::Trunc, ty: Type::I32, arg: wide };
        let low = f.make_inst(data, SrcLoc::NONE);
        f.blocks[counter.header].insts.insert(0, low);
        let Some(low) = f.result(low) else { return };
        drop_param(f, &flow.preds[counter.header], counter.header, counter.param);
        f.replace(counter.param, low);
        halves.insert(low, wide);
        sums.extend(counter.steps.iter().filter_map(|step| match *step {
            Step::Next(value, by) => Some((value, (wide, by))),
            Step::Start(_) => None,
        }));
    }
    let mut next: BTreeMap<Value, Value> = BTreeMap::new();
    edit::rewrite(f, |ed, inst| {
        if let Some(value) = ed.f.result(inst)
            && let Some(&(wide, by)) = sums.get(&value)
        {
            let sum = ed.binary_imm(BinaryOp::Add, wide, by);
            let half = ed.convert(ConvertOp::Trunc, Type::I32, sum);
            next.insert(value, sum);
            halves.insert(half, sum);
            return Edit::Replace(half);
        }
        match ed.f.insts[inst] {
            InstData::Convert { op: ConvertOp::Zext | ConvertOp::Sext, ty: Type::I64, arg } => {
                halves.get(&arg).map_or(Edit::Keep, |&wide| Edit::Replace(wide))
            }
            InstData::Compare { op, args: [x, c] } => {
                let limit = ed.f.constant(c).filter(|&bits| bits <= i32::MAX as u64);
                if let (Some(&wide), Some(bits)) = (halves.get(&x), limit) {
                    let limit = ed.iconst(Type::I64, bits);
                    ed.set(inst, InstData::Compare { op, args: [wide, limit] });
                }
                Edit::Keep
            }
            _ => Edit::Keep,
        }
    });
    for counter in counters {
        pass(f, flow, counter, &next);
    }
    f.resolve_aliases();
}

/// Passes what the wide counter is to the header.
fn pass(f: &mut Function, flow: &Flow, counter: &Counter, next: &BTreeMap<Value, Value>) {
    let header = counter.header;
    let mut preds = flow.preds[header].to_vec();
    preds.dedup();
    let mut steps = counter.steps.iter();
    for pred in preds {
        let Some(last) = f.blocks[pred].insts.pop() else { continue };
        let loc = f.locs[last];
        let calls = f.insts[last].targets().filter(|call| call.block == header).count();
        let mut args = Vec::new();
        for step in steps.by_ref().take(calls) {
            match step {
                Step::Start(value) => {
                    let value = f.resolve(*value);
                    args.push(edit::append(f, pred, loc, |ed| ed.convert(ConvertOp::Zext, Type::I64, value)));
                }
                Step::Next(value, _) => args.extend(next.get(value)),
            }
        }
        f.blocks[pred].insts.push(last);
        let mut args = args.into_iter();
        for call in f.insts.targets_mut(last).filter(|call| call.block == header) {
            call.args.extend(args.next());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    #[test]
    fn an_index_becomes_wide() {
        let text = "function @f(ptr) -> i32 {\nblock0(v0: ptr):\n  v1 = iconst.i32 0\n  jump block1(v1)\n\
            block1(v2: i32):\n  v3 = zext.i64 v2\n  v4 = ptr_add v0, v3\n  v5 = load.i8 v4 align 1\n  v6 = iconst.i32 1\n\
            v7 = add v2, v6\n  v8 = iconst.i32 9\n  v9 = icmp ult v7, v8\n  br v9, block1(v7), block2\n\
            block2:\n  return v7\n}";
        let out = after_pass("widen", text);
        assert!(!out.contains("zext.i64 v2") && out.contains("ult"), "{out}");
    }

    #[test]
    fn an_inner_counter_may_start_where_the_outer_one_is() {
        let text = "function @f(ptr) -> i32 {\nblock0(v0: ptr):\n  v1 = iconst.i32 0\n  v6 = iconst.i32 1\n\
            v8 = iconst.i32 9\n  jump block1(v1)\nblock1(v2: i32):\n  v3 = zext.i64 v2\n  v4 = ptr_add v0, v3\n\
            store v6, v4 align 1\n  jump block2(v2)\nblock2(v10: i32):\n  v11 = zext.i64 v10\n\
            v12 = ptr_add v0, v11\n  store v8, v12 align 1\n  v13 = add v10, v6\n  v14 = icmp ult v13, v8\n\
            br v14, block2(v13), block3\nblock3:\n  v7 = add v2, v6\n  v9 = icmp ult v7, v8\n\
            br v9, block1(v7), block4\nblock4:\n  return v7\n}";
        let out = after_pass("widen", text);
        assert!(!out.contains("zext.i64 v2") && !out.contains("zext.i64 v10"), "{out}");
    }
}
