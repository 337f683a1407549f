//! cfg: the graph of blocks becomes simple.
//!
//! ```text
//!   br v1, block1, block2 ; v1 = true          jump block1
//! block3:                                 ->   (block3 is gone: its predecessors jump to block4)
//!   jump block4(v2)
//! ```
//!
//! Branches on constants become jumps; unreachable blocks go; a block and its only successor merge;
//! jumps to a block that only jumps go straight on; parameters that are always the same value go;
//! a branch whose two edges do the same becomes a jump; blocks that only return the same constant are
//! one; nothing follows a call that never returns.
//! Preserves: the sequence of effects on every path. Wishes for unrolling stay with their header.
//! The kernel's verifier still accepts: only paths that no execution takes disappear.
//! Cost: linear for each round, few rounds.

use thin_vec::ThinVec;

use super::Cx;
use super::ssa::drop_param;
use crate::ir::flow::{goes_down, reverse_post_order};
use crate::ir::{Arena, Block, BlockCall, Callee, Function, InstData, Intrinsic, Unroll, Value, ValueDef};

/// Each looks first whether there is anything for it to do.
const RULES: &[fn(&mut Function) -> bool] =
    &[fold_terminators, remove_unreachable, remove_params, go_straight, merge_chains];

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    let mut changed = cut_after_noreturn(f, cx);
    // Rules in turn that have found nothing since the last change.
    let mut idle = 0;
    for rule in RULES.iter().cycle() {
        if idle == RULES.len() || f.order.len() == 1 {
            break;
        }
        idle = if rule(f) { 0 } else { idle + 1 };
        changed |= idle == 0;
    }
    changed
}

/// Takes blocks that control never reaches out of the layout.
pub fn remove_unreachable(f: &mut Function) -> bool {
    if f.order.len() == 1 || goes_down(f) {
        return false;
    }
    let mut reachable = Arena::filled(&f.blocks, false);
    for block in reverse_post_order(f) {
        reachable[block] = true;
    }
    let before = f.order.len();
    f.order.retain(|&block| reachable[block]);
    f.order.len() != before
}

/// Nothing happens after a call that does not return, or after a trap.
fn cut_after_noreturn(f: &mut Function, cx: &Cx<'_>) -> bool {
    let mut changed = false;
    for at in 0..f.order.len() {
        let block = f.order[at];
        let ends = |data: &InstData| match data {
            InstData::Call { callee: Callee::Func(symbol), .. } => {
                cx.func(*symbol).is_some_and(|func| func.noreturn)
            }
            InstData::Intrinsic { op: Intrinsic::Trap, .. } => true,
            _ => false,
        };
        let Some(at) = f.blocks[block].insts.iter().position(|&inst| ends(&f.insts[inst])) else { continue };
        let last = f.blocks[block].insts.len() - 1;
        if at + 2 > last && matches!(f.terminator(block).map(|t| &f.insts[t]), Some(InstData::Unreachable)) {
            continue;
        }
        let loc = f.locs[f.blocks[block].insts[at]];
        f.blocks[block].insts.truncate(at + 1);
        f.append(block, InstData::Unreachable, loc);
        changed = true;
    }
    changed
}

/// Folds branches and switches that have one way to go.
fn fold_terminators(f: &mut Function) -> bool {
    let mut changed = false;
    for at in 0..f.order.len() {
        let block = f.order[at];
        let Some(inst) = f.terminator(block) else { continue };
        let dead = |f: &Function, call: &BlockCall| {
            f.blocks[call.block].insts.first().is_some_and(|&i| matches!(f.insts[i], InstData::Unreachable))
        };
        let new = match &f.insts[inst] {
            InstData::Branch { cond, then, els } => match f.constant(*cond) {
                Some(bit) => {
                    Some(InstData::Jump { target: if bit & 1 == 1 { then.clone() } else { els.clone() } })
                }
                None if alike(f, then, els) || dead(f, els) => Some(InstData::Jump { target: then.clone() }),
                None if dead(f, then) => Some(InstData::Jump { target: els.clone() }),
                None => None,
            },
            InstData::Switch { value, cases, default } => match f.constant(*value) {
                Some(bits) => {
                    let case = cases.iter().find(|case| (case.lo..=case.hi).contains(&bits));
                    Some(InstData::Jump { target: case.map_or(default, |case| &case.target).clone() })
                }
                None if cases.iter().any(|case| case.target == *default) || cases.is_empty() => {
                    let cases: ThinVec<_> =
                        cases.iter().filter(|case| case.target != *default).cloned().collect();
                    Some(match cases.is_empty() {
                        true => InstData::Jump { target: default.clone() },
                        false => InstData::Switch { value: *value, cases, default: default.clone() },
                    })
                }
                None => None,
            },
            _ => None,
        };
        if let Some(new) = new {
            f.set_inst(inst, new);
            changed = true;
        }
    }
    changed
}

