//! Which virtual registers are live at the end of each block.
//!
//! Most registers live within one block; only the others get a bit.

use super::Work;
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
        let words = self.live_out[block].iter().enumerate();
        words.flat_map(move |(i, &word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| self.globals[i * 64 + bit])
        })
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
