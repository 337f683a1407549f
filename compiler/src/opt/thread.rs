//! thread: an edge on which a branch is decided already goes to its target.
//!
//! ```text
//! block1:  jump block3(v1)   ; v1 = 0         block1:  jump block5
//! block2:  jump block3(v2)                    block2:  jump block3(v2)
//! block3(v3: i32):                      ->    block3(v3: i32): ...
//!   v4 = icmp eq v3, 0
//!   br v4, block5, block6
//! ```
//!
//! A branch on the way to the edge decides too, if it tests the same value: `if (p) release(p);` after some
//! `goto out`.
//! This is what `a && b`, `?:` and inlined functions that return a code leave behind. The block may
//! contain a few pure instructions and accesses of memory, which are copied for the edge.
//! The test of a loop whose first round is certain is passed by on the way in: the loop then tests at
//! its end, with one jump for each round.
//! Preserves: what happens on every path. Each loop keeps one entry.
//! The kernel's verifier still accepts: it would have found the same edge dead. Where not all edges decide, only
//! constants do: a null pointer goes where null pointers go, and any other pointer is tested as it was.
//! Cost: linear in the edges, times the size of the copied block, which is bounded, for each analysis. All edges
//! that have nothing to do with each other are threaded after one; a function is analysed again as long as there
//! are others, as often as its size allows.

use super::Cx;
use super::clone;
use super::dce;
use super::edit;
use super::simplify::convert::never_null;
use super::simplify::evaluate;
use crate::ir::flow::Flow;
use crate::ir::{Arena, Block, BlockCall, Compare, Function, InstData, Type, Unroll, Value};

/// Instructions of a block, besides constants, that are copied for an edge.
const COPIED: usize = 6;

/// Branches on the way to an edge that are asked what they found.
const BRANCHES: usize = 16;

/// Loads and stores among them.
const ACCESSES: usize = 2;

/// Analyses per run; what is found by one has nothing to do with each other.
const ANALYSES: usize = 64;

/// Instructions that the analyses of one run look at; larger functions have fewer analyses.
const LOOKED_AT: usize = 1_000_000;

/// Runs the pass.
pub fn run(f: &mut Function, _: &Cx<'_>) -> bool {
    let mut changed = false;
    for _ in 0..ANALYSES.min(2 + LOOKED_AT / edit::size(f).max(1)) {
        let found = candidates(f);
        if found.is_empty() {
            break;
        }
        thread(f, &found);
        changed = true;
    }
    if changed {
        dce::remove_unused(f);
    }
    changed
}

/// Blocks and the edges into them that decide their branches, with where they lead. No two of the blocks have
/// neighbours in common, so what was found of one is true when the others are passed by.
fn candidates(f: &mut Function) -> Vec<(Block, Vec<(Edge, usize)>)> {
    if !may_thread(f) {
        return Vec::new();
    }
    let flow = f.flow();
    let ways = Ways::new(f, &flow);
    let mut touched = Arena::filled(&f.blocks, false);
    let mut found: Vec<(Block, Vec<(Edge, usize)>)> = Vec::new();
    for &block in &flow.rpo {
        let Some(decided) = candidate(f, &ways, block) else { continue };
        let around = || {
            let preds = flow.preds[block].iter().copied();
            preds.chain(f.successors(block).map(|call| call.block)).chain([block])
        };
        if !around().any(|block| touched[block]) {
            around().for_each(|block| touched[block] = true);
            found.push((block, decided));
        }
    }
    for (block, decided) in &found {
        if flow.preds[*block].iter().any(|&pred| flow.is_back_edge(pred, *block)) {
            // The target of the entry becomes the header.
            let target = f.successors(*block)[decided[0].1].block;
            f.blocks[target].unroll = std::mem::take(&mut f.blocks[*block].unroll);
        }
    }
    found
}

/// Is there a small block with a branch that is entered in more than one way?
fn may_thread(f: &Function) -> bool {
    let ways = f.ways_into_blocks();
    f.order.iter().skip(1).any(|&block| ways[block] > 1 && branches(f, block))
}

