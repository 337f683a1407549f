//! Constants for the end are there before the branch that leads to it.
//!
//! ```text
//! if r1 != 1 goto bb3                r0 = 0
//! if r2 != 2 goto bb3                if r1 != 1 goto bb4
//! r0 = 1                       =>    if r2 != 2 goto bb4
//! exit                               r0 = 1
//! bb3: r0 = 0                        bb4: exit
//!      exit
//! ```
//! A block that only puts a constant into a register and ends the function, or goes to where others go too,
//! goes: the constant is put there before the first branch to it, once, if nothing else needs the register on
//! the way.
//! The kernel's verifier still accepts: on each path the same constant is in the register where it is read,
//! and on the others nobody reads it.
//! Cost: linear, for regions and numbers of branches are bounded.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::flow::Flow;
use super::mir::{Block, Func, Inst, Op};
use super::peephole::is_known;
use crate::ir::Arena;

/// Blocks on the way from where the constant is put to where it is needed.
const REGION: usize = 24;

/// Branches to the block that goes.
const BRANCHES: usize = 16;

/// A set of machine registers, one bit each.
type Regs = u16;

/// Runs over a function with machine registers. Whether anything was put elsewhere.
pub fn run(func: &mut Func) -> bool {
    let is_candidate =
        |&block: &Block| matches!(func.blocks[block].insts[..], [first, _] if is_constant(&first));
    if !func.order.iter().any(is_candidate) {
        return false;
    }
    let mut preset = Preset::new(func);
    let mut changed = false;
    for block in preset.flow.rpo.clone() {
        if let Some((constant, to)) = preset.only_a_constant(block)
            && let Some(plan) = preset.plan(block, constant, to)
        {
            preset.carry_out(block, constant, &plan);
            changed = true;
        }
    }
    changed
}

/// Where a block goes that only makes a constant.
#[derive(Clone, Copy)]
enum To {
    End,
    Block(Block),
}

struct Plan {
    /// The constant is put before the end of this block, if anywhere.
    place: Option<Block>,
    /// The blocks that it is kept in after that.
    region: BTreeSet<Block>,
    to: Block,
}

struct Preset<'a> {
    flow: Rc<Flow>,
    preds: Arena<Block, Vec<Block>>,
    live_in: Arena<Block, Regs>,
    /// What a block reads, writes or destroys.
    touched: Arena<Block, Regs>,
    /// Blocks that return a value.
    ends: Vec<Block>,
    /// The block that does nothing else, once there is one.
    end: Option<Block>,
    func: &'a mut Func,
}

