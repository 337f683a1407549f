//! Which objects of the frame are in use at the same time.
//!
//! An object is in use where it was touched on some path here and will be read on some path from
//! here before all of it is written again. Two objects are in use together when one is touched while
//! the other is in use.

use super::access::{Accesses, Use, direct};
use super::{Set, Sets};
use crate::codegen::flow::Flow;
use crate::codegen::mir::{Block, Func, Object, Op};
use crate::codegen::regs::{Step, Steps};
use crate::ir::{Arena, Entity};

/// Bytes of an object that were written, one bit each.
type Bytes = [u64; 8];

/// See the module.
pub struct Lifetimes {
    used: Set,
    /// By object, those that are in use together with it.
    together: Vec<Set>,
}

impl Lifetimes {
    /// Analyses allocated code.
    pub fn new(func: &Func, steps: &Steps, accesses: &Accesses) -> Lifetimes {
        let count = func.objects.len();
        if count == 0 {
            return Lifetimes { used: Set::new(0), together: Vec::new() };
        }
        let flow = Flow::of(func);
        let mut used = Set::new(count);
        for &block in &flow.rpo {
            for step in &steps[block] {
                step.inst.op.object().into_iter().for_each(|o| {
                    used.insert(o);
                });
            }
        }
        let mut lifetimes = Lifetimes { used, together: vec![Set::new(count); count] };
        if lifetimes.used.is_empty() {
            return lifetimes;
        }
        let mut finder = Finder {
            func,
            steps,
            accesses,
            flow: &flow,
            touched: Arena::filled(&func.blocks, Set::new(count)),
            live: Arena::filled(&func.blocks, Set::new(count)),
        };
        finder.solve_touched();
        finder.solve_live();
        for &block in &flow.rpo {
            finder.collect(block, &mut lifetimes.together);
        }
        lifetimes
    }

    /// Does any instruction name the object?
    pub fn used(&self, object: Object) -> bool {
        self.used.contains(object)
    }

    /// Are the two in use together?
    pub fn overlap(&self, a: Object, b: Object) -> bool {
        self.together[a.index()].contains(b) || self.together[b.index()].contains(a)
    }
}

struct Finder<'a> {
    func: &'a Func,
    steps: &'a Steps,
    accesses: &'a Accesses,
    flow: &'a Flow,
    /// Objects touched on some path to the start of each block.
    touched: Sets,
    /// Objects that will be read on some path from the end of each block.
    live: Sets,
}

impl Finder<'_> {
    fn uses(&self, block: Block, step: &Step) -> impl Iterator<Item = (Object, Use)> {
        let direct = direct(&step.inst.op);
        // A move that became an access of a spilled register's home is seen directly.
        let known = step.origin.filter(|_| direct.is_none_or(|(object, _)| self.accesses.knows(object)));
        let through = known.map(|position| self.accesses.of(block, position as usize));
        let direct = if known.is_none() { direct } else { None };
        through.into_iter().flatten().chain(direct)
    }

    fn solve_touched(&mut self) {
        let mut changed = true;
        while changed {
            changed = false;
            for &block in &self.flow.rpo {
                let mut set = self.touched[block].clone();
                for step in &self.steps[block] {
                    self.uses(block, step).for_each(|(o, _)| {
                        set.insert(o);
                    });
                }
                for next in self.func.successors(block) {
                    changed |= self.touched[next].extend(&set);
                }
            }
        }
    }

    fn solve_live(&mut self) {
        for &block in &self.flow.rpo {
            let last = self.func.blocks[block].insts.last();
            if matches!(last.map(|inst| inst.op), Some(Op::Exit { .. })) {
                for object in self.accesses.captured() {
                    self.live[block].insert(object);
                }
            }
        }
        let preds = self.func.predecessors();
        let mut changed = true;
        while changed {
            changed = false;
            for &block in self.flow.rpo.iter().rev() {
                let live = self.backward(block, |_, _, _| {});
                for &pred in &preds[block] {
                    changed |= self.live[pred].extend(&live);
                }
            }
        }
    }

    /// Walks a block from its end; shows every step with its uses and what is live after it.
    /// Returns what is live at the start.
    fn backward(&self, block: Block, mut show: impl FnMut(usize, &[(Object, Use)], &Set)) -> Set {
        let mut live = self.live[block].clone();
        // Bytes written between here and the next read of the object in this block.
        let mut written: Vec<(Object, Bytes)> = Vec::new();
        let mut uses = Vec::new();
        for (index, step) in self.steps[block].iter().enumerate().rev() {
            uses.clear();
            uses.extend(self.uses(block, step));
            show(index, &uses, &live);
            for &(object, how) in &uses {
                match how {
                    Use::Read => {
                        live.insert(object);
                        written.retain(|&(o, _)| o != object);
                    }
                    Use::MayWrite => {}
                    Use::Write { from, bytes } => {
                        if self.covers(&mut written, object, from, bytes) {
                            live.remove(object);
                        }
                    }
                }
            }
        }
        live
    }

    /// Adds written bytes; is all of the object written now?
    fn covers(&self, written: &mut Vec<(Object, Bytes)>, object: Object, from: u32, bytes: u32) -> bool {
        let size = self.func.objects[object].size;
        let index = written.iter().position(|&(o, _)| o == object).unwrap_or_else(|| {
            written.push((object, [0; 8]));
            written.len() - 1
        });
        let mask = &mut written[index].1;
        for byte in from..from.saturating_add(bytes).min(512) {
            mask[byte as usize / 64] |= 1 << (byte % 64);
        }
        size <= 512 && (0..size).all(|byte| mask[byte as usize / 64] >> (byte % 64) & 1 == 1)
    }

    fn collect(&self, block: Block, together: &mut [Set]) {
        // What was touched before each step.
        let mut touched = self.touched[block].clone();
        let mut before = Vec::with_capacity(self.steps[block].len());
        for step in &self.steps[block] {
            let mut uses = self.uses(block, step).peekable();
            before.push(uses.peek().map(|_| touched.clone()));
            uses.for_each(|(o, _)| {
                touched.insert(o);
            });
        }
        self.backward(block, |index, uses, live| {
            let Some(before) = before.get(index).and_then(Option::as_ref) else { return };
            for &(object, _) in uses {
                for other in live.iter().filter(|&o| o != object && before.contains(o)) {
                    together[object.index()].insert(other);
                }
                for &(other, _) in uses.iter().filter(|&&(o, _)| o != object) {
                    together[object.index()].insert(other);
                }
            }
        });
    }
}