/// Is the block small and does it end in a branch?
fn branches(f: &Function, block: Block) -> bool {
    let Some((&last, body)) = f.blocks[block].insts.split_last() else { return false };
    if !matches!(f.insts[last], InstData::Branch { .. } | InstData::Switch { .. }) {
        return false;
    }
    let (mut copied, mut accesses) = (0, 0);
    body.iter().all(|&inst| {
        let data = &f.insts[inst];
        let pure = data.is_pure();
        copied += usize::from(!matches!(data, InstData::Const { .. }));
        accesses += usize::from(!pure);
        copied <= COPIED
            && accesses <= ACCESSES
            && (pure || matches!(data, InstData::Load { .. } | InstData::Store { .. }))
    })
}

/// An edge: the block it leaves and its number among the jumps there.
type Edge = (Block, usize);

/// The edges into a block that decide its branch, and where they lead.
fn candidate(f: &Function, ways: &Ways<'_>, block: Block) -> Option<Vec<(Edge, usize)>> {
    let flow = ways.flow;
    if block == f.entry() || flow.preds[block].len() < 2 || !branches(f, block) {
        return None;
    }
    let has_effects = f.blocks[block].insts.iter().rev().skip(1).any(|&inst| !f.insts[inst].is_pure());
    let mut preds: Vec<Block> =
        flow.preds[block].iter().copied().filter(|&pred| !flow.is_back_edge(pred, block)).collect();
    let is_loop = preds.len() < flow.preds[block].len();
    preds.dedup();
    let calls = |pred: Block| f.successors(pred).enumerate().filter(|(_, call)| call.block == block);
    let edges: Vec<(Edge, &BlockCall)> =
        preds.iter().flat_map(|&pred| calls(pred).map(move |(index, call)| ((pred, index), call))).collect();
    let decide = |ways, &(edge, call): &(Edge, &BlockCall)| Some((edge, target(f, ways, edge, call)?));
    // What branches before the edge found out counts if nothing is left of the block then.
    let all: Option<Vec<(Edge, usize)>> = edges.iter().map(|edge| decide(Some(ways), edge)).collect();
    let decided = all.unwrap_or_else(|| edges.iter().filter_map(|edge| decide(None, edge)).collect());
    let partly = decided.len() < edges.len();
    if decided.is_empty() || (is_loop && (partly || has_effects)) {
        return None;
    }
    if is_loop && !may_rotate(f, flow, block, &decided) {
        return None;
    }
    Some(decided)
}

/// Does the loop, which tests at its start, become one that tests at its end?
fn may_rotate(f: &Function, flow: &Flow, header: Block, decided: &[(Edge, usize)]) -> bool {
    let loops = flow.loops();
    let Some(index) = loops.innermost(header).filter(|&i| loops.loops[i].header == header) else {
        return false;
    };
    let exits = |block: Block| f.successors(block).any(|call| !loops.contains(index, call.block));
    let targets = f.successors(header);
    let target = targets[decided[0].1].block;
    f.blocks[header].unroll != Unroll::Full
        && !matches!(f.blocks[header].unroll, Unroll::Count(_))
        && f.blocks[target].unroll == Unroll::Auto
        && exits(header)
        && !loops.loops[index].latches.iter().any(|&latch| exits(latch))
        && decided.iter().all(|&(_, to)| targets[to].block == target)
        && loops.contains(index, target)
        && target != header
        && flow.preds[target].len() == 1
}