impl Preset<'_> {
    fn new(func: &mut Func) -> Preset<'_> {
        let flow = Flow::of(func);
        let (live_in, touched) = live_in(func, &flow);
        let returns = |&block: &Block| {
            func.blocks[block].insts.last().is_some_and(|inst| inst.op == (Op::Exit { value: true }))
        };
        let ends = flow.rpo.iter().copied().filter(returns).collect();
        let mut preds = Arena::new();
        for block in func.blocks.keys() {
            preds.push(flow.preds[block].to_vec());
        }
        Preset { preds, live_in, touched, ends, end: None, flow, func }
    }

    /// The constant that a block makes, and where it goes.
    fn only_a_constant(&self, block: Block) -> Option<(Inst, To)> {
        let [constant, last] = self.func.blocks[block].insts[..] else { return None };
        let Op::MovImm { dst, .. } = constant.op else { return None };
        if !is_constant(&constant) {
            return None;
        }
        match last.op {
            Op::Exit { value: true } if dst.index() == 0 && self.ends.len() > 1 => Some((constant, To::End)),
            Op::Jump { to } if Some(to) == self.end => (self.ends.len() > 1).then_some((constant, To::End)),
            Op::Jump { to } if to != block && self.saves_a_jump(block, to) => Some((constant, To::Block(to))),
            _ => None,
        }
    }

    /// Is there another block that can lie before the one that this block goes to?
    fn saves_a_jump(&self, block: Block, to: Block) -> bool {
        self.preds[to].iter().any(|&pred| {
            let last = self.func.blocks[pred].insts.last();
            pred != block && !self.flow.dominates(to, pred) && last.is_some_and(|i| i.op == (Op::Jump { to }))
        })
    }

    fn plan(&self, block: Block, constant: Inst, to: To) -> Option<Plan> {
        let Op::MovImm { dst, imm, .. } = constant.op else { return None };
        let preds = &self.preds[block];
        if preds.is_empty() || preds.len() > BRANCHES || self.flow.rpo.first() == Some(&block) {
            return None;
        }
        let branches = |pred: Block| {
            matches!(self.func.blocks[pred].insts.last().map(|inst| inst.op), Some(Op::Branch { .. }))
        };
        if !preds.iter().all(|&pred| branches(pred)) {
            return None;
        }
        let to = match to {
            To::Block(to) => to,
            To::End => self.end.unwrap_or(block),
        };
        let asking: Vec<Block> =
            preds.iter().copied().filter(|&pred| !is_known(self.func, pred, block, dst, imm)).collect();
        if asking.is_empty() {
            return Some(Plan { place: None, region: BTreeSet::new(), to });
        }
        let place = self.flow.common_dominator(&asking, REGION)?;
        if self.flow.depth(place) > self.flow.depth(block) {
            return None;
        }
        let region = self.region(place, &asking)?;
        let bit = 1 << dst.index();
        let last = self.func.blocks[place].insts.last()?;
        let (reads, writes) = reads_and_writes(last);
        let free = (reads | writes) & bit == 0
            && region.iter().all(|&at| (self.touched[at] | self.live_in[at]) & bit == 0)
            && !region.contains(&block)
            && region.iter().chain([&place]).all(|&at| {
                let mut next = self.func.successors(at);
                next.all(|next| next == block || region.contains(&next) || self.live_in[next] & bit == 0)
            });
        free.then_some(Plan { place: Some(place), region, to })
    }

    /// The blocks from which one of these is reached without passing `place`, itself not counted.
    fn region(&self, place: Block, from: &[Block]) -> Option<BTreeSet<Block>> {
        let mut region = BTreeSet::new();
        let mut work: Vec<Block> = from.iter().copied().filter(|&block| block != place).collect();
        while let Some(block) = work.pop() {
            if region.insert(block) {
                if region.len() > REGION {
                    return None;
                }
                work.extend(self.preds[block].iter().copied().filter(|&pred| pred != place));
            }
        }
        Some(region)
    }

    fn carry_out(&mut self, block: Block, constant: Inst, plan: &Plan) {
        let Op::MovImm { dst, .. } = constant.op else { return };
        let bit = 1 << dst.index();
        let mut to = plan.to;
        if to == block {
            to = self.lone_end();
        }
        self.ends.retain(|&end| end != block);
        if let Some(place) = plan.place {
            let insts = &mut self.func.blocks[place].insts;
            insts.insert(insts.len() - 1, constant);
            self.touched[place] |= bit;
        }
        plan.region.iter().for_each(|&at| self.live_in[at] |= bit);
        for pred in std::mem::take(&mut self.preds[block]) {
            if let Some(last) = self.func.blocks[pred].insts.last_mut() {
                last.op.map_successors(|next| if next == block { to } else { next });
            }
            self.preds[to].push(pred);
        }
        self.preds[to].retain(|&pred| pred != block);
    }

    /// The block that only ends; those that end otherwise go on to it.
    fn lone_end(&mut self) -> Block {
        if let Some(end) = self.end {
            return end;
        }
        let end = self.func.new_block();
        let Some(&like) = self.ends.first() else { return end };
        let last = self.func.blocks[like].insts.last().copied();
        self.func.blocks[end].insts.extend(last);
        self.func.order.push(end);
        self.preds.push(self.ends.clone());
        self.live_in.push(1);
        self.touched.push(1);
        for &block in &self.ends {
            if let Some(last) = self.func.blocks[block].insts.last_mut() {
                last.op = Op::Jump { to: end };
            }
        }
        self.end = Some(end);
        end
    }
}

fn is_constant(inst: &Inst) -> bool {
    matches!(inst.op, Op::MovImm { .. }) && inst.core.is_none()
}

/// What an instruction reads, and what it writes or destroys.
fn reads_and_writes(inst: &Inst) -> (Regs, Regs) {
    let (mut reads, mut writes) = (0, inst.op.clobbers());
    inst.op.for_each_reg(|reg, role| {
        reads |= Regs::from(role.reads()) << reg.index();
        writes |= Regs::from(role.writes()) << reg.index();
    });
    (reads, writes)
}

/// The machine registers that are live at the start of each block, and those that it reads, writes or destroys.
fn live_in(func: &Func, flow: &Flow) -> (Arena<Block, Regs>, Arena<Block, Regs>) {
    let mut exposed: Arena<Block, Regs> = Arena::filled(&func.blocks, 0);
    let mut written: Arena<Block, Regs> = Arena::filled(&func.blocks, 0);
    for &block in &flow.rpo {
        for inst in &func.blocks[block].insts {
            let (reads, writes) = reads_and_writes(inst);
            exposed[block] |= reads & !written[block];
            written[block] |= writes;
        }
    }
    let mut touched = Arena::filled(&func.blocks, 0);
    flow.rpo.iter().for_each(|&block| touched[block] = exposed[block] | written[block]);
    let mut live = exposed.clone();
    let mut changed = true;
    while changed {
        changed = false;
        for &block in flow.rpo.iter().rev() {
            let out = func.successors(block).fold(0, |all, next| all | live[next]);
            let new = exposed[block] | (out & !written[block]);
            changed |= new != live[block];
            live[block] = new;
        }
    }
    (live, touched)
}
