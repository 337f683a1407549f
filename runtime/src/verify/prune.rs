//! States that are kept, and paths that end because one of them covers theirs.
//!
//! States are kept at conditional jumps, at the targets of all jumps, around calls and before what
//! goes round ([`Liveness`]), as often as the kernel keeps them (`is_state_visited`): the counts decide what loops cost. While paths
//! from a kept state are open, what they read of the stack and which numbers decided something is
//! noted in it; when the last one has ended and all of that is known ([`Visits`]), the state is
//! cleaned of the rest, and from then on paths that it covers end there. A path that meets an open
//! state again, unchanged, is in an endless loop: every open state is an ancestor of the path being
//! walked, or of another call of a function that the kernel calls later.

use alloc::boxed::Box;
use alloc::vec::Vec;

use skep_stdlib::capabilities::Capability;

use super::cover::{Matter, Terms};
use super::liveness::Liveness;
use super::marks::{Marks, Place, bits};
use super::reg::Reg;
use super::report::Cause;
use super::rounds::Bound;
use super::state::{Byte, Frame, MAX_FRAMES, Role, State};
use super::trace::Event;
use super::visits::{Backedge, Inside, Trial, Visits};
use super::walk::{Check, Walk};

/// Registers that a caller still has after a call.
const SAVED: u16 = 0b11_1100_0000;
/// Jumps and instructions after which a state is kept at the next chance.
const KEEP_AFTER: (u32, u32) = (2, 8);
/// The same inside a loop.
const KEEP_IN_LOOP: (u32, u32) = (20, 100);
/// Entries of the history without a kept state after which one is kept in any case.
const KEEP_ALWAYS: u32 = 40;
/// A state that covers nothing is dropped after this many comparisons, and as many for each hit.
const PATIENCE: u32 = 3;
/// The same where an iterator is moved.
const PATIENCE_IN_ROUNDS: u32 = 64;
/// Most paths that are walked on at one time after they ended on trial.
const MOST_RESUMED: usize = 1024;

/// Without `CAP_BPF`, no more states are kept for an instruction (kernel `BPF_COMPLEXITY_LIMIT_STATES`).
const CROWD: usize = 64;

/// A state kept for pruning.
pub struct Kept {
    pub(super) state: State,
    /// The instruction before which it was kept.
    slot: u32,
    /// It is no longer compared with.
    dropped: bool,
    /// The kept state before it.
    parent: Option<u32>,
    /// Stack slots written between the parent and this state.
    pub(super) written: [u64; MAX_FRAMES],
    /// The same of registers, for the log.
    pub(super) assigned: [u16; MAX_FRAMES],
    /// Stack slots read after it, before they were written.
    reads: Marks,
    /// Places whose number mattered after it.
    pub(super) precise: Marks,
    /// The loops it is in.
    inside: Inside,
    /// All is known of it, and the rest is gone.
    clean: bool,
    /// Paths from here that are not finished.
    open: u32,
    misses: u32,
    hits: u32,
}

/// All kept states.
#[derive(Default)]
pub struct Store {
    kept: Vec<Kept>,
    /// Those that paths are compared with: by instruction, with the call that their function was entered by.
    by_slot: Vec<Vec<(u32, Option<u32>)>>,
    visits: Visits,
    /// Something was noted that was not known.
    changed: bool,
    /// How many that are.
    count: u32,
    /// Conditional and other jumps walked, and the counts when a state was last kept.
    pub jumps: u32,
    last: (u32, u32),
}

impl Store {
    /// For a program of this many slots.
    pub fn new(slots: u32) -> Store {
        Store { by_slot: alloc::vec![Vec::new(); slots as usize], ..Store::default() }
    }

    /// The kept state with this index.
    pub fn kept(&self, index: u32) -> &Kept {
        &self.kept[index as usize]
    }

    /// One more path below `kept`.
    pub fn open(&mut self, kept: Option<u32>) {
        if let Some(index) = kept {
            self.kept[index as usize].open += 1;
        }
    }

    /// Notes that a stack slot was read by a path below `kept` that had not written it.
    fn read(&mut self, mut kept: Option<u32>, depth: u8, index: u8) {
        let place = Place::Slot(depth, index);
        while let Some(at) = kept {
            let state = &mut self.kept[at as usize];
            if state.reads.contains(place) {
                return;
            }
            state.reads.insert(place);
            self.changed = true;
            if state.written[usize::from(depth)] & (1 << index) != 0 {
                return;
            }
            kept = state.parent;
        }
    }

