//! Clean-up of allocated code: instructions whose effect is there already, or that nobody sees.
//!
//! ```text
//! r1 = *(u64 *)(spill)      r1 = *(u64 *)(spill)
//! *(u64 *)(spill) = r1                                 stores what is there
//! r2 = 0                    r2 = 0
//! if r0 == 0 goto bb1       if r0 == 0 goto bb2        r0 is 0 there
//! bb1: r0 = 0; goto bb2
//! ```
//! Only machine registers and spilled registers are looked at; memory of the program is left alone.
//! A register counts as equal to a constant only after a 64-bit comparison, because that is what the
//! kernel's verifier concludes too.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::bits::ones;
use super::flow::Flow;
use super::mir::{Base, Block, Func, Inst, Object, Op, Reg, Src};
use super::regs::Steps;
use crate::ir::{Arena, Entity};
use skep_stdlib::isa::{Cond, Size, Width};

/// Cleans up; the first `variables` objects are not spilled registers.
pub fn run(func: &mut Func, steps: &mut Steps, variables: usize) {
    let mut peephole = Peephole { flow: Flow::of(func), func, steps, variables };
    // Every round removes something; what is left after a few is not worth another.
    for _ in 0..4 {
        let known = peephole.drop_known();
        let dead = peephole.drop_dead();
        if !known && !dead {
            break;
        }
    }
    for block in peephole.func.blocks.keys() {
        peephole.func.blocks[block].insts = peephole.steps[block].iter().map(|step| step.inst).collect();
    }
    skip_known_constants(peephole.func);
}

/// A place whose content is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Register(Reg),
    Spill(Object),
}

/// What a cell contains.
#[derive(Clone, Copy, PartialEq)]
enum Content {
    /// The outcome of some instruction.
    Number(u32),
    /// What this instruction makes in `r0`.
    Made(Op),
}

/// Contents of cells; what is missing is unknown.
#[derive(Clone, Default)]
struct Contents {
    registers: [Option<Content>; Reg::FIRST_VIRTUAL as usize],
    spills: BTreeMap<Object, Content>,
}

impl Contents {
    fn get(&self, cell: Cell) -> Option<Content> {
        match cell {
            Cell::Register(reg) => self.registers[reg.index()],
            Cell::Spill(object) => self.spills.get(&object).copied(),
        }
    }

    fn set(&mut self, cell: Cell, content: Content) {
        match cell {
            Cell::Register(reg) => self.registers[reg.index()] = Some(content),
            Cell::Spill(object) => {
                self.spills.insert(object, content);
            }
        }
    }

    /// One cell gets what another contains, which is `fresh` if nothing is known of it.
    fn copy(&mut self, from: Cell, to: Cell, fresh: impl FnOnce() -> Content) {
        let content = self.get(from).unwrap_or_else(fresh);
        self.set(from, content);
        self.set(to, content);
    }
}

struct Peephole<'a> {
    flow: Rc<Flow>,
    func: &'a mut Func,
    steps: &'a mut Steps,
    variables: usize,
}

