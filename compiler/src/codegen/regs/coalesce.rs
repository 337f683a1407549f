//! Iterated register coalescing: simplify, coalesce, freeze, spill, select.
//!
//! L. George, A. Appel, "Iterated Register Coalescing", TOPLAS 1996. Moves that run often are
//! tried first; where coalescing was too risky, colours are still chosen to make moves vanish.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Work;
use super::graph::{COLOURS, Graph, UNSPILLABLE};
use super::lists::Lists;
use crate::codegen::mir::{Op, Reg};

/// The outcome of one round.
pub struct Colouring {
    /// The machine register of each register, itself for machine registers.
    pub colours: Vec<Option<Reg>>,
    /// Registers without colour, each with everything that was coalesced with it, and how they
    /// can be made again.
    pub spilled: Vec<Spilled>,
}

/// A register that needs a home in the frame, or must be made again where it is read.
pub struct Spilled {
    /// All registers that share the home.
    pub members: Vec<Reg>,
    /// The instruction that makes the value again.
    pub remade: Option<Op>,
}

/// Neighbours and moves of a register that are too many to be copied often.
const LARGE: usize = 256;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Not in the code, or a machine register.
    Outside,
    /// Few neighbours and in no move that may vanish.
    Simplify,
    /// Few neighbours and in moves that may vanish.
    Freeze,
    /// Many neighbours.
    Spill,
    /// Waits on the stack for a colour.
    Stacked,
    /// Part of another register.
    Coalesced,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum MoveState {
    /// To be tried.
    Ready,
    /// Was too risky; tried again when a neighbour goes away.
    Waiting,
    /// Done with: coalesced, impossible, or given up.
    Done,
}

struct Colourer {
    graph: Graph,
    state: Vec<State>,
    alias: Vec<Reg>,
    moves_of: Lists,
    /// By register: how many of its moves are not done with; those within it count twice.
    undone: Vec<u32>,
    /// By virtual register: how many of its neighbours are machine registers or have many neighbours.
    heavy: Vec<u32>,
    move_state: Vec<MoveState>,
    /// By virtual register: moves of it that may wait.
    waiting: Lists,
    /// Registers with moves that wait for what has happened since, and whether each is among them.
    eased: (Vec<Reg>, Vec<bool>),
    /// Moves to try, by position in the list of moves, so the heaviest comes first, and some that were given up.
    ready: BinaryHeap<Reverse<u32>>,
    simplify: Vec<Reg>,
    freeze: Vec<Reg>,
    /// Candidates with the ratio they had; it is never less than that as long as there is no other entry.
    spill: BinaryHeap<Reverse<(u128, Reg)>>,
    stack: Vec<Reg>,
    /// Room for lists of neighbours, one after the other.
    list: Vec<Reg>,
}

/// Colours the graph as far as possible.
pub fn colour(work: &Work<'_>, graph: Graph) -> Colouring {
    let regs = work.func.regs;
    let mut moves_of = Lists::new(regs);
    for (i, m) in graph.moves.iter().enumerate() {
        moves_of.push(m.dst, i as u32);
        moves_of.push(m.src, i as u32);
    }
    let undone = (0..regs).map(|reg| moves_of.len(Reg::from_index(reg)) as u32).collect();
    let count = graph.moves.len();
    let mut colourer = Colourer {
        graph,
        state: vec![State::Outside; regs],
        alias: (0..regs).map(Reg::from_index).collect(),
        moves_of,
        undone,
        heavy: vec![0; regs],
        move_state: vec![MoveState::Ready; count],
        waiting: Lists::new(regs),
        eased: (Vec::new(), vec![false; regs]),
        ready: (0..count as u32).map(Reverse).collect(),
        simplify: Vec::new(),
        freeze: Vec::new(),
        spill: BinaryHeap::new(),
        stack: Vec::new(),
        list: Vec::new(),
    };
    colourer.run();
    colourer.select()
}

impl Colourer {
    fn run(&mut self) {
        for index in Reg::FIRST_VIRTUAL as usize..self.alias.len() {
            let neighbours = &self.graph.neighbours[index];
            self.heavy[index] = neighbours.iter().filter(|&&other| self.is_heavy(other)).count() as u32;
        }
        for index in (Reg::FIRST_VIRTUAL as usize..self.alias.len()).rev() {
            if self.graph.used[index] {
                self.classify(Reg::from_index(index));
            }
        }
        loop {
            if let Some(reg) = pop(&mut self.simplify, &self.state, State::Simplify) {
                self.push(reg);
            } else if let Some(index) = self.next_move() {
                self.coalesce(index);
            } else if let Some(reg) = pop(&mut self.freeze, &self.state, State::Freeze) {
                self.set(reg, State::Simplify);
                self.give_up_moves(reg);
            } else if let Some(reg) = self.spill_candidate() {
                self.set(reg, State::Simplify);
                self.give_up_moves(reg);
            } else {
                break;
            }
        }
    }

