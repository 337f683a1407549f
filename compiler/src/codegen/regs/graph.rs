//! The interference graph: which registers must differ, which would like to be equal.

use super::live::{LiveSet, Liveness};
use super::{Generation, Work};
use crate::codegen::bits::in_word;
use crate::codegen::mir::{Op, Reg, Role};
use crate::hash::LookupSet;

/// How many machine registers there are to allocate: `r0` to `r9`.
pub const COLOURS: usize = 10;

/// The cost of a register that must not be spilled.
pub const UNSPILLABLE: u64 = u64::MAX;

/// Rounds in which copies that are not always the same are sorted out.
const COPIES: usize = 4;

/// A move whose operands would like to be one register.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// Written.
    pub dst: Reg,
    /// Read.
    pub src: Reg,
    /// How often it runs, estimated.
    pub weight: u64,
}

/// See the module.
pub struct Graph {
    /// By register: the machine registers that it must differ from, one bit each.
    machine: Vec<u16>,
    /// Virtual registers that must differ.
    pairs: Pairs,
    /// Neighbours of virtual registers.
    pub neighbours: Vec<Vec<Reg>>,
    /// Number of neighbours, machine registers included.
    pub degree: Vec<usize>,
    /// All moves, those that run most often first.
    pub moves: Vec<Move>,
    /// What it costs to keep each register in the frame.
    pub cost: Vec<u64>,
    /// Is the register named anywhere?
    pub used: Vec<bool>,
    /// How each register that can be made again is made.
    pub remade: Vec<Option<Op>>,
}

impl Graph {
    /// Builds the graph of the code as it is now.
    pub fn new(work: &Work<'_>, live: &Liveness) -> Graph {
        let regs = work.func.regs;
        let mut graph = Graph {
            machine: vec![0; regs],
            pairs: Pairs::new(regs),
            neighbours: vec![Vec::new(); regs],
            degree: vec![0; regs],
            moves: Vec::new(),
            cost: vec![0; regs],
            used: vec![false; regs],
            remade: vec![None; regs],
        };
        let mut set = LiveSet::new(regs);
        for &block in &work.flow.rpo {
            set.clear();
            live.live_out(block).for_each(|reg| set.insert(reg));
            let weight = weight(work.flow.depth(block));
            for step in work.steps[block].iter().rev() {
                graph.step(&step.inst.op, &mut set, weight);
            }
        }
        // The order of the search for equal weights is that of the blocks.
        graph.moves.sort_by_key(|m| std::cmp::Reverse(m.weight));
        graph.find_remade(work);
        graph.find_costs(work);
        graph
    }

    fn step(&mut self, op: &Op, live: &mut LiveSet, weight: u64) {
        if let Op::Mov { dst, src } = *op {
            live.remove(src);
            self.moves.push(Move { dst, src, weight });
        }
        let (mut machine, mut written) = (op.clobbers() & ((1 << COLOURS) - 1), None);
        op.for_each_reg(|reg, role| {
            self.used[reg.index()] = true;
            match role.writes() {
                true if reg.is_virtual() => written = Some(reg),
                true => machine |= 1 << reg.index(),
                false => {}
            }
        });
        if machine != 0 {
            let machines = || in_word(machine.into()).map(Reg::from_index);
            machines().for_each(|reg| live.insert(reg));
            for &reg in live.list().iter().filter(|reg| reg.is_virtual()) {
                self.add_machines(reg, machine);
            }
            machines().for_each(|reg| live.remove(reg));
        }
        if let Some(reg) = written {
            live.insert(reg);
            for &other in live.list() {
                self.add_edge(reg, other);
            }
            live.remove(reg);
        }
        op.for_each_reg(|reg, role| {
            if role.reads() {
                live.insert(reg);
            }
        });
    }

    /// Must these two differ?
    pub fn interfere(&self, a: Reg, b: Reg) -> bool {
        match (a.is_virtual(), b.is_virtual()) {
            (true, true) => self.pairs.contains(a, b, &self.neighbours),
            (true, false) => self.machine[a.index()] >> b.index() & 1 == 1,
            (false, true) => self.machine[b.index()] >> a.index() & 1 == 1,
            (false, false) => a != b,
        }
    }

