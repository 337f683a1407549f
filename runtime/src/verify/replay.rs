//! Does what the walk says of registers hold for a run?
//!
//! The walk follows the way that a run took, without pruning, and at each instruction what the run's
//! registers held must lie in what the walk knows of them: numbers in their bits and ranges, copies
//! apart by what links them, addresses of the stack and the context where they are said to point. A run
//! that goes where the walk sees no way, or through an instruction that it refuses, escapes too. It is a
//! test of the verifier, instruction by instruction, that needs no expectations.
//!
//! Functions that are verified on their own, and what follows a tail call or the read of a part of an
//! address, are not looked at.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::iter::Peekable;
use core::slice::Iter;

use skep_stdlib::isa::{CallTarget, Insn, Operand, Reg as R};

use super::reg::{Link, Pointer, PtrKind, Reg, Step};
use super::report::Cause;
use super::scalar::Scalar;
use super::state::State;
use super::trace::Event;
use super::walk::Next;
use super::{Options, begin};
use crate::object::Image;
use crate::vm::{Moment, alu};

/// Where a run left what the verifier knows, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Escape {
    /// The instruction.
    pub slot: u32,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: {}", self.slot, self.what)
    }
}

/// Compares a run of the program with this index, from its start, with what the verifier knows.
pub fn replay(image: &Image, index: usize, options: &Options, run: &[Moment]) -> Result<(), Escape> {
    let escape = |slot, what| Escape { slot, what };
    let mut walk =
        begin(image, index, options).map_err(|report| escape(report.slot, report.cause.message()))?;
    let (mut state, mut slot) = (walk.entry_state(), 0);
    let context = run.first().map_or(0, |first| first.regs[1]);
    let mut rest =
        Run { moments: run.iter().peekable(), regs: [0; 11], index, context, ends: [0; 8], filled: false };
    loop {
        // The helper's rounds are the walk's: the run is inside its one call.
        let is_round = matches!(walk.event, Event::Callback) && rest.is_past(slot, state.frames.len());
        if !is_round && !rest.meet(&state, slot).map_err(|what| escape(slot, what))? {
            return Ok(());
        }
        let insn = image.programs[index].code.at(slot);
        let insn = insn.ok_or_else(|| escape(slot, "there is no instruction".into()))?;
        (walk.event, walk.now) = (Event::Plain, slot);
        let next = match walk.step(&mut state, slot, insn) {
            Ok(next) => next,
            // A path that held nothing, or any number, in a stack slot covers one that holds an address
            // there: of that a part may be read then, and with all of it reckoned.
            Err(Cause::PointerLeak { .. }) => return Ok(()),
            Err(Cause::PointerArithmetic { .. } | Cause::PointerCompare { .. }) if rest.filled => {
                return Ok(());
            }
            // What is added to a pointer must not be too much at least. A path on which it may be less covers
            // this one, and what is made is no address that may be followed.
            Err(Cause::UnboundedOffset { .. }) => return Ok(()),
            Err(cause) => return Err(escape(slot, cause.message())),
        };
        if let (Insn::Load { dst, .. }, Event::Stack(_)) = (insn, walk.event) {
            rest.filled |= state.frame().regs[dst.index()].as_pointer().is_some();
        }
        slot = match next {
            Next::Ended => return Ok(()),
            Next::Again(next, other) => {
                if !rest.is_mask(insn) {
                    state = *other;
                    // It was met, and is not a mask any more.
                    walk.step(&mut state, slot, insn).map_err(|cause| escape(slot, cause.message()))?;
                }
                next
            }
            Next::To(next) => {
                if matches!(insn, Insn::Call(CallTarget::Local(_))) && next == slot + 1 {
                    rest.leave(state.frames.len());
                }
                next
            }
            Next::Both(_, taken, other) if rest.takes(insn, taken, other.frames.len()) => {
                state = *other;
                taken
            }
            Next::Both(first, ..) => {
                walk.event = Event::Plain;
                first
            }
        };
    }
}

/// What is left of a run.
struct Run<'a> {
    moments: Peekable<Iter<'a, Moment>>,
    /// The registers when the last instruction was met.
    regs: [u64; 11],
    /// The program.
    index: usize,
    /// The address of the context.
    context: u64,
    /// The ends of the frames in use.
    ends: [u64; 8],
    /// An address was loaded from the stack.
    filled: bool,
}

