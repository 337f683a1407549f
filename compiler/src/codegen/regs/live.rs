//! Which virtual registers are live at the end of each block.
//!
//! Most registers live within one block. Each of the others is followed from the blocks that read it before
//! they write it back to those that write it, so that the work is as much as there is to say.

use crate::codegen::flow::Flow;
use crate::codegen::mir::{Block, Func, Reg, Role};
use crate::ir::Arena;

/// Sets of registers at the ends of blocks.
pub struct Liveness {
    live_out: Arena<Block, Vec<Reg>>,
}

/// A register that lives across blocks, by number, and a block that names it.
type Named = (u32, Block);

/// The registers that live across blocks, in the order in which they are first read so.
struct Globals {
    regs: Vec<Reg>,
    /// Blocks that read them before they write them, by register.
    readers: Vec<Named>,
    /// Blocks that write them, by register.
    writers: Vec<Named>,
}

impl Liveness {
    /// Computes the sets for so many registers. `names` tells which of them each block names, in order.
    pub fn new(
        func: &Func,
        flow: &Flow,
        regs: usize,
        names: impl Fn(Block, &mut dyn FnMut(Reg, Role)),
    ) -> Liveness {
        let mut live = Liveness { live_out: Arena::filled(&func.blocks, Vec::new()) };
        if flow.is_straight() {
            return live;
        }
        let Globals { regs, readers, writers } = Globals::find(flow, regs, names);
        let none = || Arena::filled(&func.blocks, Reg::from_index(0));
        // The last register that each block writes, and that is live at its end.
        let (mut written, mut out) = (none(), none());
        let mut writers = writers.into_iter().peekable();
        let mut stack = Vec::new();
        for readers in readers.chunk_by(|a, b| a.0 == b.0) {
            let number = readers[0].0;
            let reg = regs[number as usize];
            while let Some((_, block)) = writers.next_if(|&(other, _)| other == number) {
                written[block] = reg;
            }
            stack.extend(readers.iter().map(|&(_, block)| block));
            while let Some(block) = stack.pop() {
                for &pred in &flow.preds[block] {
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

impl Globals {
    fn find(flow: &Flow, regs: usize, names: impl Fn(Block, &mut dyn FnMut(Reg, Role))) -> Globals {
        let mut number = vec![None; regs];
        // By register, the last block that writes it.
        let mut written = vec![None; regs];
        let mut globals = Globals { regs: Vec::new(), readers: Vec::new(), writers: Vec::new() };
        let mut writes = Vec::new();
        for &block in &flow.rpo {
            names(block, &mut |reg, role| {
                let index = reg.index();
                if !reg.is_virtual() || written[index] == Some(block) {
                    return;
                }
                if role.reads() {
                    let number = *number[index].get_or_insert_with(|| {
                        globals.regs.push(reg);
                        globals.regs.len() as u32 - 1
                    });
                    globals.readers.push((number, block));
                }
                if role.writes() {
                    written[index] = Some(block);
                    writes.push((reg, block));
                }
            });
        }
        globals.readers.sort_by_key(|&(number, _)| number);
        globals.writers =
            writes.into_iter().filter_map(|(reg, block)| Some((number[reg.index()]?, block))).collect();
        globals.writers.sort_by_key(|&(number, _)| number);
        globals
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