    /// Is something not yet known of what is read and what matters after this state?
    fn is_pending(&self, kept: u32) -> bool {
        let inside = self.kept[kept as usize].inside;
        self.visits.is_pending(inside.visit) || self.visits.is_pending(inside.rounds)
    }

    /// One more path below `kept`, which may have been finished but for the entry of its loop.
    fn reopen(&mut self, mut kept: Option<u32>, entry: u32) {
        while let Some(index) = kept {
            let state = &mut self.kept[index as usize];
            state.open += 1;
            if state.open > 1 || index == entry {
                return;
            }
            kept = state.parent;
        }
    }

    /// The open state that was last kept at this instruction, but for `newer` ones, and what
    /// mattered after it.
    pub fn last_round(&self, slot: u32, state: &State, newer: usize) -> Option<(&State, Marks)> {
        let same = |kept: &&Kept| {
            kept.open > 0
                && kept.state.frames.len() == state.frames.len()
                && kept
                    .state
                    .frames
                    .iter()
                    .zip(&state.frames)
                    .all(|(a, b)| (a.call, a.start, a.entries) == (b.call, b.start, b.entries))
        };
        let known = self.by_slot.get(slot as usize)?.iter().rev();
        let mut open = known.map(|&(index, _)| &self.kept[index as usize]).filter(same);
        open.nth(newer).map(|kept| (&kept.state, kept.precise))
    }

    /// Notes that the numbers in these places mattered after the kept state; what is left is what
    /// must be looked for before it.
    pub fn demand(&mut self, kept: u32, wanted: &mut Marks) {
        let state = &mut self.kept[kept as usize];
        for place in wanted.places() {
            if state.precise.contains(place) || !state.state.holds_number(place) {
                wanted.remove(place);
            } else {
                state.precise.insert(place);
                self.changed = true;
            }
        }
    }
}

impl Kept {
    /// What is known up to now of what a path must agree with.
    fn so_far(&self) -> Matter<'_> {
        Matter::SoFar { precise: &self.precise, reads: &self.reads }
    }

    /// No path from here is open any more, and all is known that they read.
    fn finish(&mut self, live: &Liveness) {
        if self.dropped {
            self.state = State::default();
        } else if !self.clean {
            self.state.clean(live_at(&self.state, self.slot, live), &self.reads);
            self.clean = true;
        }
    }
}

/// The registers of each frame that are live where the state was kept.
fn live_at(state: &State, slot: u32, live: &Liveness) -> impl Fn(usize, &Frame) -> u16 + use<> {
    // Where a caller goes on, with what the callee cannot change.
    let back = |frame: &Frame| match (frame.call, frame.callback) {
        (Some(call), Some(_)) => live.at(call),
        (Some(call), None) => live.at(call + 1) & SAVED,
        (None, _) => u16::MAX,
    };
    let mut sets = [u16::MAX; MAX_FRAMES];
    let callees = state.frames.iter().skip(1).map(back);
    sets.iter_mut().zip(callees.chain([live.at(slot)])).for_each(|(set, live)| *set = live);
    move |depth, _| sets.get(depth).copied().unwrap_or(u16::MAX)
}

impl State {
    /// Does a number lie in this place?
    fn holds_number(&self, place: Place) -> bool {
        match place {
            Place::Reg(depth, number) => self
                .frames
                .get(usize::from(depth))
                .is_some_and(|frame| matches!(frame.regs[usize::from(number)], Reg::Scalar(_))),
            Place::Slot(depth, index) => self
                .frames
                .get(usize::from(depth))
                .and_then(|frame| frame.stack.get(usize::from(index)))
                .is_some_and(|stored| {
                    stored.bytes.contains(&Byte::Spilled) && matches!(stored.spilled, Reg::Scalar(_))
                }),
        }
    }
}

