//! Proof that a register allocation is right, made without knowing how the allocation was.
//!
//! The code before allocation is executed symbolically in the places that the allocated code uses.
//! For each machine register and spill object the state is the set of virtual registers whose
//! current value is surely there. An instruction must find what it read before in the places it
//! reads now; a move, kept or not, makes its destination another name for its source. States that
//! meet are intersected until nothing changes. (The method is that of regalloc2's checker.)

use std::collections::{BTreeMap, BTreeSet};

use super::graph::template;
use super::{Step, Steps};
use crate::codegen::flow::Flow;
use crate::codegen::mir::{Addr, Base, Block, Func, Object, Op, Reg, Role, Src};
use crate::ir::{Arena, Entity};
use skep_stdlib::isa::Size;

/// A place where a value can be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Place {
    Register(Reg),
    Spill(Object),
}

/// The names of the values in each place: registers of the code before allocation, and constants
/// by their number in [`Checker::constants`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Name {
    Value(Reg),
    Constant(usize),
}

type State = BTreeMap<Place, BTreeSet<Name>>;

/// What is written to a register.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Always {
    Never,
    Constant(usize),
    Mixed,
}

impl Always {
    fn and(self, other: Always) -> Always {
        match (self, other) {
            (Always::Never, one) | (one, Always::Never) => one,
            (a, b) if a == b => a,
            _ => Always::Mixed,
        }
    }
}

struct Checker<'a> {
    before: &'a Func,
    after: &'a Steps,
    /// Distinct instructions that make constants.
    constants: Vec<Op>,
    /// The constant that a register always is, by register.
    always: Vec<Option<usize>>,
}

/// Checks an allocation: `before` is the code as selected, `after` what allocation returned.
pub fn check(before: &Func, after: &Steps) -> Result<(), String> {
    let mut checker = Checker { before, after, constants: Vec::new(), always: vec![None; before.regs] };
    checker.find_constants();
    let flow = Flow::new(before);
    let mut inputs: Arena<Block, Option<State>> = Arena::filled(&before.blocks, None);
    let Some(&entry) = flow.rpo.first() else { return Ok(()) };
    let start = (1..=5).map(Reg::from_index);
    let start = start.map(|reg| (Place::Register(reg), BTreeSet::from([Name::Value(reg)])));
    inputs[entry] = Some(start.collect());
    let mut changed = true;
    while changed {
        changed = false;
        for &block in &flow.rpo {
            let Some(mut state) = inputs[block].clone() else { continue };
            // What is missing while states still shrink may be an error or not.
            let _ = checker.block(block, &mut state);
            for next in before.successors(block) {
                changed |= meet(&mut inputs[next], &state);
            }
        }
    }
    for &block in &flow.rpo {
        let mut state = inputs[block].clone().unwrap_or_default();
        checker.block(block, &mut state).map_err(|wrong| format!("{block}: {wrong}"))?;
    }
    Ok(())
}

/// Intersects a state with another that arrives at the same point.
fn meet(into: &mut Option<State>, from: &State) -> bool {
    let Some(state) = into else {
        *into = Some(from.clone());
        return true;
    };
    let mut changed = false;
    state.retain(|place, names| {
        let size = names.len();
        match from.get(place) {
            Some(other) => names.retain(|name| other.contains(name)),
            None => names.clear(),
        }
        changed |= names.len() != size;
        !names.is_empty()
    });
    changed
}

