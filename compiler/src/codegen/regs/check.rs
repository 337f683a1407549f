//! Proof that a register allocation is right, made without knowing how the allocation was.
//!
//! The code before allocation is executed symbolically in the places that the allocated code uses.
//! For each machine register and spill object the state is the set of virtual registers whose
//! current value is surely there. An instruction must find what it read before in the places it
//! reads now; a move, kept or not, makes its destination another name for its source. States that
//! meet are intersected until nothing changes. (The method is that of regalloc2's checker.)

use std::collections::BTreeMap;

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
    /// No place of the machine: values that are equal to this constant, so that they may be made
    /// again anywhere.
    Constant(usize),
}

/// The name of a value: a register of the code before allocation, or a constant by its number in
/// [`Checker::constants`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Name {
    Value(Reg),
    Constant(usize),
}

/// Names of one value; sorted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Names(Vec<Name>);

impl Names {
    fn contains(&self, name: Name) -> bool {
        self.0.binary_search(&name).is_ok()
    }

    fn insert(&mut self, name: Name) {
        if let Err(at) = self.0.binary_search(&name) {
            self.0.insert(at, name);
        }
    }

    fn remove(&mut self, name: Name) {
        if let Ok(at) = self.0.binary_search(&name) {
            self.0.remove(at);
        }
    }
}

/// The names of the values in each place.
type State = BTreeMap<Place, Names>;

struct Checker<'a> {
    before: &'a Func,
    after: &'a Steps,
    /// Distinct instructions that make constants.
    constants: Vec<Op>,
}

/// Checks an allocation: `before` is the code as selected, `after` what allocation returned.
pub fn check(before: &Func, after: &Steps) -> Result<(), String> {
    let checker = Checker { before, after, constants: constants(before) };
    let flow = Flow::of(before);
    let mut inputs: Arena<Block, Option<State>> = Arena::filled(&before.blocks, None);
    let Some(&entry) = flow.rpo.first() else { return Ok(()) };
    let start = (1..=5).map(Reg::from_index);
    let start = start.map(|reg| (Place::Register(reg), Names(vec![Name::Value(reg)])));
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

/// The distinct instructions that make constants.
fn constants(func: &Func) -> Vec<Op> {
    let mut found = Vec::new();
    for inst in func.blocks.values().flat_map(|data| &data.insts) {
        let op = template(inst.op);
        if op.rematerialised().is_some() && inst.core.is_none() && !found.contains(&op) {
            found.push(op);
        }
    }
    found
}

/// Intersects a state with another that arrives at the same point.
fn meet(into: &mut Option<State>, from: &State) -> bool {
    let Some(state) = into else {
        *into = Some(from.clone());
        return true;
    };
    let mut changed = false;
    state.retain(|place, names| {
        let size = names.0.len();
        match from.get(place) {
            Some(other) => names.0.retain(|&name| other.contains(name)),
            None => names.0.clear(),
        }
        changed |= names.0.len() != size;
        !names.0.is_empty()
    });
    changed
}

impl Checker<'_> {
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
            _ => match (op.rematerialised(), self.number_of(op)) {
                (Some(dst), Some(number)) => {
                    forget(state, dst);
                    equal(state, dst, number);
                }
                _ => return Err(format!("{op:?} is lost")),
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
                state.insert(Place::Register(place), Names(vec![Name::Value(name)]));
                if let (Some(number), None) = (self.number_of(now), step.inst.core) {
                    equal(state, name, number);
                    state.insert(Place::Register(place), made(state, number));
                }
            }
        }
        Ok(())
    }

    fn holds(&self, state: &State, place: Reg, name: Reg) -> bool {
        state.get(&Place::Register(place)).is_some_and(|names| names.contains(Name::Value(name)))
    }

    fn number_of(&self, op: Op) -> Option<usize> {
        op.rematerialised()?;
        self.constants.iter().position(|&known| known == template(op))
    }

    /// `dst` is from here on another name for `src`.
    fn rename(&self, state: &mut State, dst: Reg, src: Reg) {
        for names in state.values_mut() {
            names.remove(Name::Value(dst));
            if names.contains(Name::Value(src)) {
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
                    let names = self.number_of(op).map(|number| made(state, number));
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
        names.remove(Name::Value(reg));
    }
}

/// The value of a register is this constant now.
fn equal(state: &mut State, reg: Reg, number: usize) {
    state.entry(Place::Constant(number)).or_default().insert(Name::Constant(number));
    for names in state.values_mut() {
        if names.contains(Name::Constant(number)) {
            names.insert(Name::Value(reg));
        }
    }
}

/// What a place holds into which a constant was put.
fn made(state: &State, number: usize) -> Names {
    let mut names = state.get(&Place::Constant(number)).cloned().unwrap_or_default();
    names.insert(Name::Constant(number));
    names
}

/// The instruction without its registers.
fn nameless(mut op: Op) -> Op {
    op.map_regs(|_, _: Role| Reg::from_index(0));
    op
}