    /// Makes two registers differ. Whether they did not before.
    pub fn add_edge(&mut self, a: Reg, b: Reg) -> bool {
        match (a.is_virtual(), b.is_virtual()) {
            (true, true) => {
                if a == b || !self.pairs.is_new(a, b, &self.neighbours) {
                    return false;
                }
                for (reg, other) in [(a, b), (b, a)] {
                    self.add_neighbour(reg, other);
                }
                true
            }
            (true, false) => self.add_machines(a, 1 << b.index()),
            (false, true) => self.add_machines(b, 1 << a.index()),
            (false, false) => false,
        }
    }

    /// Makes a virtual register differ from these machine registers. Whether it did not from some before.
    fn add_machines(&mut self, reg: Reg, machine: u16) -> bool {
        let new = machine & !self.machine[reg.index()];
        self.machine[reg.index()] |= new;
        in_word(new.into()).for_each(|other| self.add_neighbour(reg, Reg::from_index(other)));
        new != 0
    }

    fn add_neighbour(&mut self, reg: Reg, other: Reg) {
        self.neighbours[reg.index()].push(other);
        self.degree[reg.index()] += 1;
        self.pairs.note(reg, &self.neighbours[reg.index()]);
    }

    /// Registers all of whose definitions do the same from nothing, or copy registers that do.
    fn find_remade(&mut self, work: &Work<'_>) {
        let mut mixed = vec![false; work.func.regs];
        let mut copies = Vec::new();
        for &block in &work.flow.rpo {
            for step in &work.steps[block] {
                let op = step.inst.op;
                if let Op::Mov { dst, src } = op
                    && dst.is_virtual()
                    && src.is_virtual()
                {
                    copies.push((dst.index(), src.index()));
                    continue;
                }
                match op.rematerialised().filter(|_| step.inst.core.is_none()) {
                    Some(reg) => {
                        let (known, template) = (&mut self.remade[reg.index()], template(op));
                        mixed[reg.index()] |= *known.get_or_insert(template) != template;
                    }
                    None => op.for_each_reg(|reg, role| mixed[reg.index()] |= role.writes()),
                }
            }
        }
        // Nothing makes a machine register again.
        mixed[..Reg::FIRST_VIRTUAL as usize].fill(true);
        for (known, _) in self.remade.iter_mut().zip(&mixed).filter(|(_, mixed)| **mixed) {
            *known = None;
        }
        self.find_copied(&copies, &mixed);
        for (known, reload) in self.remade.iter_mut().zip(&work.reload) {
            if let (None, Some(reload)) = (&known, reload) {
                *known = Some(*reload);
            }
        }
    }

