//! Loops whose number of rounds something other than the program bounds: an iterator, a helper that
//! calls back, the hidden counter of `may_goto`.
//!
//! Such a loop is walked until a round begins in a state that an open one at the same place
//! contains: one more round brings nothing new. Numbers that change from round to round and did not
//! matter so far are forgotten, so that this happens soon (kernel `widen_imprecise_scalars`).

use alloc::boxed::Box;

use super::reg::{PtrKind, Reg};
use super::state::State;
use super::walk::{Check, Next, Walk};

/// What bounds the rounds of the loop that an instruction is the head of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// An iterator that is moved.
    Iterator,
    /// A helper that calls back.
    Callback,
    /// The counter of `may_goto`.
    Counter,
}

impl Bound {
    /// Is it sure that the rounds between these states, the second of which is in the first, end?
    pub fn holds(self, old: &State, new: &State) -> bool {
        match self {
            // One that is used up bounds nothing.
            Bound::Iterator => has_more(new),
            // On a way round that leads past the helper, it bounds nothing either (there kernels let a
            // loop without an end pass).
            Bound::Callback => old.frame().rounds < new.frame().rounds,
            // The counter did not move on a way round that leads past the instruction.
            Bound::Counter => old.rounds != new.rounds,
        }
    }

    /// Does coming back here unchanged mean that the loop has no end?
    pub fn is_endless_if_equal(self) -> bool {
        match self {
            Bound::Iterator | Bound::Callback => false,
            Bound::Counter => true,
        }
    }
}

/// Has the iterator whose address is in r1 more elements?
fn has_more(state: &State) -> bool {
    let Reg::Pointer(pointer) = state.frame().regs[1] else { return false };
    let PtrKind::Stack(depth) = pointer.kind else { return false };
    let stored = state.frames.get(depth as usize).and_then(|frame| frame.slot(pointer.off));
    let held = stored.filter(|_| pointer.off < 0).and_then(|stored| stored.spilled.as_pointer());
    matches!(held, Some(held) if matches!(held.kind, PtrKind::Iter { active: true, .. }))
}

impl Walk<'_> {
    /// `may_goto`: the loop is left, or goes on as long as the counter lets it.
    pub(super) fn may_goto(&mut self, state: &mut State, slot: u32, target: u32) -> Check<Next> {
        let mut on = state.clone();
        on.rounds += 1;
        // The newest state kept here is the one before this very instruction.
        self.widen(&mut on, slot, 1);
        Ok(Next::Both(target, slot + 1, Box::new(on)))
    }

    /// Forgets the numbers that changed since the last round and did not matter.
    pub(super) fn widen(&mut self, state: &mut State, slot: u32, newer: usize) {
        let Some((before, precise)) = self.store.last_round(slot, state, newer) else { return };
        for place in before.other_numbers(state) {
            if !precise.contains(place)
                && let Some(reg) = state.at_mut(place)
            {
                *reg = Reg::unknown(slot);
            }
        }
    }
}
