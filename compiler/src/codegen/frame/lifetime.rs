//! Which objects of the frame are in use at the same time.
//!
//! An object is in use where it was touched on some path here and will be read on some path from
//! here before all of it is written again. Two objects are in use together when one is touched while
//! the other is in use.
//!
//! Variables and spilled registers share no bytes, so what is in use together with one of the other kind may be
//! missing where there is nothing else to find out.
//!
//! Cost: n log n in the instructions that use objects, plus the blocks in which each is live.

use std::ops::Range;

use super::access::{Accesses, Use, direct};
use super::{STACK_LIMIT, Set};
use crate::codegen::flow::Flow;
use crate::codegen::mir::{Block, Func, Object, Op};
use crate::codegen::regs::Steps;
use crate::ir::Arena;

/// Bytes of an object that were written, one bit each.
type Bytes = [u64; 8];

/// With so many objects in use at once it does not matter any more which, for each has a byte of its own.
const TOO_MANY: usize = 8 * STACK_LIMIT as usize;

/// See the module.
pub struct Lifetimes {
    used: Set,
    /// By object, those that are in use together with it.
    together: Arena<Object, Vec<Object>>,
    /// At least so many objects are in use at once, which is [`TOO_MANY`].
    pub too_many: Option<usize>,
}

impl Lifetimes {
    /// Analyses allocated code.
    pub fn new(func: &Func, steps: &Steps, accesses: &Accesses) -> Lifetimes {
        let together = Arena::filled(&func.objects, Vec::new());
        let mut lifetimes = Lifetimes { used: Set::new(func.objects.len()), together, too_many: None };
        if func.objects.is_empty() {
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
        let mut finder = Finder {
            func,
            flow: &flow,
            touches: Vec::new(),
            of: Arena::filled(&func.blocks, 0..0),
            at_start: Arena::filled(&func.blocks, Vec::new()),
            at_end: Arena::filled(&func.blocks, Vec::new()),
        };
        finder.find_touches(steps, accesses);
        finder.find_in_use(accesses);
        lifetimes.too_many = finder.collect(&mut lifetimes.together).err();
        lifetimes
    }

    /// Does any instruction name the object?
    pub fn used(&self, object: Object) -> bool {
        self.used.contains(object)
    }

    /// The variables and spilled registers that are in use together with one.
    pub fn together(&self, object: Object) -> &[Object] {
        &self.together[object]
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

/// What a block does with an object.
#[derive(Clone, Copy)]
struct Summary {
    object: Object,
    block: Block,
    effect: Effect,
}

struct Finder<'a> {
    func: &'a Func,
    flow: &'a Flow,
    /// In the order of the steps.
    touches: Vec<Touch>,
    /// Those of each block.
    of: Arena<Block, Range<usize>>,
    /// Objects in use at the start of each block.
    at_start: Arena<Block, Vec<Object>>,
    /// Objects in use at its end.
    at_end: Arena<Block, Vec<Object>>,
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

    /// What each block does with each object that it touches, object by object.
    fn summaries(&self) -> Vec<Summary> {
        let mut found: Vec<Summary> = Vec::new();
        // Where the last block that touched an object said so.
        let mut last: Arena<Object, Option<usize>> = Arena::filled(&self.func.objects, None);
        for &block in &self.flow.rpo {
            let first = found.len();
            for touch in self.steps(block).rev().flatten() {
                let object = touch.object;
                let at = last[object].filter(|&at| at >= first).unwrap_or_else(|| {
                    found.push(Summary { object, block, effect: Effect::Same });
                    found.len() - 1
                });
                last[object] = Some(at);
                if touch.effect != Effect::Same {
                    found[at].effect = touch.effect;
                }
            }
        }
        found.sort_by_key(|summary| summary.object);
        found
    }

    /// The touches of a block, step by step.
    fn steps(&self, block: Block) -> impl DoubleEndedIterator<Item = &[Touch]> {
        self.touches(block).chunk_by(|a, b| a.at == b.at)
    }

    /// Finds the objects that are in use where blocks start and end, one after the other: the blocks in which one is
    /// live, and those of them that one of its touches leads to by way of such blocks. Where it is not live on
    /// such a way, it is touched again before it is.
    fn find_in_use(&mut self, accesses: &Accesses) {
        let is_exit = |block: &Block| {
            let last = self.func.blocks[*block].insts.last();
            matches!(last.map(|inst| inst.op), Some(Op::Exit { .. }))
        };
        let exits: Vec<Block> = self.flow.rpo.iter().copied().filter(is_exit).collect();
        let captured = Set(accesses.captured().to_vec());
        // Of each block, the last object that this is true of.
        let none = || Arena::filled(&self.func.blocks, None);
        let (mut live_in, mut live_out, mut touched_in) = (none(), none(), none());
        let mut effects = Arena::filled(&self.func.blocks, None);
        let (mut work, mut ends): (Vec<Block>, Vec<Block>) = (Vec::new(), Vec::new());
        for summaries in self.summaries().chunk_by(|a, b| a.object == b.object) {
            let object = summaries[0].object;
            summaries.iter().for_each(|summary| effects[summary.block] = Some((object, summary.effect)));
            let effect =
                |block: Block| effects[block].filter(|&(of, _)| of == object).map(|(_, effect)| effect);
            let reads = summaries.iter().filter(|summary| summary.effect == Effect::Used);
            work.extend(reads.map(|summary| summary.block));
            work.iter().for_each(|&block| live_in[block] = Some(object));
            let mut ends_live = |block: Block, work: &mut Vec<Block>| {
                if live_out[block].replace(object) != Some(object) {
                    ends.push(block);
                    let passes = !matches!(effect(block), Some(Effect::Used | Effect::Covered));
                    if passes && live_in[block].replace(object) != Some(object) {
                        work.push(block);
                    }
                }
            };
            if captured.contains(object) {
                exits.iter().for_each(|&block| ends_live(block, &mut work));
            }
            while let Some(block) = work.pop() {
                self.flow.preds[block].iter().for_each(|&pred| ends_live(pred, &mut work));
            }
            work.extend(summaries.iter().map(|summary| summary.block));
            while let Some(block) = work.pop() {
                for next in self.func.successors(block) {
                    let enters = live_in[next] == Some(object);
                    if enters && touched_in[next].replace(object) != Some(object) {
                        self.at_start[next].push(object);
                        work.push(next);
                    }
                }
            }
            for block in ends.drain(..) {
                if touched_in[block] == Some(object) || effect(block).is_some() {
                    self.at_end[block].push(object);
                }
            }
        }
    }

    /// Notes for each object what is in use where it is touched, unless at some place [`TOO_MANY`] are.
    fn collect(&self, together: &mut Arena<Object, Vec<Object>>) -> Result<(), usize> {
        // The step of the block that is being looked at after which an object is in use at first, counted from 1.
        let mut first: Arena<Object, Option<usize>> = Arena::filled(&self.func.objects, None);
        let mut live = Vec::new();
        for &block in &self.flow.rpo {
            self.at_start[block].iter().for_each(|&object| first[object] = Some(0));
            for touch in self.touches(block) {
                first[touch.object].get_or_insert(touch.at + 1);
            }
            live.clone_from(&self.at_end[block]);
            for step in self.steps(block).rev() {
                if live.len() >= TOO_MANY {
                    return Err(live.len());
                }
                for touch in step {
                    for other in live.iter().copied().chain(step.iter().map(|touch| touch.object)) {
                        if other != touch.object {
                            together[touch.object].push(other);
                            together[other].push(touch.object);
                        }
                    }
                }
                for touch in step {
                    // Nothing before has touched it.
                    let begins = first[touch.object] == Some(touch.at + 1);
                    touch.step_back(&mut live, begins);
                }
            }
            self.at_start[block].iter().for_each(|&object| first[object] = None);
            self.touches(block).iter().for_each(|touch| first[touch.object] = None);
        }
        for others in together.values_mut() {
            others.sort_unstable();
            others.dedup();
        }
        Ok(())
    }
}

impl Touch {
    /// From what is in use after the step to what is before it.
    fn step_back(&self, live: &mut Vec<Object>, begins: bool) {
        let known = live.iter().position(|&object| object == self.object);
        match (self.effect, known) {
            (_, Some(index)) if begins || self.effect == Effect::Covered => {
                live.swap_remove(index);
            }
            (Effect::Used, None) if !begins => live.push(self.object),
            _ => {}
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