/// Do two edges lead to the same block with the same values?
fn alike(f: &Function, a: &BlockCall, b: &BlockCall) -> bool {
    let same = |(&x, &y): (&Value, &Value)| x == y || f.constant(x).is_some_and(|c| f.constant(y) == Some(c));
    a.block == b.block && a.args.iter().zip(&b.args).all(same)
}

/// Passes by blocks that do nothing, and those that only return what another returns.
fn go_straight(f: &mut Function) -> bool {
    let changed = skip_empty_blocks(f) | share_returns(f);
    if changed {
        remove_unreachable(f);
    }
    changed
}

/// Leads all edges to blocks that only return the same constant to one of them.
fn share_returns(f: &mut Function) -> bool {
    let mut returns: Vec<(Option<u64>, Block)> = Vec::new();
    for &block in f.order.iter().skip(1) {
        let data = &f.blocks[block];
        let (Some((&last, others)), []) = (data.insts.split_last(), &data.params[..]) else { continue };
        let InstData::Return { value } = &f.insts[last] else { continue };
        let constant = value.and_then(|v| f.constant(v));
        if constant.is_some() == value.is_some()
            && others.iter().all(|&inst| matches!(f.insts[inst], InstData::Const { .. }))
        {
            returns.push((constant, block));
        }
    }
    // Of those that return the same, the first in the layout stays the first.
    returns.sort_by_key(|&(constant, _)| constant);
    if returns.windows(2).all(|pair| pair[0].0 != pair[1].0) {
        return false;
    }
    let mut twin: Arena<Block, Option<Block>> = Arena::filled(&f.blocks, None);
    for alike in returns.chunk_by(|one, other| one.0 == other.0) {
        let (constant, kept) = alike[0];
        alike[1..].iter().for_each(|&(_, block)| twin[block] = Some(kept));
        // The constant may come from a block that is not on the way from all of them.
        let Some(last) = f.terminator(kept) else { continue };
        if let (Some(constant), InstData::Return { value: Some(value) }) = (constant, &f.insts[last]) {
            let data = InstData::Const { ty: f.ty(*value), value: constant };
            let own = f.make_inst(data, f.locs[last]);
            f.set_inst(last, InstData::Return { value: f.result(own) });
            f.blocks[kept].insts = vec![own, last];
        }
    }
    for &block in &f.order {
        if let Some(&last) = f.blocks[block].insts.last() {
            for call in f.insts.targets_mut(last) {
                call.block = twin[call.block].unwrap_or(call.block);
            }
        }
    }
    true
}

/// Replaces parameters to which all edges pass the same value, and equal parameters of a block.
fn remove_params(f: &mut Function) -> bool {
    let mut changed = false;
    // What the edges into a block pass, edge by edge.
    let mut passed: Vec<Value> = Vec::new();
    while may_be_passed_alike(f) {
        let preds = f.predecessors();
        let mut here = false;
        for at in 1..f.order.len() {
            let block = f.order[at];
            arguments(f, &preds[block], block, &mut passed);
            let mut index = 0;
            while let Some(&param) = f.blocks[block].params.get(index) {
                match same_as(&passed, &f.blocks[block].params, index) {
                    Some(value) => {
                        drop_param(f, &preds[block], block, param);
                        f.replace(param, value);
                        arguments(f, &preds[block], block, &mut passed);
                        here = true;
                    }
                    None => index += 1,
                }
            }
        }
        if !here {
            break;
        }
        f.resolve_aliases();
        changed = true;
    }
    changed
}

/// The value that a parameter always is: what all edges pass, or a parameter before it that is passed the same.
fn same_as(passed: &[Value], params: &[Value], index: usize) -> Option<Value> {
    let column = |index: usize| passed.iter().skip(index).step_by(params.len());
    let mut others = column(index).filter(|&&arg| arg != params[index]);
    let first = *others.next()?;
    if others.all(|&arg| arg == first) {
        return Some(first);
    }
    (0..index).find(|&before| column(before).eq(column(index))).map(|before| params[before])
}

/// May there be a parameter to which all edges pass the same value, or what they pass to another one of its block?
fn may_be_passed_alike(f: &Function) -> bool {
    #[derive(Clone, Copy)]
    enum Passed {
        Nothing,
        One(Value),
        Different,
    }
    if f.order.iter().skip(1).all(|&block| f.blocks[block].params.is_empty()) {
        return false;
    }
    let mut passed = Arena::filled(&f.values, Passed::Nothing);
    for call in f.order.iter().flat_map(|&block| f.successors(block)) {
        for (at, (&param, &arg)) in f.blocks[call.block].params.iter().zip(&call.args).enumerate() {
            match passed[param] {
                _ if arg == param => {}
                // What is alike on all edges is alike on the first.
                Passed::Nothing if call.args[..at].contains(&arg) => return true,
                Passed::Nothing => passed[param] = Passed::One(arg),
                Passed::One(other) if other != arg => passed[param] = Passed::Different,
                Passed::One(_) | Passed::Different => {}
            }
        }
    }
    let params = f.order.iter().flat_map(|&block| &f.blocks[block].params);
    params.into_iter().any(|&param| matches!(passed[param], Passed::One(_)))
}