/// The number of the jump that the block takes when it is entered this way; without `ways` only what is
/// passed counts.
fn target(f: &Function, ways: Option<&Ways<'_>>, edge: Edge, call: &BlockCall) -> Option<usize> {
    let data = &f.blocks[call.block];
    let before =
        |v: Value| data.params.iter().position(|&param| param == v).map_or(v, |index| call.args[index]);
    // Results of the few instructions of the block.
    let mut known: Vec<(Value, u64)> = Vec::new();
    let lookup = |known: &[(Value, u64)], v: Value| {
        let result = known.iter().find(|&&(result, _)| result == v);
        result.map(|&(_, bits)| bits).or_else(|| f.constant(before(v)))
    };
    for &inst in &data.insts {
        match &f.insts[inst] {
            InstData::Branch { cond, .. } => {
                let bit = lookup(&known, *cond).map(|bit| bit & 1 == 1);
                return bit.or_else(|| tested(f, ways?, edge, before(*cond))).map(|bit| usize::from(!bit));
            }
            InstData::Switch { value, cases, .. } => {
                let bits = lookup(&known, *value)?;
                return Some(cases.iter().position(|c| (c.lo..=c.hi).contains(&bits)).unwrap_or(cases.len()));
            }
            // `lookup` knows constants.
            InstData::Const { .. } => {}
            other => {
                let Some(result) = f.result(inst) else { continue };
                let bits = evaluate(f, other, &|v| lookup(&known, v)).or_else(|| match other {
                    InstData::Compare { op: op @ (Compare::Eq | Compare::Ne), args: [a, b] } => {
                        let equal = equals(f, ways, edge, before(*a), f.constant(*b)?)?;
                        Some(u64::from(equal == (*op == Compare::Eq)))
                    }
                    _ => None,
                });
                known.extend(bits.map(|bits| (result, bits)));
            }
        }
    }
    None
}

/// Is the value this constant on an edge? A branch on the way there may have found out.
fn equals(f: &Function, ways: Option<&Ways<'_>>, edge: Edge, value: Value, constant: u64) -> Option<bool> {
    if f.ty(value) == Type::Ptr && constant == 0 && never_null(f, value) {
        return Some(false);
    }
    let value = f.resolve(value);
    ways?.find(f, edge, |cond, taken| {
        let Some(InstData::Compare { op: op @ (Compare::Eq | Compare::Ne), args: [a, b] }) = f.def(cond)
        else {
            return None;
        };
        let same = f.resolve(*a) == value && f.constant(*b) == Some(constant);
        same.then_some(taken == (*op == Compare::Eq))
    })
}

/// What a condition is on an edge, if a branch on the way there has tested the same one.
fn tested(f: &Function, ways: &Ways<'_>, edge: Edge, condition: Value) -> Option<bool> {
    let condition = f.resolve(condition);
    ways.find(f, edge, |cond, taken| (f.resolve(cond) == condition).then_some(taken))
}

/// What branches find out on the ways to each block.
struct Ways<'a> {
    flow: &'a Flow,
    /// The condition of the only branch that leads to a block, and whether it holds there.
    into: Arena<Block, Option<(Value, bool)>>,
}

impl Ways<'_> {
    fn new<'a>(f: &Function, flow: &'a Flow) -> Ways<'a> {
        let mut into = Arena::filled(&f.blocks, None);
        for &block in &flow.rpo {
            if let [only] = flow.preds[block] {
                into[block] = f.branch(only).map(|(cond, then)| (cond, then == block));
            }
        }
        Ways { flow, into }
    }

    /// The first answer of a branch that every way to the edge passes; it is asked with its condition and whether
    /// that held.
    fn find(
        &self,
        f: &Function,
        (pred, index): Edge,
        ask: impl Fn(Value, bool) -> Option<bool>,
    ) -> Option<bool> {
        let at_edge = f.branch(pred).and_then(|(cond, _)| ask(cond, index == 0));
        let mut up = std::iter::successors(Some(pred), |&block| self.flow.idom(block)).take(BRANCHES);
        at_edge.or_else(|| up.find_map(|block| self.into[block].and_then(|(cond, taken)| ask(cond, taken))))
    }
}

