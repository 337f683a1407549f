//! calls: calls of one function on the ways to a join are one call.
//!
//! ```text
//! block1: v3 = call @f(v0, v1)   jump block3(v3)         block1: jump block4(v1)
//! block2: v4 = call @f(v0, v2)   jump block3(v4)    ->   block2: jump block4(v2)
//!                                                        block4(v5): v6 = call @f(v0, v5)   jump block3(v6)
//! ```
//!
//! This is what `BPF_KSYSCALL` is made of, whose arguments are found in two ways. Without this the function
//! would be inlined twice.
//! Preserves: the calls and their order on every path. Constants stay arguments, for inlining makes the most
//! of them.
//! The kernel's verifier still accepts: arguments that differ are numbers, also those that are cast to
//! pointers; pointers are the same value, so that nothing is accessed through one of two kinds.
//! Cost: linear in the calls before each join, of which the first [`CALLS`] count.

use std::collections::BTreeMap;

use super::Cx;
use crate::ir::{Block, BlockCall, Callee, ConvertOp, Function, Inst, InstData, SymbolId, Type, Value};

/// Calls before one join that are looked at.
const CALLS: usize = 8;

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    let mut changed = false;
    while let Some((ends, differ)) = twins(f, cx) {
        merge(f, &ends, &differ);
        changed = true;
    }
    changed
}

/// A call that is the last thing a block does.
#[derive(Clone, Copy)]
struct End {
    block: Block,
    call: Inst,
}

/// Two calls that can be one, and the arguments in which they differ.
fn twins(f: &Function, cx: &Cx<'_>) -> Option<([End; 2], Vec<usize>)> {
    let flow = f.flow_as_is();
    let loops = flow.loops();
    let mut groups: BTreeMap<(SymbolId, Option<Block>, Option<usize>), Vec<End>> = BTreeMap::new();
    for &block in &flow.rpo {
        let Some((end, symbol)) = end(f, block) else { continue };
        if !cx.func(symbol).is_some_and(|func| func.always_inline || (func.local && !func.noinline)) {
            continue;
        }
        let to = match f.terminator(block).map(|last| &f.insts[last]) {
            Some(InstData::Jump { target }) if !flow.dominates(target.block, block) => Some(target.block),
            Some(InstData::Return { .. }) => None,
            _ => continue,
        };
        let group = groups.entry((symbol, to, loops.innermost(block))).or_default();
        let twin = group.iter().find_map(|&other| Some((other, differences(f, other, end)?)));
        if let Some((other, differ)) = twin {
            return Some(([other, end], differ));
        }
        if group.len() < CALLS {
            group.push(end);
        }
    }
    None
}

/// The call of a function that is the last thing a block does.
fn end(f: &Function, block: Block) -> Option<(End, SymbolId)> {
    let (_, insts) = f.blocks[block].insts.split_last()?;
    let call = *insts.iter().rev().find(|&&inst| !matches!(f.insts[inst], InstData::Const { .. }))?;
    match f.insts[call] {
        InstData::Call { callee: Callee::Func(symbol), .. } => Some((End { block, call }, symbol)),
        _ => None,
    }
}

/// The arguments in which two calls differ, if they may, and if what follows differs in the results only.
fn differences(f: &Function, a: End, b: End) -> Option<Vec<usize>> {
    let (
        InstData::Call { args: x, callee: one, ret: first },
        InstData::Call { args: y, callee: other, ret: second },
    ) = (&f.insts[a.call], &f.insts[b.call])
    else {
        return None;
    };
    let constant = |v: Value| f.constant(v);
    let same = |p: Value, q: Value| p == q || (constant(p).is_some() && constant(p) == constant(q));
    let results = (f.result(a.call), f.result(b.call));
    let follows = |p: Value, q: Value| same(p, q) || (Some(p), Some(q)) == results;
    let (x_after, y_after) = (after(f, a.block), after(f, b.block));
    if (one, first, x.len()) != (other, second, y.len())
        || x_after.len() != y_after.len()
        || !x_after.iter().zip(&y_after).all(|(&p, &q)| follows(f.resolve(p), f.resolve(q)))
        || results.0.is_some_and(|result| is_used_beyond(f, result, a))
        || results.1.is_some_and(|result| is_used_beyond(f, result, b))
    {
        return None;
    }
    let pairs = x.iter().zip(y).map(|(&p, &q)| (f.resolve(p), f.resolve(q)));
    let differ: Vec<(usize, (Value, Value))> = pairs.enumerate().filter(|&(_, (p, q))| !same(p, q)).collect();
    let may =
        |&(_, (p, q)): &(usize, (Value, Value))| f.ty(p) == f.ty(q) && is_number(f, p) && is_number(f, q);
    differ.iter().all(may).then(|| differ.into_iter().map(|(index, _)| index).collect())
}

