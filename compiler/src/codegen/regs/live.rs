//! Which virtual registers are live at the end of each block.
//!
//! Most registers live within one block. Each of the others is followed from the blocks that read it before
//! they write it back to those that write it, so that the work is as much as there is to say.

use super::Work;
use crate::codegen::mir::{Block, Reg};
use crate::ir::Arena;

/// Sets of registers at the ends of blocks.
pub struct Liveness {
    live_out: Arena<Block, Vec<Reg>>,
}

/// A register that lives across blocks.
struct Global {
    reg: Reg,
    /// Blocks that read it before they write it.
    readers: Vec<Block>,
    writers: Vec<Block>,
}

impl Liveness {
    /// Computes the sets.
    pub fn new(work: &Work<'_>) -> Liveness {
        let globals = globals(work);
        let preds = work.func.predecessors();
        let mut live = Liveness { live_out: Arena::filled(&work.func.blocks, Vec::new()) };
        let none = || Arena::filled(&work.func.blocks, Reg::from_index(0));
        // The last register that each block writes, and that is live at its end.
        let (mut written, mut out) = (none(), none());
        let mut stack = Vec::new();
        for Global { reg, readers, writers } in globals {
            writers.iter().for_each(|&block| written[block] = reg);
            stack.extend(readers);
            while let Some(block) = stack.pop() {
                for &pred in &preds[block] {
                    if out[pred] != reg {
                        out[pred] = reg;
                        live.live_out[pred].push(reg);
                        if written[pred] != reg {
                            stack.push(pred);
                        }
                    }
                }
            }
        }
        live
    }

    /// Registers that are live at the end of a block.
    pub fn live_out(&self, block: Block) -> impl Iterator<Item = Reg> {
        self.live_out[block].iter().copied()
    }
}

/// The registers that live across blocks, in the order in which they are first read so.
fn globals(work: &Work<'_>) -> Vec<Global> {
    let mut number = vec![None; work.func.regs];
    let mut globals: Vec<Global> = Vec::new();
    let mut written = vec![None; work.func.regs];
    for &block in &work.flow.rpo {
        for step in &work.steps[block] {
            step.inst.op.for_each_reg(|reg, role| {
                if role.reads() && reg.is_virtual() && written[reg.index()] != Some(block) {
                    let at = *number[reg.index()].get_or_insert_with(|| {
                        globals.push(Global { reg, readers: Vec::new(), writers: Vec::new() });
                        globals.len() - 1
                    });
                    if globals[at].readers.last() != Some(&block) {
                        globals[at].readers.push(block);
                    }
                }
                if role.writes() {
                    written[reg.index()] = Some(block);
                }
            });
        }
    }
    for &block in &work.flow.rpo {
        for step in &work.steps[block] {
            step.inst.op.for_each_reg(|reg, role| {
                if let Some(at) = number[reg.index()].filter(|_| role.writes()) {
                    let writers = &mut globals[at].writers;
                    if writers.last() != Some(&block) {
                        writers.push(block);
                    }
                }
            });
        }
    }
    globals
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