impl Checker<'_> {
    /// Finds registers that are only ever written with one constant, directly or as copies of each
    /// other.
    fn find_constants(&mut self) {
        let mut written = vec![Always::Never; self.before.regs];
        let mut changed = true;
        while changed {
            changed = false;
            for data in self.before.blocks.values() {
                for inst in &data.insts {
                    let now = match inst.op {
                        Op::Mov { src, .. } if src.is_virtual() => written[src.index()],
                        op if inst.core.is_none() && op.rematerialised().is_some() => {
                            Always::Constant(self.constant(template(op)))
                        }
                        _ => Always::Mixed,
                    };
                    inst.op.for_each_reg(|reg, role| {
                        if role.writes() {
                            let new = written[reg.index()].and(now);
                            changed |= new != written[reg.index()];
                            written[reg.index()] = new;
                        }
                    });
                }
            }
        }
        for (always, written) in self.always.iter_mut().zip(written) {
            if let Always::Constant(number) = written {
                *always = Some(number);
            }
        }
    }

    fn constant(&mut self, op: Op) -> usize {
        self.constants.iter().position(|&known| known == op).unwrap_or_else(|| {
            self.constants.push(op);
            self.constants.len() - 1
        })
    }

    fn block(&self, block: Block, state: &mut State) -> Result<(), String> {
        let originals = &self.before.blocks[block].insts;
        let mut next = 0;
        for step in &self.after[block] {
            match step.origin {
                None => self.transfer(state, step.inst.op)?,
                Some(origin) => {
                    let origin = origin as usize;
                    for dropped in originals.get(next..origin).ok_or("the order of instructions changed")? {
                        self.dropped(state, dropped.op)?;
                    }
                    next = origin + 1;
                    self.kept(state, originals[origin].op, step)?;
                }
            }
        }
        for dropped in &originals[next..] {
            self.dropped(state, dropped.op)?;
        }
        Ok(())
    }

    /// An instruction that is not there any more.
    fn dropped(&self, state: &mut State, op: Op) -> Result<(), String> {
        match op {
            Op::Mov { dst, src } => self.rename(state, dst, src),
            _ => match op.rematerialised() {
                Some(dst) => forget(state, dst),
                None => return Err(format!("{op:?} is lost")),
            },
        }
        Ok(())
    }

    /// An instruction that is still there, or a move that became another kind of move.
    fn kept(&self, state: &mut State, original: Op, step: &Step) -> Result<(), String> {
        let now = step.inst.op;
        if let Op::Mov { dst, src } = original {
            self.transfer(state, now)?;
            self.rename(state, dst, src);
            return Ok(());
        }
        if nameless(original) != nameless(now) {
            return Err(format!("{original:?} became {now:?}"));
        }
        let mut names = Vec::new();
        original.for_each_reg(|reg, role| names.push((reg, role)));
        let mut places = Vec::new();
        now.for_each_reg(|reg, _| places.push(reg));
        for (&(name, role), &place) in names.iter().zip(&places) {
            if role.reads() && !self.holds(state, place, name) {
                return Err(format!("{now:?} reads {place}, which may not hold {name} of {original:?}"));
            }
        }
        for number in (0..super::graph::COLOURS).filter(|n| now.clobbers() >> n & 1 == 1) {
            forget(state, Reg::from_index(number));
            state.remove(&Place::Register(Reg::from_index(number)));
        }
        for (&(name, role), &place) in names.iter().zip(&places) {
            if role.writes() {
                forget(state, name);
                let mut set = BTreeSet::from([Name::Value(name)]);
                set.extend(self.number_of(now).map(Name::Constant));
                state.insert(Place::Register(place), set);
            }
        }
        Ok(())
    }

    fn holds(&self, state: &State, place: Reg, name: Reg) -> bool {
        state.get(&Place::Register(place)).is_some_and(|names| {
            names.contains(&Name::Value(name))
                || self.always[name.index()].is_some_and(|n| names.contains(&Name::Constant(n)))
        })
    }

    fn number_of(&self, op: Op) -> Option<usize> {
        op.rematerialised()?;
        self.constants.iter().position(|&known| known == template(op))
    }

    /// `dst` is from here on another name for `src`.
    fn rename(&self, state: &mut State, dst: Reg, src: Reg) {
        let constant = self.always[src.index()].map(Name::Constant);
        for names in state.values_mut() {
            names.remove(&Name::Value(dst));
            if names.contains(&Name::Value(src)) || constant.as_ref().is_some_and(|c| names.contains(c)) {
                names.insert(Name::Value(dst));
            }
        }
    }

    /// Copies between places, which allocation may insert.
    fn transfer(&self, state: &mut State, op: Op) -> Result<(), String> {
        let (to, names) = match op {
            Op::Mov { dst, src } => (Place::Register(dst), state.get(&Place::Register(src)).cloned()),
            Op::Load { size: Size::DW, dst, addr, .. } => {
                (Place::Register(dst), state.get(&self.spill(addr)?).cloned())
            }
            Op::Store { size: Size::DW, addr, src: Src::Reg(src) } => {
                (self.spill(addr)?, state.get(&Place::Register(src)).cloned())
            }
            _ => match op.rematerialised() {
                Some(dst) => {
                    let names = self.number_of(op).map(|n| BTreeSet::from([Name::Constant(n)]));
                    (Place::Register(dst), names)
                }
                None => return Err(format!("{op:?} was inserted")),
            },
        };
        match names {
            Some(names) => state.insert(to, names),
            None => state.remove(&to),
        };
        Ok(())
    }

    fn spill(&self, addr: Addr) -> Result<Place, String> {
        match addr.base {
            Base::Frame(object) if object.index() >= self.before.objects.len() && addr.off == 0 => {
                Ok(Place::Spill(object))
            }
            _ => Err(format!("an access of {addr:?} was inserted")),
        }
    }
}

/// A register was written: its old value is nowhere.
fn forget(state: &mut State, reg: Reg) {
    for names in state.values_mut() {
        names.remove(&Name::Value(reg));
    }
}

/// The instruction without its registers.
fn nameless(mut op: Op) -> Op {
    op.map_regs(|_, _: Role| Reg::from_index(0));
    op
}