/// Sends each edge to a copy of its block that jumps straight to the target.
fn thread(f: &mut Function, found: &[(Block, Vec<(Edge, usize)>)]) {
    let mut twins = clone::Twins::new(f);
    let mut placed = Vec::new();
    for (block, decided) in found {
        let mut made = Vec::new();
        for &((pred, index), target) in decided {
            let copy = twins.copy(f, &[*block])[block];
            if let Some(last) = f.terminator(copy) {
                let data = f.insts[last].clone();
                let call = data.targets()[target].clone();
                f.set_inst(last, InstData::Jump { target: call });
            }
            if let Some(last) = f.terminator(pred) {
                for call in f.insts.targets_mut(last).skip(index).take(1) {
                    call.block = copy;
                }
            }
            made.push(copy);
        }
        made.reverse();
        placed.push((*block, made));
    }
    clone::place(f, &placed);
    twins.repair(f);
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    #[test]
    fn a_null_pointer_goes_where_null_pointers_go() {
        let text = "function @f(ptr, i32) -> i32 {\nblock0(v0: ptr, v1: i32):\n  v2 = iconst.i32 3\n\
            v3 = icmp eq v1, v2\n  v4 = iconst.ptr 0\n  br v3, block1(v0), block1(v4)\n\
            block1(v5: ptr):\n  v6 = iconst.ptr 0\n  v7 = icmp eq v5, v6\n  br v7, block2, block3\n\
            block2:\n  return v1\nblock3:\n  v8 = load.i32 v5 align 1\n  return v8\n}";
        let out = after_pass("thread", text);
        assert!(out.contains("icmp eq v5") && !out.contains("block1(v4)"), "{out}");
    }

    #[test]
    fn a_branch_on_the_way_decides() {
        let text = "function @f(ptr, i32) -> i32 {\nblock0(v0: ptr, v1: i32):\n  v2 = call helper 1(v0) -> ptr\n\
            v3 = iconst.ptr 0\n  v4 = icmp eq v2, v3\n  br v4, block3, block1\n\
            block1:\n  v5 = iconst.i32 7\n  v6 = icmp eq v1, v5\n  br v6, block3, block2\n\
            block2:\n  store.i32 v1, v2 align 4\n  jump block3\n\
            block3:\n  v7 = icmp eq v2, v3\n  br v7, block5, block4\n\
            block4:\n  v8 = call helper 2(v2) -> i64\n  jump block5\nblock5:\n  return v1\n}";
        let out = after_pass("thread", text);
        assert_eq!(out.matches("  br ").count(), 2, "{out}");
        // Where one way does not know, all keep the test.
        let out = after_pass("thread", &text.replace("icmp eq v2, v3\n  br v4", "icmp eq v0, v3\n  br v4"));
        assert_eq!(out.matches("  br ").count(), 3, "{out}");
    }

    #[test]
    fn a_condition_is_tested_once() {
        let text = "function @f(i32, i32, ptr) -> i32 {\nblock0(v0: i32, v1: i32, v2: ptr):\n\
            v3 = icmp eq v0, v1\n  br v3, block1, block2\n\
            block1:\n  store.i32 v1, v2 align 4\n  jump block2\n\
            block2:\n  br v3, block3, block4\nblock3:\n  return v0\nblock4:\n  return v1\n}";
        let out = after_pass("thread", text);
        assert_eq!(out.matches("  br ").count(), 1, "{out}");
    }

    #[test]
    fn constant_edges_go_straight_on() {
        let text = "function @f(i32, i32) -> i32 {\nblock0(v0: i32, v1: i32):\n  v2 = iconst.i32 0\n\
            v3 = icmp eq v0, v2\n  br v3, block2(v2), block1\n\
            block1:\n  v4 = icmp ne v1, v2\n  v5 = zext.i32 v4\n  jump block2(v5)\n\
            block2(v6: i32):\n  v7 = icmp ne v6, v2\n  br v7, block3, block4\n\
            block3:\n  return v0\nblock4:\n  v8 = add v6, v1\n  return v8\n}";
        let out = after_pass("thread", text);
        assert!(!out.contains("block2(v2)"), "{out}");
    }
}
