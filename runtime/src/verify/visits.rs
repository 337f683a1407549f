//! Visits of loops: what is not yet known of the states inside.
//!
//! A path that meets a state again which is open, or from which a path led to such a one, ends
//! there. But not all is known then of what is read and what matters after that state, so not of
//! what is after the path's own ancestors either. Such ends are kept until the state with which the
//! loop was entered has no open path any more, and then what the states at both sides depend on is
//! handed back over them, until nothing new is found. As long as a visit has such ends, states of
//! that loop cover only what is in them in every number.
//!
//! This is how kernels since 6.17 do it (`maybe_enter_scc`, `propagate_backedges`). Up to 6.18 they
//! do not see the loop that a helper makes which calls back, and end paths there too early, with what
//! mattered partly unknown; here it is a loop like any other, at up to twice the instructions.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::liveness::Liveness;
use super::state::State;
use super::walk::At;

/// A path that ended at a state of its own loop.
#[derive(Clone, Copy)]
pub struct Backedge {
    /// The kept state that covers it.
    pub equal: u32,
    /// Where the path was.
    pub at: At,
    /// How many frames it had.
    pub frames: usize,
}

/// A loop, reached by certain calls.
#[derive(Default)]
struct Visit {
    /// The state with which it was entered, while that is open.
    entry: Option<u32>,
    backedges: Vec<Backedge>,
}

/// All loops that were visited.
#[derive(Default)]
pub struct Visits {
    /// By the calls that lead to the outermost loop, and that.
    known: BTreeMap<Vec<u32>, u32>,
    all: Vec<Visit>,
}

impl Visits {
    /// The visit of the outermost loop that a state before `slot` is in, if it is in one.
    pub fn of(&mut self, state: &State, slot: u32, live: &Liveness) -> Option<u32> {
        let mut way = Vec::new();
        for depth in 0..state.frames.len() {
            let at = state.frames.get(depth + 1).map_or(Some(slot), |callee| callee.call)?;
            let component = live.component(at);
            way.push(component.unwrap_or(at));
            if component.is_some() {
                let next = self.all.len() as u32;
                let visit = *self.known.entry(way).or_insert(next);
                if visit == next {
                    self.all.push(Visit::default());
                }
                return Some(visit);
            }
        }
        None
    }

    /// A state of the loop is kept: the first one is its entry.
    pub fn enter(&mut self, visit: u32, kept: u32) {
        self.all[visit as usize].entry.get_or_insert(kept);
    }

    /// No path below `kept` is open any more. If that is the entry, the ends inside are handed over.
    pub fn exit(&mut self, visit: u32, kept: u32) -> Vec<Backedge> {
        let visit = &mut self.all[visit as usize];
        if visit.entry != Some(kept) {
            return Vec::new();
        }
        visit.entry = None;
        core::mem::take(&mut visit.backedges)
    }

    /// A path ended inside.
    pub fn add(&mut self, visit: u32, backedge: Backedge) {
        self.all[visit as usize].backedges.push(backedge);
    }

    /// Is there something of its states that is not yet known?
    pub fn is_pending(&self, visit: u32) -> bool {
        !self.all[visit as usize].backedges.is_empty()
    }
}
