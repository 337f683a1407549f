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
//! do not see the loop that a helper makes which calls back, and end paths there with what mattered
//! partly unknown, which is unsound. Here such rounds are visits too, of a kind: paths end where the
//! kernel's do, but on trial. Their states are remembered and compared once more when all is known. Those
//! that are not covered after all are walked on, below the states that they came from, and the rounds
//! are visited until no trial fails. Hence what ended agrees with a state in all that was read and
//! mattered after that one, and what follows from it was walked.

use alloc::boxed::Box;
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

/// A path that ended in this state at one that covers it as far as was known.
pub struct Trial {
    pub end: Backedge,
    pub state: Box<State>,
}

/// The visits that a state is part of.
#[derive(Clone, Copy, Default)]
pub struct Inside {
    /// Of the outermost loop, as kernels see it.
    pub visit: Option<u32>,
    /// Of the outermost rounds of a helper that calls back, if that is in no loop.
    pub rounds: Option<u32>,
}

/// A loop, reached by certain calls.
#[derive(Default)]
struct Visit {
    /// The state with which it was entered, while that is open.
    entry: Option<u32>,
    backedges: Vec<Backedge>,
    trials: Vec<Trial>,
}

/// All loops that were visited.
#[derive(Default)]
pub struct Visits {
    /// By the calls that lead to the outermost loop, and that.
    known: BTreeMap<Vec<u32>, u32>,
    all: Vec<Visit>,
}

impl Visits {
    /// The visits that a state before `slot` is part of. Unless paths may end on `trial`, rounds of a
    /// helper are a loop like any other.
    pub fn of(&mut self, state: &State, slot: u32, live: &Liveness, trial: bool) -> Inside {
        let mut inside = Inside::default();
        let mut way = Vec::new();
        let calls = state.frames.iter().skip(1).map(|callee| callee.call);
        for at in calls.chain([Some(slot)]) {
            let Some(at) = at else { return inside };
            match live.component(at) {
                Some(component) if trial && live.is_loop_by_call(at) => {
                    if inside.rounds.is_none() {
                        way.push(component);
                        inside.rounds = Some(self.by_way(&way));
                        way.pop();
                    }
                    way.push(at);
                }
                Some(component) => {
                    way.push(component);
                    inside.visit = Some(self.by_way(&way));
                    return inside;
                }
                None => way.push(at),
            }
        }
        inside
    }

    fn by_way(&mut self, way: &[u32]) -> u32 {
        if let Some(&visit) = self.known.get(way) {
            return visit;
        }
        let visit = self.all.len() as u32;
        self.known.insert(way.into(), visit);
        self.all.push(Visit::default());
        visit
    }

    /// A state of these loops is kept: the first one is the entry.
    pub fn enter(&mut self, inside: Inside, kept: u32) {
        for visit in inside.all() {
            self.all[visit as usize].entry.get_or_insert(kept);
        }
    }

    /// Was the loop entered with this state?
    pub fn is_entry(&self, visit: u32, kept: u32) -> bool {
        self.all[visit as usize].entry == Some(kept)
    }

    /// The ends inside, which are handed over.
    pub fn take(&mut self, visit: u32) -> (Vec<Backedge>, Vec<Trial>) {
        let visit = &mut self.all[visit as usize];
        (core::mem::take(&mut visit.backedges), core::mem::take(&mut visit.trials))
    }

    /// Not all is known yet of what ended so: the visit goes on.
    pub fn put_back(&mut self, visit: u32, backedges: Vec<Backedge>, trials: Vec<Trial>) {
        let visit = &mut self.all[visit as usize];
        (visit.backedges, visit.trials) = (backedges, trials);
    }

    /// All is known of the loop.
    pub fn exit(&mut self, visit: u32) {
        self.all[visit as usize].entry = None;
    }

    /// A path ended at a state of these loops.
    pub fn add(&mut self, inside: Inside, backedge: Backedge) {
        for visit in inside.all() {
            self.all[visit as usize].backedges.push(backedge);
        }
    }

    /// A path ended inside of these rounds, on trial.
    pub fn add_trial(&mut self, rounds: u32, trial: Trial) {
        self.all[rounds as usize].trials.push(trial);
    }

    /// Is there something of its states that is not yet known?
    pub fn is_pending(&self, visit: Option<u32>) -> bool {
        let visit = visit.map(|visit| &self.all[visit as usize]);
        visit.is_some_and(|visit| !visit.backedges.is_empty() || !visit.trials.is_empty())
    }
}

impl Inside {
    /// Of nothing but these rounds.
    pub fn only(rounds: u32) -> Inside {
        Inside { visit: None, rounds: Some(rounds) }
    }

    /// The inner one first.
    pub fn all(self) -> impl Iterator<Item = u32> {
        self.visit.into_iter().chain(self.rounds)
    }
}
