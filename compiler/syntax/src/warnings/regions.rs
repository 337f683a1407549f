//! Where which changes of diagnostics are in force: `#pragma clang diagnostic`.
//!
//! In: the pragmas, in the order in which the preprocessor meets them, and where files start and end.
//! Out: the changes that hold at a position.
//! Positions ascend within a file and, of macro tokens, with the time of expansion; but a file that is
//! included lies behind all that came before it. So a state starts at a pragma, at the start of a file, and
//! behind an `#include` that changed it; and at once for the macros that are expanded from then on.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::source::Loc;

use super::Change;

type State = Rc<[Change]>;

/// The states of one compilation.
#[derive(Clone, Debug)]
pub struct Regions {
    /// From this position up to the next.
    from: BTreeMap<Loc, State>,
    now: State,
    pushed: Vec<State>,
    /// What held when the open files began.
    files: Vec<State>,
}

impl Default for Regions {
    fn default() -> Regions {
        let now = State::default();
        let from = BTreeMap::from([(Loc::FIRST_MACRO, now.clone())]);
        Regions { from, now, pushed: Vec::new(), files: Vec::new() }
    }
}

impl Regions {
    /// What holds at a position.
    pub fn at(&self, loc: Loc) -> &[Change] {
        self.from.range(..=loc).next_back().map_or(&[], |(_, state)| state)
    }

    /// Is there any pragma?
    pub fn is_empty(&self) -> bool {
        self.from.values().all(|state| state.is_empty())
    }

    /// A file that begins there is opened.
    pub fn enter_file(&mut self, start: Loc) {
        self.files.push(self.now.clone());
        self.from.insert(start, self.now.clone());
    }

    /// It is closed; the one that includes it goes on there.
    pub fn leave_file(&mut self, next: Loc) {
        let before = self.files.pop();
        if next.is_some() && before.is_some_and(|before| !Rc::ptr_eq(&before, &self.now)) {
            self.from.insert(next, self.now.clone());
        }
    }

    /// A part of a file that was read before is read; the next macro token will be at `macros`.
    pub fn resume(&mut self, part: Loc, macros: Loc) {
        let state = self.from.range(..=part).next_back().map(|(_, state)| state.clone());
        self.now = state.unwrap_or_default();
        self.from.insert(macros, self.now.clone());
    }

    /// `push`
    pub fn push(&mut self) {
        self.pushed.push(self.now.clone());
    }

    /// `pop`; `false` if nothing was pushed.
    pub fn pop(&mut self, places: &[Loc]) -> bool {
        let Some(state) = self.pushed.pop() else { return false };
        self.set(state, places);
        true
    }

    /// `ignored`, `warning`, `error`: it holds from these places on.
    pub fn change(&mut self, change: Change, places: &[Loc]) {
        let state = self.now.iter().cloned().chain([change]).collect();
        self.set(state, places);
    }

    fn set(&mut self, state: State, places: &[Loc]) {
        self.now = state;
        for &place in places {
            self.from.insert(place, self.now.clone());
        }
    }
}
