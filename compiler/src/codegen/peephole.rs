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

use super::bits::in_word;
use super::flow::Flow;
use super::mir::{Base, Block, Func, Inst, Object, Op, Reg, Role, Src};
use super::regs::{LiveSet, Liveness, Step, Steps};
use crate::ir::{Arena, Entity};
use skep_stdlib::isa::{Cond, Size, Width};

/// Cleans up; the first `variables` objects are not spilled registers.
pub fn run(func: &mut Func, steps: &mut Steps, variables: usize) {
    let flow = Flow::of(func);
    let mut peephole = Peephole { flow: Rc::clone(&flow), func, steps, variables, made: Vec::new() };
    // Every round removes something; what is left after a few is not worth another.
    for _ in 0..4 {
        let known = peephole.drop_known();
        let dead = peephole.drop_dead();
        if !known && !dead {
            break;
        }
    }
    for block in peephole.func.blocks.keys() {
        let insts = &mut peephole.func.blocks[block].insts;
        insts.clear();
        insts.extend(peephole.steps[block].iter().map(|step| step.inst));
    }
    if !flow.is_straight() {
        skip_known_constants(peephole.func, &flow);
    }
}

/// A place whose content is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Register(Reg),
    Spill(Object),
}

/// What a cell contains: a number for the outcome of some instruction.
type Content = u32;

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
}

