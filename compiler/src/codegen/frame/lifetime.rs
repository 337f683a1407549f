//! Which objects of the frame are in use at the same time.
//!
//! An object is in use where it was touched on some path here and will be read on some path from
//! here before all of it is written again. Two objects are in use together when one is touched while
//! the other is in use.
//!
//! Variables and spilled registers share no bytes, so what is in use together with one of the other kind may be
//! missing where there is nothing else to find out.

use std::ops::Range;

use super::access::{Accesses, Use, direct};
use super::{Set, Sets, extend};
use crate::codegen::flow::Flow;
use crate::codegen::mir::{Block, Func, Object, Op};
use crate::codegen::regs::Steps;
use crate::ir::{Arena, Entity};

/// Bytes of an object that were written, one bit each.
type Bytes = [u64; 8];

/// See the module.
pub struct Lifetimes {
    used: Set,
    /// By object, those that are in use together with it.
    together: Sets,
}

impl Lifetimes {
    /// Analyses allocated code.
    pub fn new(func: &Func, steps: &Steps, accesses: &Accesses) -> Lifetimes {
        let count = func.objects.len();
        let mut lifetimes = Lifetimes { used: Set::new(count), together: Sets::new(0, 0) };
        if count == 0 {
            return lifetimes;
        }
        let flow = Flow::of(func);
        for step in flow.rpo.iter().flat_map(|&block| &steps[block]) {
            if let Some(object) = step.inst.op.object() {
                lifetimes.used.insert(object);
            }
        }
        let variables = lifetimes.used.iter().filter(|&object| accesses.knows(object)).count();
        if variables < 2 && lifetimes.used.iter().count() - variables < 2 {
            return lifetimes;
        }
        lifetimes.together = Sets::new(count, count);
        let mut finder = Finder {
            func,
            flow: &flow,
            touches: Vec::new(),
            of: Arena::filled(&func.blocks, 0..0),
            touched: Sets::new(func.blocks.len(), count),
            live: Sets::new(func.blocks.len(), count),
        };
        finder.find_touches(steps, accesses);
        finder.solve_touched();
        finder.solve_live(accesses);
        for &block in &flow.rpo {
            finder.collect(block, &mut lifetimes.together);
        }
        lifetimes
    }

    /// Does any instruction name the object?
    pub fn used(&self, object: Object) -> bool {
        self.used.contains(object)
    }

    /// Are these two variables, or two spilled registers, in use together?
    pub fn overlap(&self, a: Object, b: Object) -> bool {
        self.together.contains(a.index(), b) || self.together.contains(b.index(), a)
    }
}

/// A step and an object that it uses.
struct Touch {
    /// The position of the step in its block.
    at: usize,
    object: Object,
    effect: Effect,
}

/// What becomes of an object that is in use after a step, before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It is in use.
    Used,
    /// It is not: all of it is written from here on.
    Covered,
    /// What it was.
    Same,
}

struct Finder<'a> {
    func: &'a Func,
    flow: &'a Flow,
    /// In the order of the steps.
    touches: Vec<Touch>,
    /// Those of each block.
    of: Arena<Block, Range<usize>>,
    /// Objects touched on some path to the start of each block.
    touched: Sets,
    /// Objects that will be read on some path from the end of each block.
    live: Sets,
}

