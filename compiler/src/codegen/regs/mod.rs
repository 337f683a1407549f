//! Register allocation: virtual registers become `r0` to `r9` or places in the frame.
//!
//! Iterated register coalescing (George and Appel) on an interference graph whose machine registers
//! are precoloured; calls make `r0` to `r5` interfere with everything that lives across them. What
//! gets no colour is rewritten and the graph is built again:
//!
//! 1. A constant or address is made again before the instructions that read it.
//! 2. Anything else lives in the frame: stored where it is written, and loaded once for each run
//!    of instructions without a call that reads it; then, if that is still too long, for each read.
//!
//! Every value in the frame is stored and loaded with all 64 bits, so the verifier keeps what it
//! knows of it. [`check`] proves an allocation right without knowing how it was made.

pub mod check;
mod coalesce;
mod commute;
mod graph;
mod late;
mod lists;
mod live;
mod share;
mod spill;

use std::rc::Rc;

pub use self::live::{LiveSet, Liveness};
use super::flow::Flow;
use super::mir::{Block, Func, Inst, Op, Reg};
use crate::ir::Arena;

/// An instruction on its way through allocation.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What it is now.
    pub inst: Inst,
    /// Its position in the block before allocation; `None` if allocation made it.
    pub origin: Option<u32>,
}

/// The code of a function on its way through allocation.
pub type Steps = Arena<Block, Vec<Step>>;

/// How often spilled code may be tried again; far more than any function needs.
const MAX_ROUNDS: usize = 64;

/// How often a register was split already.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Generation {
    /// As selected.
    Original,
    /// Lives within a run of instructions without calls.
    Run,
    /// Lives from one instruction to the next.
    Instant,
}

/// What is being allocated.
struct Work<'a> {
    func: &'a mut Func,
    flow: Rc<Flow>,
    steps: Steps,
    /// By register.
    generation: Vec<Generation>,
    /// How a temporary of a spilled register can be made again: its load from the frame.
    reload: Vec<Option<Op>>,
}

/// Brings selected code into the form that is allocated best. Returns what is live in it.
pub fn prepare(func: &mut Func) -> Liveness {
    let flow = Flow::of(func);
    share::run(func, &flow);
    let live = |func: &Func| {
        Liveness::new(func, &flow, func.regs, |block, name| {
            func.blocks[block].insts.iter().for_each(|inst| inst.op.for_each_reg(&mut *name));
        })
    };
    let before = live(func);
    let changed = commute::run(func, &flow, &before) | late::run(func, &flow, &before);
    if changed { live(func) } else { before }
}

/// Allocates registers in place, given what is live. Returns the steps with their origins, for [`check`], or
/// `None` when no allocation was found.
pub fn allocate(func: &mut Func, live: Liveness) -> Option<Steps> {
    let mut work = Work::new(func);
    let mut live = live;
    for _ in 0..MAX_ROUNDS {
        let graph = graph::Graph::new(&work, &live);
        let colouring = coalesce::colour(&work, graph);
        if colouring.spilled.is_empty() {
            work.assign(&colouring.colours);
            return Some(work.steps);
        }
        spill::rewrite(&mut work, &colouring);
        live = Liveness::new(work.func, &work.flow, work.func.regs, |block, name| {
            work.steps[block].iter().for_each(|step| step.inst.op.for_each_reg(&mut *name));
        });
    }
    None
}

impl<'a> Work<'a> {
    fn new(func: &'a mut Func) -> Work<'a> {
        let mut steps = Arena::filled(&func.blocks, Vec::new());
        for (block, data) in func.blocks.iter() {
            let numbered = data.insts.iter().enumerate();
            steps[block] = numbered.map(|(i, &inst)| Step { inst, origin: Some(i as u32) }).collect();
        }
        let flow = Flow::of(func);
        let generation = vec![Generation::Original; func.regs];
        let reload = vec![None; func.regs];
        Work { func, flow, steps, generation, reload }
    }

    /// A new temporary.
    fn temporary(&mut self, generation: Generation, reload: Option<Op>) -> Reg {
        let reg = self.func.new_reg();
        self.generation.push(generation);
        self.reload.push(reload);
        reg
    }

    /// Writes the colours into the instructions and drops moves that do nothing.
    fn assign(&mut self, colours: &[Option<Reg>]) {
        for block in self.steps.keys() {
            let steps = &mut self.steps[block];
            for step in steps.iter_mut() {
                step.inst.op.map_regs(|reg, _| colours[reg.index()].unwrap_or(reg));
            }
            steps.retain(|step| !matches!(step.inst.op, Op::Mov { dst, src } if dst == src));
            self.func.blocks[block].insts.clear();
            self.func.blocks[block].insts.extend(steps.iter().map(|step| step.inst));
        }
    }
}