struct Peephole<'a> {
    flow: Rc<Flow>,
    func: &'a mut Func,
    steps: &'a mut Steps,
    variables: usize,
    /// By content, the instruction that makes it, for `r0`, if that makes the same everywhere.
    made: Vec<Option<Op>>,
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
        let mut ends: Arena<Block, Contents> = Arena::filled(&self.func.blocks, Contents::default());
        let mut changed = false;
        for &block in &Rc::clone(&self.flow).rpo {
            let mut contents = match &self.flow.preds[block] {
                [only] if self.flow.reaches(*only) => ends[*only].clone(),
                _ => Contents::default(),
            };
            let mut steps = std::mem::take(&mut self.steps[block]);
            steps.retain_mut(|step| {
                let op = self.simplified(step.inst.op, &contents, step.inst.core.is_some());
                changed |= op != Some(step.inst.op);
                if let Some(op) = op {
                    step.inst.op = op;
                    self.learn(&step.inst, &mut contents);
                }
                op.is_some()
            });
            self.steps[block] = steps;
            ends[block] = contents;
        }
        changed
    }

    /// Are these contents equal?
    fn equal(&self, a: Content, b: Content) -> bool {
        let made = |content: Content| self.made[content as usize];
        a == b || made(a).is_some() && made(a) == made(b)
    }

    /// A content that nothing is known of but how it is made.
    fn content(&mut self, made: Option<Op>) -> Content {
        self.made.push(made);
        self.made.len() as Content - 1
    }

    /// The operation, a cheaper one, or none if its effect is there already.
    fn simplified(&self, op: Op, contents: &Contents, relocated: bool) -> Option<Op> {
        let register = |reg: Reg| contents.get(Cell::Register(reg));
        let spilled = || self.spill(&op).and_then(|object| contents.get(Cell::Spill(object)));
        let same = |a: Option<Content>, b: Option<Content>| a.zip(b).is_some_and(|(a, b)| self.equal(a, b));
        match op {
            Op::Mov { dst, src } => (!same(register(src), register(dst)) && dst != src).then_some(op),
            Op::Load { dst, .. } => {
                let content = spilled();
                if content.is_none() {
                    return Some(op);
                }
                let holds = |reg: &Reg| same(register(*reg), content);
                match (0..10).map(Reg::from_index).find(holds) {
                    _ if holds(&dst) => None,
                    Some(src) => Some(Op::Mov { dst, src }),
                    None => Some(op),
                }
            }
            Op::Store { src: Src::Reg(src), .. } => (!same(spilled(), register(src))).then_some(op),
            _ => match op.rematerialised() {
                Some(dst) if !relocated => {
                    let content = register(dst).and_then(|content| self.made[content as usize]);
                    (content != Some(made(op))).then_some(op)
                }
                _ => Some(op),
            },
        }
    }

    fn learn(&mut self, inst: &Inst, contents: &mut Contents) {
        let op = inst.op;
        let copied = match (op, self.spill(&op)) {
            (Op::Mov { dst, src }, _) => Some((Cell::Register(src), Cell::Register(dst))),
            (Op::Load { dst, .. }, Some(object)) => Some((Cell::Spill(object), Cell::Register(dst))),
            (Op::Store { src: Src::Reg(src), .. }, Some(object)) => {
                Some((Cell::Register(src), Cell::Spill(object)))
            }
            _ => None,
        };
        if let Some((from, to)) = copied {
            let content = contents.get(from).unwrap_or_else(|| self.content(None));
            contents.set(from, content);
            contents.set(to, content);
            return;
        }
        for reg in in_word(op.clobbers().into()) {
            contents.registers[reg] = None;
        }
        op.for_each_reg(|reg, role| {
            if role.writes() {
                contents.registers[reg.index()] = None;
            }
        });
        if let (Some(dst), None) = (op.rematerialised(), inst.core) {
            let content = self.content(Some(made(op)));
            contents.set(Cell::Register(dst), content);
        }
    }

    /// Drops instructions whose results nobody reads.
    fn drop_dead(&mut self) -> bool {
        let spills = self.func.objects.len().saturating_sub(self.variables);
        let named = Reg::FIRST_VIRTUAL as usize + spills;
        let live_in = self.live_in();
        let spilled_out = (spills > 0).then(|| self.live_spills(named));
        let (mut dropped, mut spilled) = (false, LiveSet::new(named));
        for &block in &Rc::clone(&self.flow).rpo {
            let mut live = self.live_out(block, &live_in);
            spilled.clear();
            spilled_out.iter().flat_map(|out| out.live_out(block)).for_each(|spill| spilled.insert(spill));
            let mut steps = std::mem::take(&mut self.steps[block]);
            let before = steps.len();
            retain_from_end(&mut steps, |step| {
                let op = &step.inst.op;
                let keep = !self.is_dead(op, live, &spilled);
                if keep {
                    let (reads, writes) = registers(op);
                    live = live & !writes | reads;
                    match self.named_spill(op) {
                        Some((spill, Role::Use)) => spilled.insert(spill),
                        Some((spill, _)) => spilled.remove(spill),
                        None => {}
                    }
                }
                keep
            });
            dropped |= steps.len() != before;
            self.steps[block] = steps;
        }
        dropped
    }

    /// The machine registers that are live at the start of each block, a bit for each.
    fn live_in(&self) -> Arena<Block, u64> {
        let mut live_in = Arena::filled(&self.func.blocks, 0);
        if self.flow.is_straight() {
            return live_in;
        }
        let mut written = Arena::filled(&self.func.blocks, 0);
        for &block in &self.flow.rpo {
            for step in self.steps[block].iter().rev() {
                let (reads, writes) = registers(&step.inst.op);
                live_in[block] = live_in[block] & !writes | reads;
                written[block] |= writes;
            }
        }
        let mut changed = true;
        while changed {
            changed = false;
            for &block in self.flow.rpo.iter().rev() {
                let live = live_in[block] | self.live_out(block, &live_in) & !written[block];
                changed |= std::mem::replace(&mut live_in[block], live) != live;
            }
        }
        live_in
    }

    fn live_out(&self, block: Block, live_in: &Arena<Block, u64>) -> u64 {
        self.func.successors(block).fold(0, |live, next| live | live_in[next])
    }

    /// The spilled registers that are live at the end of each block.
    fn live_spills(&self, named: usize) -> Liveness {
        Liveness::new(self.func, &self.flow, named, |block, name| {
            let named = self.steps[block].iter().filter_map(|step| self.named_spill(&step.inst.op));
            named.for_each(|(spill, role)| name(spill, role));
        })
    }

    /// The spilled register that an operation reads or writes. It is named like a virtual one, of which there are
    /// none any more.
    fn named_spill(&self, op: &Op) -> Option<(Reg, Role)> {
        let index = self.spill(op)?.index() - self.variables;
        let role = if matches!(op, Op::Load { .. }) { Role::Use } else { Role::Def };
        Some((Reg::from_index(Reg::FIRST_VIRTUAL as usize + index), role))
    }

    fn is_dead(&self, op: &Op, live: u64, spilled: &LiveSet) -> bool {
        let is_live = |reg: usize| live >> reg & 1 == 1;
        match *op {
            Op::Store { .. } => self.named_spill(op).is_some_and(|(spill, _)| !spilled.contains(spill)),
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

/// The machine registers that an operation reads, and those that it writes.
fn registers(op: &Op) -> (u64, u64) {
    let (mut reads, mut writes) = (0, u64::from(op.clobbers()));
    op.for_each_reg(|reg, role| {
        reads |= u64::from(role.reads()) << reg.index();
        writes |= u64::from(role.writes()) << reg.index();
    });
    (reads, writes)
}

/// Keeps some of the steps, asked about from the last to the first.
fn retain_from_end(steps: &mut Vec<Step>, mut keep: impl FnMut(&Step) -> bool) {
    let mut start = steps.len();
    for at in (0..steps.len()).rev() {
        if keep(&steps[at]) {
            start -= 1;
            steps[start] = steps[at];
        }
    }
    steps.drain(..start);
}

/// The operation as it would be for `r0`.
fn made(mut op: Op) -> Op {
    op.map_regs(|_, _| Reg::from_index(0));
    op
}

/// A branch that is taken when a register is a constant need not go through a block that puts that
/// constant there.
fn skip_known_constants(func: &mut Func, flow: &Flow) {
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
            if flow.preds[target].len() == 1 {
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