impl Run<'_> {
    /// Does this instruction, the last one, go on at `slot` with so many frames?
    fn takes(&mut self, insn: &Insn, slot: u32, depth: usize) -> bool {
        if let Insn::Branch { width, cond, dst, src, .. } = *insn {
            // Both ways may lead to the same place.
            let value = |reg: R| self.regs[reg.index()];
            let src = match src {
                Operand::Reg(reg) => value(reg),
                Operand::Imm(imm) => alu::immediate(imm),
            };
            return alu::compare(width, cond, value(dst), src);
        }
        let next = self.moments.peek();
        next.is_some_and(|moment| moment.slot == slot && moment.depth as usize == depth)
    }

    /// Is what this instruction, the last one, masks not 0?
    fn is_mask(&self, insn: &Insn) -> bool {
        matches!(insn, Insn::Alu { dst, .. } if self.regs[dst.index()] as u32 != 0)
    }

    /// Is the run inside or after the call at `slot`, which so many frames are in?
    fn is_past(&mut self, slot: u32, depth: usize) -> bool {
        let next = self.moments.peek();
        next.is_some_and(|moment| moment.depth as usize > depth || moment.slot == slot + 1)
    }

    /// Goes on to where no more frames are in use.
    fn leave(&mut self, depth: usize) {
        while self.moments.next_if(|moment| moment.depth as usize > depth).is_some() {}
    }

    /// Compares the next moment with the state at `slot`; false at the end.
    fn meet(&mut self, state: &State, slot: u32) -> Result<bool, String> {
        let Some(moment) = self.moments.next().filter(|moment| moment.program == self.index) else {
            return Ok(false);
        };
        let depth = state.frames.len();
        if (moment.slot, moment.depth as usize) != (slot, depth) {
            let (at, frames) = (moment.slot, moment.depth);
            return Err(format!("the run went to {at} in frame {frames}, the walk is in frame {depth}"));
        }
        self.ends[depth - 1] = moment.regs[10];
        self.regs = moment.regs;
        let regs = &state.frame().regs;
        for (number, (reg, &value)) in regs.iter().zip(&moment.regs).enumerate() {
            if !self.holds(reg, value) {
                return Err(format!("r{number} is {value:#x}, but known as {reg:?}"));
            }
        }
        let linked = |number: usize| regs[number].as_scalar().map(|num| num.link).filter(|link| link.id != 0);
        // What the copies hold that the number was made from.
        let copy = |number: usize, link: Link| {
            let value = moment.regs[number];
            match link.step {
                Step::Copy => value,
                Step::Wide => value.wrapping_sub(i64::from(link.delta) as u64),
                Step::Narrow => u64::from((value as u32).wrapping_sub(link.delta as u32)),
            }
        };
        for (a, b) in (0..10).flat_map(|a| (0..a).map(move |b| (a, b))) {
            let (Some(x), Some(y)) = (linked(a), linked(b)) else { continue };
            if x.id == y.id && copy(a, x) != copy(b, y) {
                return Err(format!("r{a} and r{b} are said to be linked: {x:?}, {y:?}"));
            }
        }
        Ok(true)
    }

    /// Is this value one that the register may have?
    fn holds(&self, reg: &Reg, value: u64) -> bool {
        let inside = |start: u64, off: i32, var: &Scalar| {
            var.contains(value.wrapping_sub(start).wrapping_sub(i64::from(off) as u64))
        };
        match reg {
            Reg::Uninit => true,
            Reg::Scalar(num) => num.value.contains(value),
            Reg::Pointer(Pointer { nullable: true, .. }) if value == 0 => true,
            Reg::Pointer(Pointer { kind, off, var, .. }) => match *kind {
                PtrKind::Stack(depth) => inside(self.ends[depth as usize & 7], *off, var),
                PtrKind::Ctx => inside(self.context, *off, var),
                PtrKind::MapValue(_) | PtrKind::Mem { .. } | PtrKind::Ringbuf(_) | PtrKind::Packet(_) => {
                    value != 0
                }
                _ => true,
            },
        }
    }
}