/// Lists what each edge passes to a block.
fn arguments(f: &Function, preds: &[Block], block: Block, passed: &mut Vec<Value>) {
    passed.clear();
    if f.blocks[block].params.is_empty() {
        return;
    }
    let mut seen = None;
    for &pred in preds {
        // The jumps of one block are neighbours in the list.
        if seen.replace(pred) == Some(pred) {
            continue;
        }
        for call in f.successors(pred).filter(|call| call.block == block) {
            passed.extend(call.args.iter().map(|&arg| f.resolve(arg)));
        }
    }
}

/// Where a block that does nothing but jump leads, for given arguments.
fn forward(f: &Function, call: &BlockCall) -> Option<BlockCall> {
    let data = &f.blocks[call.block];
    let [only] = data.insts[..] else { return None };
    let InstData::Jump { target } = &f.insts[only] else { return None };
    if target.block == call.block || data.unroll != Unroll::Auto {
        return None;
    }
    let mut target = target.clone();
    for arg in &mut target.args {
        if let Some(at) = data.params.iter().position(|p| p == arg) {
            *arg = call.args[at];
        }
    }
    Some(target)
}

/// Does the block do nothing but jump?
fn only_jumps(f: &Function, block: Block) -> bool {
    matches!(f.blocks[block].insts[..], [only] if matches!(f.insts[only], InstData::Jump { .. }))
}

/// Sends jumps to empty blocks straight on.
fn skip_empty_blocks(f: &mut Function) -> bool {
    if !f.order.iter().any(|&block| only_jumps(f, block)) {
        return false;
    }
    // Parameters of an empty block must not be used beyond it.
    let mut used_elsewhere = Arena::filled(&f.blocks, false);
    if f.order.iter().any(|&block| !f.blocks[block].params.is_empty() && only_jumps(f, block)) {
        for &block in &f.order {
            for &inst in &f.blocks[block].insts {
                f.insts[inst].for_each_operand(|v| {
                    if let ValueDef::Param(home, _) = f.values[v].def
                        && home != block
                    {
                        used_elsewhere[home] = true;
                    }
                });
            }
        }
    }
    let mut changed = false;
    for at in 0..f.order.len() {
        let block = f.order[at];
        let Some(inst) = f.terminator(block) else { continue };
        if !f.insts[inst].targets().any(|call| only_jumps(f, call.block)) {
            continue;
        }
        let mut data = f.insts[inst].clone();
        for call in data.targets_mut() {
            // A chain of empty blocks may be a cycle.
            for _ in 0..f.order.len() {
                match forward(f, call) {
                    Some(next) if !used_elsewhere[call.block] && next.block != f.entry() => *call = next,
                    _ => break,
                }
            }
        }
        if data != f.insts[inst] {
            f.set_inst(inst, data);
            changed = true;
        }
    }
    changed
}

/// Appends a block to its only predecessor, if that goes nowhere else.
fn merge_chains(f: &mut Function) -> bool {
    let ways = f.ways_into_blocks();
    let mut changed = false;
    for at in 0..f.order.len() {
        let block = f.order[at];
        while let Some(last) = f.terminator(block) {
            let InstData::Jump { target } = &f.insts[last] else { break };
            let next = target.block;
            if ways[next] != 1 || next == block || next == f.entry() {
                break;
            }
            if f.blocks[next].unroll != Unroll::Auto && f.blocks[block].unroll != Unroll::Auto {
                break;
            }
            let args = target.args.clone();
            for (param, arg) in std::mem::take(&mut f.blocks[next].params).into_iter().zip(args) {
                f.replace(param, arg);
            }
            // Without instructions it is gone.
            let insts = std::mem::take(&mut f.blocks[next].insts);
            f.blocks[block].insts.pop();
            f.blocks[block].insts.extend(insts);
            changed = true;
        }
    }
    if changed {
        f.order.retain(|&block| !f.blocks[block].insts.is_empty());
        f.resolve_aliases();
    }
    changed
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    #[test]
    fn blocks_that_return_the_same_are_one() {
        let text = "function @f(i32) -> i32 {\nblock0(v0: i32):\n  v1 = iconst.i32 3\n  v2 = icmp ult v0, v1\n  \
            br v2, block1, block2\nblock1:\n  v3 = iconst.i32 1\n  return v3\nblock2:\n  v4 = iconst.i32 1\n  \
            return v4\n}";
        let out = after_pass("cfg", text);
        assert!(!out.contains("br v2") && out.matches("return").count() == 1, "{out}");
        let out = after_pass("cfg", &text.replace("v4 = iconst.i32 1", "v4 = iconst.i32 2"));
        assert_eq!(out.matches("return").count(), 2, "{out}");
    }

    #[test]
    fn a_block_that_only_itself_jumps_to_is_unreachable() {
        let text = "function @f(i32) -> i32 {\nblock0(v0: i32):\n  return v0\nblock1:\n  jump block1\n}";
        let out = after_pass("cfg", text);
        assert!(!out.contains("block1"), "{out}");
    }
}