/// What the end of a block passes on or returns.
fn after(f: &Function, block: Block) -> Vec<Value> {
    let mut values = Vec::new();
    if let Some(last) = f.terminator(block) {
        f.insts[last].for_each_operand(|v| values.push(v));
    }
    values
}

/// Is a result used by more than the end of its block?
fn is_used_beyond(f: &Function, result: Value, end: End) -> bool {
    let last = f.terminator(end.block);
    let mut insts = f.order.iter().flat_map(|&block| &f.blocks[block].insts);
    insts.any(|&inst| {
        let mut uses = false;
        f.insts[inst].for_each_operand(|v| uses |= f.resolve(v) == result);
        uses && Some(inst) != last
    })
}

/// A number that is no constant, if only cast to a pointer.
fn is_number(f: &Function, value: Value) -> bool {
    match f.def(value) {
        Some(InstData::Const { .. }) => false,
        Some(InstData::Convert { op: ConvertOp::IntToPtr, .. }) => true,
        _ => f.ty(value) != Type::Ptr,
    }
}

/// Makes one call of two.
fn merge(f: &mut Function, ends: &[End; 2], differ: &[usize]) {
    let [first, second] = *ends;
    let shared = f.blocks.push(Default::default());
    let passed = |f: &Function, end: End| -> Vec<Value> {
        let InstData::Call { args, .. } = &f.insts[end.call] else { return Vec::new() };
        differ.iter().map(|&index| args[index]).collect()
    };
    let passed = [passed(f, first), passed(f, second)];
    let params: Vec<Value> = passed[0]
        .iter()
        .map(|&v| f.ty(v))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|ty| f.add_param(shared, ty))
        .collect();
    let insts = f.blocks[first.block].insts.clone();
    let at = insts.iter().position(|&inst| inst == first.call).unwrap_or(0);
    let mut copies: BTreeMap<Value, Value> = BTreeMap::new();
    // Constants of the first block are made again; all else that the call reads is known to both.
    for &inst in &insts[at..] {
        let mut data = f.insts[inst].clone();
        let is_call = inst == first.call;
        let mut number = 0;
        let mut constants = Vec::new();
        data.for_each_operand(|v| constants.push(v));
        for v in constants {
            if let (Some(bits), false) = (f.constant(v), copies.contains_key(&v)) {
                let copy = f.append_value(shared, InstData::Const { ty: f.ty(v), value: bits }, f.locs[inst]);
                copies.insert(v, copy);
            }
        }
        data.map_operands(|v| {
            let index = number;
            number += 1;
            match differ.iter().position(|&d| is_call && d == index) {
                Some(param) => params[param],
                None => copies.get(&v).copied().unwrap_or(v),
            }
        });
        f.set_inst(inst, data);
        f.blocks[shared].insts.push(inst);
    }
    for (end, args) in [first, second].into_iter().zip(passed) {
        let insts = &mut f.blocks[end.block].insts;
        let at = insts.iter().position(|&inst| inst == end.call).unwrap_or(insts.len());
        insts.truncate(at);
        let loc = f.locs[end.call];
        f.append(end.block, InstData::Jump { target: BlockCall { block: shared, args: args.into() } }, loc);
    }
    let place = f.order.iter().position(|&block| block == second.block).map_or(f.order.len(), |at| at + 1);
    f.order.insert(place, shared);
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    const TEXT: &str = "func @f(ptr, i64) -> i32 local always_inline\nfunc @top(ptr, i64) -> i32 keep\n\
        function @top(ptr, i64) -> i32 {\nblock0(v0: ptr, v1: i64):\n  v2 = load.i32 v0 align 4\n\
          v3 = iconst.i32 0\n  v4 = icmp eq v2, v3\n  br v4, block1, block2\n\
        block1:\n  v5 = call @f(v0, v1) -> i32\n  jump block3(v5)\n\
        block2:\n  v6 = load.i64 v0 align 8\n  v7 = call @f(v0, v6) -> i32\n  jump block3(v7)\n\
        block3(v8: i32):\n  return v8\n}";

    #[test]
    fn calls_on_the_ways_to_a_join_are_one() {
        let out = after_pass("calls", TEXT);
        assert_eq!(out.matches("call @f").count(), 1, "{out}");
    }

    #[test]
    fn constants_and_pointers_stay_apart() {
        let out = after_pass("calls", &TEXT.replace("v6 = load.i64 v0 align 8", "v6 = iconst.i64 7"));
        assert_eq!(out.matches("call @f").count(), 2, "{out}");
        let pointers = TEXT.replace("i64) -> i32", "ptr) -> i32").replace("v1: i64", "v1: ptr");
        let out = after_pass("calls", &pointers.replace("v6 = load.i64", "v6 = load.ptr"));
        assert_eq!(out.matches("call @f").count(), 2, "{out}");
    }
}
