//! sccp: constants are propagated along the edges that can be taken.
//!
//! ```text
//! block1(v1: i32):      ; from block0 with 0, from block3 with v9
//!   v2 = icmp eq v1, 0
//!   br v2, block2, block3     ; block3 would pass another value, but it is never reached
//! ```
//!
//! Optimistic: a value is taken for a constant, and a block for unreachable, until the opposite is
//! shown. So a flag that starts as 0 and is only changed when it is 1 is found to be constant.
//! Preserves: everything; CO-RE values are never constants.
//! The kernel's verifier still accepts: values become constants, comparisons of them decided.
//! Cost: linear for each round of a loop. Each value changes its state at most twice, and only what a jump back
//! changes takes another round, in which what varies is not looked at; loops that follow each other do not wait for
//! each other.

use std::sync::Arc;

use super::Cx;
use super::edit::{self, Edit};
use super::simplify::evaluate;
use crate::ir::flow::{Flow, goes_back};
use crate::ir::{Arena, Block, Function, Inst, InstData, SrcLoc, Value};

/// Runs the pass.
pub fn run(f: &mut Function, _: &Cx<'_>) -> bool {
    if !may_find(f) {
        return false;
    }
    let mut state = State {
        values: Arena::filled(&f.values, Lattice::Unknown),
        reached: Arena::filled(&f.blocks, false),
        flow: f.flow(),
        again: Arena::filled(&f.blocks, false),
    };
    let entry = f.entry();
    for &param in &f.blocks[entry].params {
        state.values[param] = Lattice::Varies;
    }
    state.reached[entry] = true;
    state.solve(f);
    apply(f, &state)
}