impl Walk<'_> {
    /// Whether the path may end here because an earlier state covers it; may keep its state if not.
    pub(super) fn prune(&mut self, state: &State, slot: u32) -> Check<bool> {
        let jumps = self.store.jumps - self.store.last.0;
        let insns = self.stats.insns - self.store.last.1;
        let always = self.cx.eager || self.at.history > KEEP_ALWAYS;
        let bound = self.live.bound(slot);
        let rounds = bound.is_some();
        let mut keep = always || rounds || (jumps >= KEEP_AFTER.0 && insns >= KEEP_AFTER.1);
        let terms = self.terms();
        let capable = self.cx.may(Capability::Bpf);
        // The newest first.
        let crowd = self.store.by_slot[slot as usize].len();
        let mut index = crowd;
        while let Some(next) = index.checked_sub(1) {
            index = next;
            let (known, call) = self.store.by_slot[slot as usize][index];
            if call != state.frame().call {
                continue;
            }
            let inside = self.store.kept[known as usize].inside;
            let is_in_loop = self.store.visits.is_pending(inside.visit);
            let is_pending = is_in_loop || self.store.visits.is_pending(inside.rounds);
            let kept = &mut self.store.kept[known as usize];
            let is_open = kept.open > 0;
            // Of another call of a function that the kernel calls later: no round of one loop.
            let (entries, now) = (kept.state.frame().entries, state.frame().entries);
            let is_apart = entries > 0 && entries != now;
            if !is_open && !is_pending {
                kept.finish(&self.live);
            }
            let covers =
                |matter| kept.state.covers(state, live_at(&kept.state, kept.slot, &self.live), matter, terms);
            let is_covered = match bound {
                _ if is_open && is_apart => false,
                Some(bound) if is_open => bound.holds(&kept.state, state) && covers(Matter::All),
                None if is_open => false,
                _ if is_in_loop => covers(Matter::All),
                _ if is_pending => covers(kept.so_far()),
                _ if !capable => covers(Matter::Numbers),
                _ => covers(Matter::Marked(&kept.precise)),
            };
            if is_covered {
                let trial = inside.rounds.filter(|_| is_pending && !is_open && !is_in_loop);
                let is_sure = trial.is_none() || covers(Matter::All);
                kept.hits += 1;
                let end = Backedge { equal: known, at: self.at, frames: state.frames.len() };
                self.inherit(known, end.frames);
                match trial {
                    Some(rounds) if is_sure => self.store.visits.add(Inside::only(rounds), end),
                    Some(rounds) => {
                        let state = Box::new(state.clone());
                        self.store.visits.add_trial(rounds, Trial { end, state });
                    }
                    None if is_pending || is_open => self.store.visits.add(inside, end),
                    None => {}
                }
                return Ok(true);
            }
            if is_open {
                let may_be_endless = !is_apart && bound.is_none_or(Bound::is_endless_if_equal);
                if may_be_endless && kept.state.equals(state) {
                    return Err(Cause::EndlessLoop { slot });
                }
                if !rounds && !always && jumps < KEEP_IN_LOOP.0 && insns < KEEP_IN_LOOP.1 {
                    keep = false;
                }
            }
            let kept = &mut self.store.kept[known as usize];
            kept.misses += u32::from(keep);
            let patience = if rounds && kept.open > 0 { PATIENCE_IN_ROUNDS } else { PATIENCE };
            if kept.misses > kept.hits * patience + patience {
                kept.dropped = true;
                if !is_open && !is_pending {
                    kept.finish(&self.live);
                }
                self.store.by_slot[slot as usize].remove(index);
                self.store.count -= 1;
            }
        }
        if keep && (capable || crowd <= CROWD) {
            self.keep(state, slot);
        }
        Ok(false)
    }

    fn keep(&mut self, state: &State, slot: u32) {
        let index = self.store.kept.len() as u32;
        // Functions that are called later may be walked in the midst of each other.
        let trial = matches!(state.role, Role::Program | Role::Global) && self.cx.may(Capability::Bpf);
        let inside = self.store.visits.of(state, slot, &self.live, trial);
        self.store.visits.enter(inside, index);
        self.store.kept.push(Kept {
            state: state.clone(),
            slot,
            dropped: false,
            parent: self.at.parent,
            written: self.at.written,
            assigned: self.at.assigned,
            reads: Marks::default(),
            precise: Marks::default(),
            inside,
            clean: false,
            open: 1,
            misses: 0,
            hits: 0,
        });
        self.store.by_slot[slot as usize].push((index, state.frame().call));
        self.store.count += 1;
        self.stats.peak = self.stats.peak.max(self.store.count);
        self.stats.crowd = self.stats.crowd.max(self.store.by_slot[slot as usize].len() as u32);
        self.store.last = (self.store.jumps, self.stats.insns);
        self.stats.states += 1;
        self.at.parent = Some(index);
        self.at.written = [0; MAX_FRAMES];
        self.at.assigned = [0; MAX_FRAMES];
        self.at.history = 0;
        self.at.tip = self.trace.push(self.at.tip, slot, Event::Kept(index));
    }

    /// A path below `kept` has ended.
    pub(super) fn close(&mut self, mut kept: Option<u32>) {
        while let Some(index) = kept {
            let state = &mut self.store.kept[index as usize];
            state.open -= 1;
            if state.open > 0 {
                return;
            }
            kept = state.parent;
            for visit in state.inside.all() {
                if self.store.visits.is_entry(visit, index) && self.settle(visit, index) {
                    return;
                }
            }
            if !self.store.is_pending(index) {
                self.store.kept[index as usize].finish(&self.live);
            }
        }
    }

    /// Hands back what the states depend on at which paths of a loop ended, until all is known.
    ///
    /// Paths that ended on trial where they may not, as is known now, are walked on; are there any?
    fn settle(&mut self, visit: u32, entry: u32) -> bool {
        let (backedges, mut trials) = self.store.visits.take(visit);
        let here = self.at;
        self.store.changed = !backedges.is_empty() || !trials.is_empty();
        while core::mem::take(&mut self.store.changed) {
            for end in backedges.iter().chain(trials.iter().map(|trial| &trial.end)) {
                self.at = end.at;
                self.inherit(end.equal, end.frames);
            }
        }
        self.at = here;
        let terms = self.terms();
        let failed = trials.extract_if(.., |trial| !self.passes(trial, terms));
        let failed: Vec<Trial> = failed.take(MOST_RESUMED).collect();
        if failed.is_empty() {
            self.store.visits.exit(visit);
            return false;
        }
        self.store.visits.put_back(visit, backedges, trials);
        for Trial { end, state } in failed {
            self.store.reopen(end.at.parent, entry);
            self.resume(*state, self.store.kept(end.equal).slot, end.at);
        }
        true
    }

    /// Does the state at which a path ended cover it, as far as is known?
    fn passes(&self, trial: &Trial, terms: Terms) -> bool {
        let kept = self.store.kept(trial.end.equal);
        let live = live_at(&kept.state, kept.slot, &self.live);
        kept.state.covers(&trial.state, live, kept.so_far(), terms)
    }

    fn terms(&self) -> Terms {
        Terms { lenient: self.cx.trust().uninit, exact: self.guesses.exact }
    }

    /// A path with so many frames ends at a state that covers it: what was read and what mattered
    /// after that state is read and matters after the path's own ancestors too.
    fn inherit(&mut self, known: u32, frames: usize) {
        let kept = &self.store.kept[known as usize];
        let reads = kept.reads;
        let mut wanted = kept.precise;
        for place in wanted.places() {
            if !kept.state.holds_number(place) {
                wanted.remove(place);
            }
        }
        for (depth, &slots) in reads.slots.iter().enumerate() {
            for index in bits(slots) {
                self.read_slot(depth as u8, index);
            }
        }
        self.log_inherited(&wanted, frames);
        self.trace_back(wanted, frames - 1);
    }

    /// The running path reads a stack slot.
    pub(super) fn read_slot(&mut self, depth: u8, index: u8) {
        if self.at.written[usize::from(depth)] & (1 << index) == 0 {
            self.store.read(self.at.parent, depth, index);
        }
    }

    /// The running path reads the stack from `start` to `end`.
    pub(super) fn read_stack(&mut self, depth: u32, start: i32, end: i32) {
        for index in slots_between(start, end) {
            self.read_slot(depth as u8, index);
        }
    }

    /// The running path overwrites a whole stack slot.
    pub(super) fn wrote_slot(&mut self, depth: u32, start: i32) {
        if let Some(index) = slots_between(start, start + 8).next() {
            self.at.written[depth as usize] |= 1 << index;
        }
    }
}

/// Indices of the stack slots with the bytes from `start` to `end`, all below the frame pointer.
pub fn slots_between(start: i32, end: i32) -> impl Iterator<Item = u8> {
    let first = (-end).div_euclid(8).max(0) as u8;
    let last = ((-start - 1).div_euclid(8)).clamp(-1, 63) as i16;
    (i16::from(first)..=last).map(|index| index as u8)
}
