//! Rewriting of registers that got no colour.
//!
//! A spilled register has a home: an object in the frame, or an instruction that makes its value
//! again. Readers get temporaries. In the first generation one temporary serves all instructions up
//! to the next call; in the second it serves only the instruction after the one that made it.

use std::collections::BTreeMap;

use super::coalesce::Colouring;
use super::{Generation, Step, Work};
use crate::codegen::mir::{Addr, Inst, Object, ObjectData, Op, Reg, Role, Src};
use crate::ir::SrcLoc;
use skep_stdlib::isa::Size;

/// Where a spilled register's value comes from.
#[derive(Clone, Copy)]
enum Home {
    /// It is in the frame.
    Frame(Object),
    /// It is made again; the definitions that do so are dropped.
    Remade(Op),
}

struct Spill {
    home: Home,
    /// Of the temporaries.
    generation: Generation,
}

impl Spill {
    /// The instruction that brings the value into `dst`.
    fn fetch(&self, dst: Reg) -> Op {
        match self.home {
            Home::Frame(object) => load(object, dst),
            Home::Remade(mut op) => {
                op.map_regs(|reg, role| if role == Role::Def { dst } else { reg });
                op
            }
        }
    }
}

fn load(object: Object, dst: Reg) -> Op {
    Op::Load { size: Size::DW, signed: false, dst, addr: Addr::frame(object, 0) }
}

fn store(object: Object, src: Reg) -> Op {
    Op::Store { size: Size::DW, addr: Addr::frame(object, 0), src: Src::Reg(src) }
}

/// Replaces the registers without colour by temporaries.
pub fn rewrite(work: &mut Work<'_>, colouring: &Colouring) {
    let mut spills = Vec::new();
    let mut spill_of = vec![None; work.func.regs];
    for spilled in &colouring.spilled {
        for &reg in &spilled.members {
            spill_of[reg.index()] = Some(spills.len());
        }
        let young = spilled.members.iter().map(|reg| work.generation[reg.index()]).min();
        let generation = match young {
            Some(Generation::Original) | None => Generation::Run,
            Some(Generation::Run | Generation::Instant) => Generation::Instant,
        };
        let home = match spilled.remade {
            Some(op) => Home::Remade(op),
            None => Home::Frame(work.func.objects.push(ObjectData {
                size: 8,
                align: 8,
                name: String::new(),
                loc: SrcLoc::NONE,
                place: None,
            })),
        };
        spills.push(Spill { home, generation });
    }
    for block in work.steps.keys() {
        let steps = std::mem::take(&mut work.steps[block]);
        let mut rewriter = Rewriter {
            work,
            spills: &spills,
            spill_of: &spill_of,
            current: BTreeMap::new(),
            out: Vec::with_capacity(steps.len()),
        };
        for (index, step) in steps.into_iter().enumerate() {
            rewriter.step(index, step);
        }
        let out = rewriter.out;
        work.steps[block] = out;
    }
}

struct Rewriter<'a, 'w> {
    work: &'a mut Work<'w>,
    spills: &'a [Spill],
    /// By register.
    spill_of: &'a [Option<usize>],
    /// The temporary that holds a spilled value, and the last instruction that named it.
    current: BTreeMap<usize, (Reg, usize)>,
    out: Vec<Step>,
}

impl Rewriter<'_, '_> {
    fn spill(&self, reg: Reg) -> Option<usize> {
        self.spill_of.get(reg.index()).copied().flatten()
    }

    fn insert(&mut self, op: Op, loc: SrcLoc) {
        self.out.push(Step { inst: Inst { op, loc, core: None }, origin: None });
    }

    fn step(&mut self, index: usize, mut step: Step) {
        if self.is_move(index, &mut step) || self.is_remade(&step.inst.op) {
            return;
        }
        let loc = step.inst.loc;
        let mut stores = Vec::new();
        let mut op = step.inst.op;
        op.map_regs(|reg, role| {
            let Some(spill) = self.spill(reg) else { return reg };
            let temp = if role.reads() { self.temporary(spill, index, loc) } else { self.fresh(spill) };
            self.current.insert(spill, (temp, index));
            if let (true, Home::Frame(object)) = (role.writes(), self.spills[spill].home) {
                stores.push((object, temp));
            }
            temp
        });
        step.inst.op = op;
        let call = op.clobbers() != 0;
        self.out.push(step);
        for (object, temp) in stores {
            self.insert(store(object, temp), loc);
        }
        if call {
            self.current.clear();
        }
    }

    /// Moves from or to a home need no temporary.
    fn is_move(&mut self, index: usize, step: &mut Step) -> bool {
        let Op::Mov { dst, src } = step.inst.op else { return false };
        match (self.spill(dst), self.spill(src)) {
            (Some(to), Some(from)) if to == from => true,
            (None, Some(from)) if self.usable(from, index).is_none() => {
                step.inst.op = self.spills[from].fetch(dst);
                self.out.push(*step);
                true
            }
            (Some(to), None) => match self.spills[to].home {
                Home::Frame(object) => {
                    self.current.remove(&to);
                    step.inst.op = store(object, src);
                    self.out.push(*step);
                    true
                }
                Home::Remade(_) => false,
            },
            _ => false,
        }
    }

    /// Is this a definition that is done again at the readers instead?
    fn is_remade(&self, op: &Op) -> bool {
        let mut dropped = false;
        op.for_each_reg(|reg, role| {
            if role == Role::Def
                && let Some(spill) = self.spill(reg)
                && let Home::Remade(_) = self.spills[spill].home
            {
                dropped = self.spills[spill].fetch(reg) == *op;
            }
        });
        dropped
    }

    /// The temporary that still holds the value, if one does.
    fn usable(&self, spill: usize, index: usize) -> Option<Reg> {
        let &(temp, last) = self.current.get(&spill)?;
        let adjacent = index - last <= 1;
        (self.spills[spill].generation == Generation::Run || adjacent).then_some(temp)
    }

    fn fresh(&mut self, spill: usize) -> Reg {
        let Spill { home, generation } = &self.spills[spill];
        // A temporary that is spilled again is fetched again.
        let reload = match (*generation, *home) {
            (Generation::Run, Home::Frame(object)) => Some(load(object, Reg::from_index(0))),
            (Generation::Run, Home::Remade(op)) => Some(op),
            (Generation::Original | Generation::Instant, _) => None,
        };
        self.work.temporary(*generation, reload)
    }

    fn temporary(&mut self, spill: usize, index: usize, loc: SrcLoc) -> Reg {
        if let Some(temp) = self.usable(spill, index) {
            return temp;
        }
        let temp = self.fresh(spill);
        let op = self.spills[spill].fetch(temp);
        self.insert(op, loc);
        temp
    }
}