    fn set(&mut self, reg: Reg, state: State) {
        self.state[reg.index()] = state;
        match state {
            State::Simplify => self.simplify.push(reg),
            State::Freeze => self.freeze.push(reg),
            State::Spill => self.spill.push(Reverse((self.ratio(reg), reg))),
            State::Outside | State::Stacked | State::Coalesced => {}
        }
    }

    fn classify(&mut self, reg: Reg) {
        let state = if self.graph.degree[reg.index()] >= COLOURS {
            State::Spill
        } else if self.move_related(reg) {
            State::Freeze
        } else {
            State::Simplify
        };
        self.set(reg, state);
    }

    fn move_related(&self, reg: Reg) -> bool {
        self.undone[reg.index()] > 0
    }

    /// Nothing more is to be done about a move between these.
    fn finish(&mut self, index: u32, dst: Reg, src: Reg) {
        if std::mem::replace(&mut self.move_state[index as usize], MoveState::Done) != MoveState::Done {
            self.undone[dst.index()] -= 1;
            self.undone[src.index()] -= 1;
        }
    }

    fn is_gone(&self, reg: Reg) -> bool {
        matches!(self.state[reg.index()], State::Stacked | State::Coalesced)
    }

    fn neighbours(&self, reg: Reg) -> impl Iterator<Item = Reg> {
        self.graph.neighbours[reg.index()].iter().copied().filter(|&other| !self.is_gone(other))
    }

    /// Does something with each neighbour that there is before that.
    fn with_neighbours(&mut self, reg: Reg, mut act: impl FnMut(&mut Colourer, Reg)) {
        let mut list = std::mem::take(&mut self.list);
        let start = list.len();
        list.extend(self.neighbours(reg));
        let end = list.len();
        self.list = list;
        for at in start..end {
            let other = self.list[at];
            act(self, other);
        }
        self.list.truncate(start);
    }

    /// The heaviest move that is to be tried.
    fn next_move(&mut self) -> Option<u32> {
        while let Some(reg) = self.eased.0.pop() {
            self.eased.1[reg.index()] = false;
            self.enable_moves(reg);
        }
        std::iter::from_fn(|| self.ready.pop())
            .map(|Reverse(index)| index)
            .find(|&index| self.move_state[index as usize] == MoveState::Ready)
    }

    fn push(&mut self, reg: Reg) {
        self.state[reg.index()] = State::Stacked;
        self.stack.push(reg);
        let heavy = self.is_heavy(reg);
        self.with_neighbours(reg, |colourer, other| colourer.decrement(other, heavy));
    }

    /// Is it a machine register, or one with many neighbours?
    fn is_heavy(&self, reg: Reg) -> bool {
        !reg.is_virtual() || self.graph.degree[reg.index()] >= COLOURS
    }

    /// A neighbour, such a one or not, is gone.
    fn decrement(&mut self, reg: Reg, heavy: bool) {
        if !reg.is_virtual() {
            return;
        }
        if heavy {
            self.heavy[reg.index()] -= 1;
            self.ease(reg);
        }
        let degree = &mut self.graph.degree[reg.index()];
        *degree -= 1;
        if *degree + 1 == COLOURS {
            let enable = self.state[reg.index()] == State::Spill;
            if enable {
                self.enable_moves(reg);
            }
            self.with_neighbours(reg, |colourer, other| {
                colourer.heavy[other.index()] -= u32::from(other.is_virtual());
                if enable {
                    colourer.enable_moves(other);
                }
            });
            if enable {
                self.classify(reg);
            }
        }
    }

    /// Makes two registers that are there differ.
    fn add_edge(&mut self, a: Reg, b: Reg) {
        let heavy = [self.is_heavy(a), self.is_heavy(b)];
        if !self.graph.add_edge(a, b) {
            return;
        }
        self.heavy[a.index()] += u32::from(heavy[1]);
        self.heavy[b.index()] += u32::from(heavy[0]);
        for (reg, before) in [a, b].into_iter().zip(heavy) {
            if before && reg.is_virtual() && !(a.is_virtual() && b.is_virtual()) {
                // It no longer keeps others from joining the machine register.
                self.with_neighbours(reg, Colourer::ease);
            }
            if !before && self.is_heavy(reg) {
                self.with_neighbours(reg, |colourer, other| colourer.heavy[other.index()] += 1);
            }
        }
    }