/// Could anything be constant that `simplify` does not see? Without cycles that begins with a branch on a constant,
/// or with a parameter to which all edges pass the same one.
fn may_find(f: &Function) -> bool {
    if goes_back(f, &f.order) {
        return true;
    }
    let mut params = Arena::filled(&f.values, Lattice::Unknown);
    for &block in &f.order {
        let Some(last) = f.terminator(block) else { continue };
        if let InstData::Branch { cond: value, .. } | InstData::Switch { value, .. } = f.insts[last]
            && f.constant(value).is_some()
        {
            return true;
        }
        for call in f.insts[last].targets() {
            for (&param, &arg) in f.blocks[call.block].params.iter().zip(&call.args) {
                let new = f.constant(arg).map_or(Lattice::Varies, Lattice::Constant);
                params[param] = params[param].join(new);
            }
        }
    }
    params.values().any(|param| matches!(param, Lattice::Constant(_)))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lattice {
    /// Nothing has been seen yet.
    Unknown,
    Constant(u64),
    Varies,
}

impl Lattice {
    fn join(self, new: Lattice) -> Lattice {
        match (self, new) {
            (Lattice::Unknown, new) => new,
            (old, Lattice::Unknown) => old,
            (Lattice::Constant(a), Lattice::Constant(b)) if a == b => self,
            (Lattice::Constant(_) | Lattice::Varies, Lattice::Constant(_) | Lattice::Varies) => {
                Lattice::Varies
            }
        }
    }
}

struct State {
    values: Arena<Value, Lattice>,
    reached: Arena<Block, bool>,
    flow: Arc<Flow>,
    /// A jump back has changed something at the start of the block.
    again: Arena<Block, bool>,
}

impl State {
    fn solve(&mut self, f: &Function) {
        let flow = Arc::clone(&self.flow);
        // Where a block jumps back to.
        let back = |at: usize| {
            let targets = f.successors(flow.rpo[at]).filter_map(|call| flow.order(call.block));
            targets.map(|to| to as usize).filter(move |&to| to <= at)
        };
        // By block, in order: the last one that jumps back to it.
        let mut last = vec![0; flow.rpo.len()];
        for at in 0..flow.rpo.len() {
            back(at).for_each(|to| last[to] = at);
        }
        let mut at = 0;
        while let Some(&block) = flow.rpo.get(at) {
            self.again[block] = false;
            if self.reached[block] {
                f.blocks[block].insts.iter().for_each(|&inst| self.visit(f, block, inst));
            }
            // All that jumps back to a block does so before it is looked at again.
            let again = back(at).filter(|&to| last[to] == at && self.again[flow.rpo[to]]).min();
            at = again.unwrap_or(at + 1);
        }
    }

    fn visit(&mut self, f: &Function, block: Block, inst: Inst) {
        let data = &f.insts[inst];
        if data.is_terminator() {
            return self.terminator(f, block, data);
        }
        let Some(result) = f.result(inst).filter(|&result| self.values[result] != Lattice::Varies) else {
            return;
        };
        let new = if data.is_pure() { self.compute(f, data) } else { Lattice::Varies };
        self.values[result] = self.values[result].join(new);
    }

    fn compute(&self, f: &Function, data: &InstData) -> Lattice {
        let constant = |v: Value| match self.values[v] {
            Lattice::Constant(bits) => Some(bits),
            Lattice::Unknown | Lattice::Varies => None,
        };
        let (mut unknown, mut all_vary) = (false, true);
        data.for_each_operand(|v| {
            unknown |= self.values[v] == Lattice::Unknown;
            all_vary &= self.values[v] == Lattice::Varies;
        });
        // Of operands that vary nothing is constant but a comparison of one with itself.
        let tells = !all_vary || matches!(data, InstData::Const { .. } | InstData::Compare { .. });
        let result = tells.then(|| evaluate(f, data, &constant)).flatten();
        match result {
            Some(bits) => Lattice::Constant(bits),
            None if unknown => Lattice::Unknown,
            None => Lattice::Varies,
        }
    }

    /// Is a parameter of the block a constant, or a result that is computed there?
    fn finds_constants(&self, f: &Function, block: Block) -> bool {
        let constant = |v: Value| matches!(self.values[v], Lattice::Constant(_));
        let data = &f.blocks[block];
        self.reached[block]
            && (data.params.iter().any(|&param| constant(param))
                || data.insts.iter().any(|&inst| {
                    f.result(inst).is_some_and(constant) && !matches!(f.insts[inst], InstData::Const { .. })
                }))
    }

    fn terminator(&mut self, f: &Function, block: Block, data: &InstData) {
        let targets = data.targets();
        let only = |index: usize| index..index + 1;
        let taken = match data {
            InstData::Branch { cond, .. } => match self.values[*cond] {
                Lattice::Unknown => return,
                Lattice::Constant(bit) => only(usize::from(bit & 1 == 0)),
                Lattice::Varies => 0..2,
            },
            InstData::Switch { value, cases, .. } => match self.values[*value] {
                Lattice::Unknown => return,
                Lattice::Constant(bits) => {
                    only(cases.iter().position(|c| (c.lo..=c.hi).contains(&bits)).unwrap_or(cases.len()))
                }
                Lattice::Varies => 0..targets.len(),
            },
            _ => 0..targets.len(),
        };
        for index in taken {
            let call = &targets[index];
            let mut changed = !std::mem::replace(&mut self.reached[call.block], true);
            for (&param, &arg) in f.blocks[call.block].params.iter().zip(&call.args) {
                let joined = self.values[param].join(self.values[arg]);
                changed |= std::mem::replace(&mut self.values[param], joined) != joined;
            }
            self.again[call.block] |= changed && self.flow.order(call.block) <= self.flow.order(block);
        }
    }
}

fn apply(f: &mut Function, state: &State) -> bool {
    let mut changed = false;
    if !f.order.iter().any(|&block| state.finds_constants(f, block)) {
        return false;
    }
    let preds = f.predecessors();
    // Parameters that are constant: their uses become constants of the block.
    for block in f.order.clone() {
        if !state.reached[block] || block == f.entry() {
            continue;
        }
        for param in f.blocks[block].params.clone() {
            if let Lattice::Constant(value) = state.values[param] {
                let ty = f.ty(param);
                let inst = f.make_inst(InstData::Const { ty, value }, SrcLoc::NONE);
                f.blocks[block].insts.insert(0, inst);
                let Some(with) = f.result(inst) else { continue };
                super::ssa::drop_param(f, &preds[block], block, param);
                f.replace(param, with);
                changed = true;
            }
        }
    }
    if changed {
        f.resolve_aliases();
    }
    let folded = edit::rewrite(f, |ed, inst| {
        let constant = |v: Value| match state.values.get(v) {
            Some(Lattice::Constant(bits)) => Some(*bits),
            _ => None,
        };
        let is_const = |ed: &edit::Editor<'_>| matches!(ed.f.insts[inst], InstData::Const { .. });
        if let Some(result) = ed.f.result(inst)
            && let Some(bits) = constant(result)
            && !is_const(ed)
            && ed.f.insts[inst].is_pure()
        {
            let ty = ed.f.ty(result);
            return Edit::Replace(ed.iconst(ty, bits));
        }
        Edit::Keep
    });
    changed | folded
}