    /// Copies, in order of the code, make their destinations what their sources are.
    fn find_copied(&mut self, copies: &[(usize, usize)], mixed: &[bool]) {
        for &(dst, src) in copies {
            if !mixed[dst] && self.remade[dst].is_none() {
                self.remade[dst] = self.remade[src];
            }
        }
        // What was wrong about one may be wrong about its copies; long chains of that are not followed.
        for round in 0..COPIES {
            let mut changed = false;
            for &(dst, src) in copies {
                if self.remade[dst].is_some() && (round + 1 == COPIES || self.remade[src] != self.remade[dst])
                {
                    self.remade[dst] = None;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
    }

    fn find_costs(&mut self, work: &Work<'_>) {
        for &block in &work.flow.rpo {
            let weight = weight(work.flow.depth(block));
            for step in &work.steps[block] {
                let op = step.inst.op;
                op.for_each_reg(|reg, role| {
                    let index = reg.index();
                    // A copy of what is made again becomes the making.
                    let copied = u64::from(matches!(op, Op::Mov { .. }));
                    let again = self.remade[index].as_ref().map_or(1, |made| size(made) - copied);
                    if role.reads() {
                        self.cost[index] = self.cost[index].saturating_add(weight * again);
                    }
                    // What is made again need not be stored.
                    if role.writes() && self.remade[index].is_none() {
                        self.cost[index] = self.cost[index].saturating_add(weight);
                    }
                });
            }
        }
        for (cost, generation) in self.cost.iter_mut().zip(&work.generation) {
            if *generation == Generation::Instant {
                *cost = UNSPILLABLE;
            }
        }
    }
}

/// Which pairs of virtual registers are neighbours: a bit for each where they are few. Else most have few
/// neighbours, whose list is shorter than the way to a table that no cache holds: only pairs of which one has many
/// are in a table.
enum Pairs {
    Bits(Vec<u64>),
    Listed(LookupSet<u64>),
}

/// So many registers are few.
const FEW: usize = 2048;

/// So many neighbours are many.
const MANY: usize = 32;

impl Pairs {
    fn new(regs: usize) -> Pairs {
        match regs <= FEW {
            true => Pairs::Bits(vec![0; (regs * regs).div_ceil(128)]),
            false => Pairs::Listed(LookupSet::default()),
        }
    }

    /// The number of a pair: those with the same higher register follow each other.
    fn number(a: Reg, b: Reg) -> u64 {
        let (low, high) = (a.index().min(b.index()) as u64, a.index().max(b.index()) as u64);
        high * (high - 1) / 2 + low
    }

    /// Are these neighbours? Registers that were taken out of lists are not asked about.
    fn contains(&self, a: Reg, b: Reg, neighbours: &[Vec<Reg>]) -> bool {
        if a == b {
            return false;
        }
        let number = Pairs::number(a, b);
        match self {
            Pairs::Bits(bits) => bits[number as usize / 64] >> (number % 64) & 1 == 1,
            Pairs::Listed(table) => {
                let (of_a, of_b) = (&neighbours[a.index()], &neighbours[b.index()]);
                let (list, other) = if of_a.len() < of_b.len() { (of_a, b) } else { (of_b, a) };
                if list.len() < MANY { list.contains(&other) } else { table.contains(&number) }
            }
        }
    }

    /// Are these not neighbours so far? They become neighbours: their lists are longer next time.
    fn is_new(&mut self, a: Reg, b: Reg, neighbours: &[Vec<Reg>]) -> bool {
        let number = Pairs::number(a, b);
        match self {
            Pairs::Bits(bits) => {
                let word = &mut bits[number as usize / 64];
                let before = *word;
                *word |= 1 << (number % 64);
                before != *word
            }
            Pairs::Listed(_) => !self.contains(a, b, neighbours),
        }
    }

    /// Takes note of a register's newest neighbour, the last in the list.
    fn note(&mut self, reg: Reg, list: &[Reg]) {
        let Pairs::Listed(table) = self else { return };
        // Those before many were found by the list.
        let news = match list.len() {
            0..MANY => return,
            MANY => list,
            longer => &list[longer - 1..],
        };
        let others = news.iter().filter(|other| other.is_virtual());
        table.extend(others.map(|&other| Pairs::number(reg, other)));
    }
}

/// The instruction without the register it defines, so that equal ones compare equal.
pub fn template(mut op: Op) -> Op {
    op.map_regs(|reg, role| if role == Role::Def { Reg::from_index(0) } else { reg });
    op
}

/// Slots of the instruction that makes a value again.
fn size(op: &Op) -> u64 {
    match op {
        Op::Imm64 { .. } | Op::Symbol { .. } | Op::Frame { .. } => 2,
        _ => 1,
    }
}

/// How often code within so many loops runs, estimated.
fn weight(depth: u32) -> u64 {
    8u64.saturating_pow(depth.min(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_in_lists_are_those_of_bits() {
        let regs = 80;
        let mut bits = Pairs::new(regs);
        let mut table = Pairs::Listed(LookupSet::default());
        let mut lists: Vec<Vec<Reg>> = vec![Vec::new(); regs];
        let mut state = 1u64;
        let mut below = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % n
        };
        for _ in 0..20_000 {
            // Some registers have more neighbours than others; all are asked about again and again.
            let a = Reg::from_index(below(69).min(below(69)) as usize + 11);
            let b = Reg::from_index(below(80) as usize);
            let known = lists[a.index()].contains(&b);
            if b.is_virtual() {
                assert_eq!(bits.contains(a, b, &lists), known, "{a:?} {b:?}");
                assert_eq!(table.contains(a, b, &lists), known, "{a:?} {b:?}");
            }
            if a != b && below(8) == 0 {
                if b.is_virtual() {
                    assert_eq!(bits.is_new(a, b, &lists), !known, "{a:?} {b:?}");
                    assert_eq!(table.is_new(a, b, &lists), !known, "{a:?} {b:?}");
                }
                if known {
                    continue;
                }
                for (reg, other) in [(a, b), (b, a)].into_iter().filter(|(reg, _)| reg.is_virtual()) {
                    lists[reg.index()].push(other);
                    table.note(reg, &lists[reg.index()]);
                }
            }
        }
        assert!(lists.iter().any(|list| list.len() > MANY));
    }
}