    /// Moves of a register may have become safe.
    fn ease(&mut self, reg: Reg) {
        if self.waiting.first(reg).is_some() && !std::mem::replace(&mut self.eased.1[reg.index()], true) {
            self.eased.0.push(reg);
        }
    }

    fn enable_moves(&mut self, reg: Reg) {
        let mut at = self.waiting.take(reg);
        while let Some(m) = self.waiting.next(&mut at) {
            if self.move_state[m as usize] == MoveState::Waiting {
                self.move_state[m as usize] = MoveState::Ready;
                self.ready.push(Reverse(m));
            }
        }
    }

    fn find(&mut self, mut reg: Reg) -> Reg {
        while self.state[reg.index()] == State::Coalesced {
            let up = self.alias[reg.index()];
            // The next search has half as far to go.
            self.alias[reg.index()] = self.alias[up.index()];
            reg = up;
        }
        reg
    }

    fn coalesce(&mut self, index: u32) {
        let m = self.graph.moves[index as usize];
        let (dst, src) = (self.find(m.dst), self.find(m.src));
        // The machine register, if one is, comes first; then the one that would take long to join another.
        let turned = !src.is_virtual() || dst.is_virtual() && self.is_larger(src, dst);
        let (keep, join) = if turned { (src, dst) } else { (dst, src) };
        if keep == join {
            self.finish(index, dst, src);
            self.reclassify(keep);
        } else if !join.is_virtual() || self.graph.interfere(keep, join) {
            self.finish(index, dst, src);
            self.reclassify(keep);
            self.reclassify(join);
        } else if self.is_safe(keep, join) {
            self.finish(index, dst, src);
            self.combine(keep, join);
            self.reclassify(keep);
        } else {
            self.move_state[index as usize] = MoveState::Waiting;
            for reg in [keep, join].into_iter().filter(|reg| reg.is_virtual()) {
                self.waiting.push(reg, index);
            }
        }
    }

    /// Has the register so much more to it that the other should join it?
    fn is_larger(&self, reg: Reg, other: Reg) -> bool {
        let size = |reg: Reg| self.graph.neighbours[reg.index()].len() + self.moves_of.len(reg);
        size(reg) > LARGE && size(reg) > size(other)
    }

    /// A register that lost its last move may be simplified.
    fn reclassify(&mut self, reg: Reg) {
        let few = self.graph.degree[reg.index()] < COLOURS;
        if reg.is_virtual() && few && self.state[reg.index()] == State::Freeze && !self.move_related(reg) {
            self.set(reg, State::Simplify);
        }
    }

    /// Is the graph after coalescing as easy to colour as before?
    fn is_safe(&mut self, keep: Reg, join: Reg) -> bool {
        self.tidy(keep);
        self.tidy(join);
        if !keep.is_virtual() {
            // George: every neighbour is no new trouble for the machine register.
            return self.neighbours(join).all(|other| {
                !other.is_virtual()
                    || self.graph.degree[other.index()] < COLOURS
                    || self.graph.interfere(other, keep)
            });
        }
        // Briggs: fewer neighbours of high degree than colours. Those of one are counted, those of the other are
        // looked at: what both have counts once, and loses a neighbour.
        let count = |reg: Reg| self.graph.neighbours[reg.index()].len();
        let (many, few) = if count(keep) < count(join) { (join, keep) } else { (keep, join) };
        let heavy = self.neighbours(few).fold(i64::from(self.heavy[many.index()]), |heavy, other| match self
            .graph
            .interfere(other, many)
        {
            true => heavy - i64::from(other.is_virtual() && self.graph.degree[other.index()] == COLOURS),
            false => heavy + i64::from(self.is_heavy(other)),
        });
        heavy < COLOURS as i64
    }

    /// Drops neighbours that are gone where they are most: they get their colours later.
    fn tidy(&mut self, reg: Reg) {
        let (degree, count) = (self.graph.degree[reg.index()], self.graph.neighbours[reg.index()].len());
        if reg.is_virtual() && count > 2 * degree + COLOURS {
            let mut list = std::mem::take(&mut self.graph.neighbours[reg.index()]);
            list.retain(|&other| !self.is_gone(other));
            self.graph.neighbours[reg.index()] = list;
        }
    }