impl Finder<'_> {
    fn find_touches(&mut self, steps: &Steps, accesses: &Accesses) {
        let (mut uses, mut written) = (Vec::new(), Vec::new());
        for &block in &self.flow.rpo {
            // Allocation keeps the order of what it did not make.
            let mut known = accesses.of(block).iter().copied().peekable();
            for (at, step) in steps[block].iter().enumerate() {
                let direct = direct(&step.inst.op);
                // A move that became an access of a spilled register's home is seen directly.
                match step.origin.filter(|_| direct.is_none_or(|(object, _)| accesses.knows(object))) {
                    None => uses.extend(direct.map(|(object, how)| (at, object, how))),
                    Some(origin) => {
                        while known.next_if(|&(other, ..)| other < origin as usize).is_some() {}
                        while let Some((_, object, how)) =
                            known.next_if(|&(other, ..)| other == origin as usize)
                        {
                            uses.push((at, object, how));
                        }
                    }
                }
            }
            let start = self.touches.len();
            self.touches.extend(uses.drain(..).rev().map(|(at, object, how)| {
                let effect = effect(&mut written, object, self.func.objects[object].size, how);
                Touch { at, object, effect }
            }));
            written.clear();
            self.touches[start..].reverse();
            self.of[block] = start..self.touches.len();
        }
    }

    fn touches(&self, block: Block) -> &[Touch] {
        &self.touches[self.of[block].clone()]
    }

    fn solve_touched(&mut self) {
        let mut set = Set::new(self.func.objects.len());
        let mut changed = true;
        while changed {
            changed = false;
            for &block in &self.flow.rpo {
                set.0.copy_from_slice(self.touched.row(block.index()));
                self.touches(block).iter().for_each(|touch| set.insert(touch.object));
                for next in self.func.successors(block) {
                    changed |= extend(self.touched.row_mut(next.index()), &set.0);
                }
            }
        }
    }

    fn solve_live(&mut self, accesses: &Accesses) {
        for &block in &self.flow.rpo {
            let last = self.func.blocks[block].insts.last();
            if matches!(last.map(|inst| inst.op), Some(Op::Exit { .. })) {
                extend(self.live.row_mut(block.index()), accesses.captured());
            }
        }
        let mut live = Set::new(self.func.objects.len());
        let mut changed = true;
        while changed {
            changed = false;
            for &block in self.flow.rpo.iter().rev() {
                live.0.copy_from_slice(self.live.row(block.index()));
                self.touches(block).iter().rev().for_each(|touch| touch.step_back(&mut live));
                for &pred in &self.flow.preds[block] {
                    changed |= extend(self.live.row_mut(pred.index()), &live.0);
                }
            }
        }
    }

    fn collect(&self, block: Block, together: &mut Sets) {
        let steps: Vec<&[Touch]> = self.touches(block).chunk_by(|a, b| a.at == b.at).collect();
        // What was touched before each step.
        let mut before = Sets::new(steps.len() + 1, self.func.objects.len());
        before.row_mut(0).copy_from_slice(self.touched.row(block.index()));
        for (at, step) in steps.iter().enumerate() {
            before.join(at + 1, at);
            step.iter().for_each(|touch| before.insert(at + 1, touch.object));
        }
        let mut live = Set(self.live.row(block.index()).to_vec());
        for (at, step) in steps.iter().enumerate().rev() {
            for touch in *step {
                let row = together.row_mut(touch.object.index());
                for ((word, &live), &before) in row.iter_mut().zip(&live.0).zip(before.row(at)) {
                    *word |= live & before;
                }
                step.iter().for_each(|other| together.insert(touch.object.index(), other.object));
            }
            step.iter().for_each(|touch| touch.step_back(&mut live));
        }
    }
}

impl Touch {
    /// From what is in use after the step to what is before it.
    fn step_back(&self, live: &mut Set) {
        match self.effect {
            Effect::Used => live.insert(self.object),
            Effect::Covered => live.remove(self.object),
            Effect::Same => {}
        }
    }
}

/// The effect of a use. `written` are the bytes that are written between here and the next read of an object in
/// this block, of those that are not written at once.
fn effect(written: &mut Vec<(Object, Bytes)>, object: Object, size: u32, how: Use) -> Effect {
    match how {
        Use::Read => {
            written.retain(|&(other, _)| other != object);
            Effect::Used
        }
        Use::MayWrite => Effect::Same,
        Use::Write { from: 0, bytes } if bytes >= size => Effect::Covered,
        Use::Write { from, bytes } => {
            let index = written.iter().position(|&(other, _)| other == object).unwrap_or_else(|| {
                written.push((object, [0; 8]));
                written.len() - 1
            });
            let mask = &mut written[index].1;
            for byte in from..from.saturating_add(bytes).min(512) {
                mask[byte as usize / 64] |= 1 << (byte % 64);
            }
            let all = size <= 512 && (0..size).all(|byte| mask[byte as usize / 64] >> (byte % 64) & 1 == 1);
            if all { Effect::Covered } else { Effect::Same }
        }
    }
}