impl Peephole<'_> {
    /// The spilled register that an operation loads or stores.
    fn spill(&self, op: &Op) -> Option<Object> {
        match op {
            Op::Load { addr, .. } | Op::Store { addr, .. } => match addr.base {
                Base::Frame(object) if object.index() >= self.variables => Some(object),
                Base::Frame(_) | Base::Reg(_) => None,
            },
            _ => None,
        }
    }

    /// Drops copies to where the content is already. Contents are followed into blocks that have
    /// one predecessor.
    fn drop_known(&mut self) -> bool {
        let preds = self.func.predecessors();
        let mut ends: Arena<Block, Contents> = Arena::filled(&self.func.blocks, Contents::default());
        let mut numbers = 0;
        let mut changed = false;
        for block in self.flow.rpo.clone() {
            let mut contents = match &preds[block] {
                [only] if self.flow.reaches(*only) => ends[*only].clone(),
                _ => Contents::default(),
            };
            let steps = std::mem::take(&mut self.steps[block]);
            let mut kept = Vec::with_capacity(steps.len());
            for mut step in steps {
                let op = self.simplified(step.inst.op, &contents, step.inst.core.is_some());
                changed |= op != Some(step.inst.op);
                if let Some(op) = op {
                    step.inst.op = op;
                    self.learn(&step.inst, &mut contents, &mut numbers);
                    kept.push(step);
                }
            }
            self.steps[block] = kept;
            ends[block] = contents;
        }
        changed
    }

    /// The operation, a cheaper one, or none if its effect is there already.
    fn simplified(&self, op: Op, contents: &Contents, relocated: bool) -> Option<Op> {
        let has = |cell: Cell| contents.get(cell);
        match op {
            Op::Mov { dst, src } => {
                let same = has(Cell::Register(src)).is_some_and(|c| has(Cell::Register(dst)) == Some(c));
                (!same && dst != src).then_some(op)
            }
            Op::Load { dst, .. } => {
                let Some(content) = self.spill(&op).and_then(|object| has(Cell::Spill(object))) else {
                    return Some(op);
                };
                let holds = |reg: &Reg| has(Cell::Register(*reg)) == Some(content);
                match (0..10).map(Reg::from_index).find(holds) {
                    _ if holds(&dst) => None,
                    Some(src) => Some(Op::Mov { dst, src }),
                    None => Some(op),
                }
            }
            Op::Store { src: Src::Reg(src), .. } => {
                let stored = self.spill(&op).and_then(|object| has(Cell::Spill(object)));
                let same = stored.is_some() && stored == has(Cell::Register(src));
                (!same).then_some(op)
            }
            _ => match op.rematerialised() {
                Some(dst) if !relocated => {
                    (has(Cell::Register(dst)) != Some(Content::Made(made(op)))).then_some(op)
                }
                _ => Some(op),
            },
        }
    }

    fn learn(&self, inst: &Inst, contents: &mut Contents, numbers: &mut u32) {
        let op = inst.op;
        let fresh = || {
            *numbers += 1;
            Content::Number(*numbers)
        };
        match (op, self.spill(&op)) {
            (Op::Mov { dst, src }, _) => {
                contents.copy(Cell::Register(src), Cell::Register(dst), fresh);
            }
            (Op::Load { dst, .. }, Some(object)) => {
                contents.copy(Cell::Spill(object), Cell::Register(dst), fresh);
            }
            (Op::Store { src: Src::Reg(src), .. }, Some(object)) => {
                contents.copy(Cell::Register(src), Cell::Spill(object), fresh);
            }
            _ => {
                for reg in ones(&[op.clobbers().into()]) {
                    contents.registers[reg] = None;
                }
                op.for_each_reg(|reg, role| {
                    if role.writes() {
                        contents.registers[reg.index()] = None;
                    }
                });
                if let (Some(dst), None) = (op.rematerialised(), inst.core) {
                    contents.set(Cell::Register(dst), Content::Made(made(op)));
                }
            }
        }
    }

    /// Drops instructions whose results nobody reads.
    fn drop_dead(&mut self) -> bool {
        let spills = self.func.objects.len() - self.variables.min(self.func.objects.len());
        let words = (Reg::FIRST_VIRTUAL as usize + spills).div_ceil(64);
        let mut live_in: Arena<Block, Vec<u64>> = Arena::filled(&self.func.blocks, vec![0; words]);
        let mut changed = true;
        while changed {
            changed = false;
            for &block in self.flow.rpo.iter().rev() {
                let mut live = self.live_out(block, &live_in, words);
                for step in self.steps[block].iter().rev() {
                    self.effect(&step.inst.op, &mut live);
                }
                if live != live_in[block] {
                    live_in[block] = live;
                    changed = true;
                }
            }
        }
        let mut dropped = false;
        for block in self.flow.rpo.clone() {
            let mut live = self.live_out(block, &live_in, words);
            let mut kept = Vec::with_capacity(self.steps[block].len());
            for step in std::mem::take(&mut self.steps[block]).into_iter().rev() {
                if self.is_dead(&step.inst.op, &live) {
                    dropped = true;
                } else {
                    self.effect(&step.inst.op, &mut live);
                    kept.push(step);
                }
            }
            kept.reverse();
            self.steps[block] = kept;
        }
        dropped
    }

    fn live_out(&self, block: Block, live_in: &Arena<Block, Vec<u64>>, words: usize) -> Vec<u64> {
        let mut live = vec![0; words];
        for next in self.func.successors(block) {
            for (word, &more) in live.iter_mut().zip(&live_in[next]) {
                *word |= more;
            }
        }
        live
    }

    fn spill_bit(&self, object: Object) -> usize {
        Reg::FIRST_VIRTUAL as usize + object.index() - self.variables
    }

    /// From what is live after an instruction to what is live before it.
    fn effect(&self, op: &Op, live: &mut [u64]) {
        let clobbers = op.clobbers();
        live[0] &= !u64::from(clobbers);
        op.for_each_reg(|reg, role| {
            if role.writes() {
                set(live, reg.index(), false);
            }
        });
        op.for_each_reg(|reg, role| {
            if role.reads() {
                set(live, reg.index(), true);
            }
        });
        if let Some(object) = self.spill(op) {
            set(live, self.spill_bit(object), matches!(op, Op::Load { .. }));
        }
    }

    fn is_dead(&self, op: &Op, live: &[u64]) -> bool {
        let is_live = |bit: usize| live[bit / 64] >> (bit % 64) & 1 == 1;
        match *op {
            Op::Store { .. } => self.spill(op).is_some_and(|object| !is_live(self.spill_bit(object))),
            Op::Load { dst, .. } => self.spill(op).is_some() && !is_live(dst.index()),
            Op::Alu { dst, .. }
            | Op::Mov { dst, .. }
            | Op::Zext { dst, .. }
            | Op::MovImm { dst, .. }
            | Op::Imm64 { dst, .. }
            | Op::Symbol { dst, .. }
            | Op::Frame { dst, .. }
            | Op::FramePointer { dst }
            | Op::MovSx { dst, .. }
            | Op::CastSpace { dst, .. }
            | Op::Neg { dst, .. }
            | Op::Swap { dst, .. } => !is_live(dst.index()),
            Op::Atomic { .. }
            | Op::Call { .. }
            | Op::Asm { .. }
            | Op::AsmGoto { .. }
            | Op::Jump { .. }
            | Op::Branch { .. }
            | Op::End
            | Op::Exit { .. } => false,
        }
    }
}