    fn combine(&mut self, keep: Reg, join: Reg) {
        self.state[join.index()] = State::Coalesced;
        self.alias[join.index()] = keep;
        self.moves_of.join(keep, join);
        self.undone[keep.index()] += self.undone[join.index()];
        self.enable_moves(join);
        self.enable_moves(keep);
        let (a, b) = (self.graph.cost[keep.index()], self.graph.cost[join.index()]);
        // Together with a spillable register it can be spilled.
        self.graph.cost[keep.index()] = match (a, b) {
            (UNSPILLABLE, other) | (other, UNSPILLABLE) => other,
            _ => a.saturating_add(b).min(UNSPILLABLE - 1),
        };
        if self.graph.remade[keep.index()] != self.graph.remade[join.index()] {
            self.graph.remade[keep.index()] = None;
        }
        let heavy = self.is_heavy(join);
        self.with_neighbours(join, |colourer, other| {
            colourer.add_edge(other, keep);
            colourer.decrement(other, heavy);
        });
        let many = self.graph.degree[keep.index()] >= COLOURS;
        if keep.is_virtual() && many && matches!(self.state[keep.index()], State::Freeze | State::Spill) {
            self.set(keep, State::Spill);
        }
    }

    fn give_up_moves(&mut self, reg: Reg) {
        let mut at = self.moves_of.first(reg);
        while let Some(m) = self.moves_of.next(&mut at) {
            if self.move_state[m as usize] == MoveState::Done {
                continue;
            }
            let Ends { dst, src } = self.ends(m);
            self.finish(m, dst, src);
            let other = if dst == reg { src } else { dst };
            self.reclassify(other);
        }
    }

    fn ends(&mut self, m: u32) -> Ends {
        let m = self.graph.moves[m as usize];
        Ends { dst: self.find(m.dst), src: self.find(m.src) }
    }

    /// The register that costs least for each neighbour it frees.
    fn spill_candidate(&mut self) -> Option<Reg> {
        while let Some(Reverse((ratio, reg))) = self.spill.pop() {
            let now = self.ratio(reg);
            match self.state[reg.index()] == State::Spill {
                true if now == ratio => return Some(reg),
                true => self.spill.push(Reverse((now, reg))),
                false => {}
            }
        }
        None
    }

    fn ratio(&self, reg: Reg) -> u128 {
        let (cost, degree) = (self.graph.cost[reg.index()], self.graph.degree[reg.index()]);
        (u128::from(cost) << 32) / degree.max(1) as u128
    }

    fn select(mut self) -> Colouring {
        let regs = self.alias.len();
        let mut colours: Vec<Option<Reg>> = vec![None; regs];
        for machine in colours.iter_mut().enumerate().take(Reg::FIRST_VIRTUAL as usize) {
            *machine.1 = Some(Reg::from_index(machine.0));
        }
        let mut uncoloured = Vec::new();
        while let Some(reg) = self.stack.pop() {
            let mut free = (1u16 << COLOURS) - 1;
            for other in std::mem::take(&mut self.graph.neighbours[reg.index()]) {
                if let Some(colour) = colours[self.find(other).index()] {
                    free &= !(1 << colour.index());
                }
            }
            match self.pick(reg, free, &colours) {
                Some(colour) => colours[reg.index()] = Some(colour),
                None => uncoloured.push(reg),
            }
        }
        let any = !uncoloured.is_empty();
        let mut members = vec![Vec::new(); if any { regs } else { 0 }];
        for index in 0..regs {
            let reg = Reg::from_index(index);
            let leader = self.find(reg);
            colours[index] = colours[leader.index()];
            if any && colours[index].is_none() {
                members[leader.index()].push(reg);
            }
        }
        let spilled = uncoloured
            .into_iter()
            .map(|reg| Spilled {
                members: std::mem::take(&mut members[reg.index()]),
                remade: self.graph.remade[reg.index()],
            })
            .collect();
        Colouring { colours, spilled }
    }

    /// A free colour; one that makes a move vanish if possible.
    fn pick(&mut self, reg: Reg, free: u16, colours: &[Option<Reg>]) -> Option<Reg> {
        if free == 0 {
            return None;
        }
        let mut at = self.moves_of.first(reg);
        while let Some(m) = self.moves_of.next(&mut at) {
            let Ends { dst, src } = self.ends(m);
            let other = if dst == reg { src } else { dst };
            let liked = colours[other.index()].filter(|colour| free >> colour.index() & 1 == 1);
            if liked.is_some() {
                return liked;
            }
        }
        ORDER.into_iter().find(|&colour| free >> colour & 1 == 1).map(Reg::from_index)
    }
}

/// Registers as they are given out: what calls destroy first, of these the ones that few calls read. `r0` is kept
/// for what the function returns, which may be put there early.
const ORDER: [usize; 10] = [5, 4, 3, 2, 1, 0, 6, 7, 8, 9];

/// The ends of a move after coalescing.
struct Ends {
    dst: Reg,
    src: Reg,
}

/// The last entry that is still in this state; entries whose state changed are stale.
fn pop(list: &mut Vec<Reg>, state: &[State], wanted: State) -> Option<Reg> {
    while let Some(reg) = list.pop() {
        if state[reg.index()] == wanted {
            return Some(reg);
        }
    }
    None
}
