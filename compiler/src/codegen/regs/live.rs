//! Which virtual registers are live at the end of each block.
//!
//! Most registers live within one block; only the others get a bit.

use super::Work;
use crate::codegen::bits::ones;
use crate::codegen::mir::{Block, Reg};
use crate::ir::Arena;

/// Sets of registers at the ends of blocks.
pub struct Liveness {
    /// Registers that live across blocks, by bit.
    globals: Vec<Reg>,
    live_out: Arena<Block, Vec<u64>>,
}

impl Liveness {
    /// Computes the sets.
    pub fn new(work: &Work<'_>) -> Liveness {
        let mut global = vec![None; work.func.regs];
        let mut globals = Vec::new();
        let mut written = vec![None; work.func.regs];
        for &block in &work.flow.rpo {
            for step in &work.steps[block] {
                step.inst.op.for_each_reg(|reg, role| {
                    let exposed = role.reads() && reg.is_virtual() && written[reg.index()] != Some(block);
                    if exposed && global[reg.index()].is_none() {
                        global[reg.index()] = Some(globals.len());
                        globals.push(reg);
                    }
                    if role.writes() {
                        written[reg.index()] = Some(block);
                    }
                });
            }
        }
        let words = globals.len().div_ceil(64);
        let mut live = Liveness { globals, live_out: Arena::filled(&work.func.blocks, vec![0; words]) };
        live.solve(work, &global, words);
        live
    }

    /// Registers that are live at the end of a block.
    pub fn live_out(&self, block: Block) -> impl Iterator<Item = Reg> {
        ones(&self.live_out[block]).map(|bit| self.globals[bit])
    }

    fn solve(&mut self, work: &Work<'_>, global: &[Option<usize>], words: usize) {
        let mut reads = Arena::filled(&work.func.blocks, vec![0u64; words]);
        let mut writes = Arena::filled(&work.func.blocks, vec![0u64; words]);
        for &block in &work.flow.rpo {
            let (reads, writes) = (&mut reads[block], &mut writes[block]);
            for step in &work.steps[block] {
                step.inst.op.for_each_reg(|reg, role| {
                    let Some(bit) = global.get(reg.index()).copied().flatten() else { return };
                    let (word, mask) = (bit / 64, 1u64 << (bit % 64));
                    if role.reads() && writes[word] & mask == 0 {
                        reads[word] |= mask;
                    }
                    if role.writes() {
                        writes[word] |= mask;
                    }
                });
            }
        }
        let mut changed = true;
        while changed {
            changed = false;
            for &block in work.flow.rpo.iter().rev() {
                for next in work.func.successors(block) {
                    for word in 0..words {
                        let live_in = reads[next][word] | (self.live_out[next][word] & !writes[next][word]);
                        let new = self.live_out[block][word] | live_in;
                        changed |= new != self.live_out[block][word];
                        self.live_out[block][word] = new;
                    }
                }
            }
        }
    }
}

/// Registers that are live: quick to change and to list.
pub struct LiveSet {
    list: Vec<Reg>,
    position: Vec<u32>,
}

impl LiveSet {
    const ABSENT: u32 = u32::MAX;

    /// The empty set.
    pub fn new(regs: usize) -> LiveSet {
        LiveSet { list: Vec::new(), position: vec![LiveSet::ABSENT; regs] }
    }

    /// Adds a register.
    pub fn insert(&mut self, reg: Reg) {
        if self.position[reg.index()] == LiveSet::ABSENT {
            self.position[reg.index()] = self.list.len() as u32;
            self.list.push(reg);
        }
    }

    /// Takes a register away.
    pub fn remove(&mut self, reg: Reg) {
        let position = std::mem::replace(&mut self.position[reg.index()], LiveSet::ABSENT);
        if position != LiveSet::ABSENT {
            self.list.swap_remove(position as usize);
            if let Some(&moved) = self.list.get(position as usize) {
                self.position[moved.index()] = position;
            }
        }
    }

    /// Is the register in the set?
    pub fn contains(&self, reg: Reg) -> bool {
        self.position[reg.index()] != LiveSet::ABSENT
    }

    /// The registers, in no particular order.
    pub fn list(&self) -> &[Reg] {
        &self.list
    }

    /// Takes all registers away.
    pub fn clear(&mut self) {
        for reg in self.list.drain(..) {
            self.position[reg.index()] = LiveSet::ABSENT;
        }
    }
}