fn set(bits: &mut [u64], bit: usize, on: bool) {
    let mask = 1 << (bit % 64);
    if on {
        bits[bit / 64] |= mask;
    } else {
        bits[bit / 64] &= !mask;
    }
}

/// The operation as it would be for `r0`.
fn made(mut op: Op) -> Op {
    op.map_regs(|_, _| Reg::from_index(0));
    op
}

/// A branch that is taken when a register is a constant need not go through a block that puts that
/// constant there.
fn skip_known_constants(func: &mut Func) {
    let preds = func.predecessors();
    for index in 0..func.order.len() {
        let block = func.order[index];
        for target in func.successors(block) {
            let Some(Op::MovImm { width: Width::W64, dst, imm }) =
                func.blocks[target].insts.first().map(|inst| inst.op)
            else {
                continue;
            };
            if !is_known(func, block, target, dst, imm) {
                continue;
            }
            if preds[target].len() == 1 {
                func.blocks[target].insts.remove(0);
            } else if let [_, Inst { op: Op::Jump { to }, .. }] = *func.blocks[target].insts.as_slice()
                && let Some(last) = func.blocks[block].insts.last_mut()
            {
                last.op.map_successors(|next| if next == target { to } else { next });
            }
        }
    }
}

/// Does the verifier know on the edge between two blocks that a register is this constant?
pub fn is_known(func: &Func, block: Block, target: Block, reg: Reg, constant: i32) -> bool {
    let insts = &func.blocks[block].insts;
    let Some(&Inst {
        op: Op::Branch { width: Width::W64, cond, dst, src: Src::Imm(imm), then, els }, ..
    }) = insts.last()
    else {
        return false;
    };
    let edge = match cond {
        Cond::Eq => then,
        Cond::Ne => els,
        _ => return false,
    };
    let same = then != els && edge == target && (dst, imm) == (reg, constant);
    same && !(imm == 0 && may_be_loaded_pointer(insts, dst))
}

/// May the register hold a pointer that was loaded from memory? If it points into the kernel, the
/// verifier does not believe that it is 0 where a comparison says so: it stays a pointer there.
fn may_be_loaded_pointer(insts: &[Inst], reg: Reg) -> bool {
    let writer = insts.iter().rev().find(|inst| {
        let mut writes = inst.op.clobbers() & (1 << reg.index()) != 0;
        inst.op.for_each_reg(|of, role| writes |= of == reg && role.writes());
        writes
    });
    match writer.map(|inst| inst.op) {
        Some(Op::Load { size, signed, .. }) => size == Size::DW && !signed,
        Some(Op::Mov { .. }) | None => true,
        Some(_) => false,
    }
}
