//! Where constants and addresses are put into registers.
//!
//! While selection runs, a constant that an instruction needs in a register is a stand-in, one for
//! each constant. Afterwards [`place`] gives every reader a definition that dominates it: one that
//! is there already, else a new one just before the first reader of the block, or before the loop.
//! The address of a variable takes two slots; it is there once, before the ways to its readers part.
//! The allocator splits a definition again when there are not enough registers.

use std::collections::BTreeMap;

use skep_stdlib::isa::{Cpu, Width};

use crate::codegen::flow::Flow;
use crate::codegen::mir::{Block, Func, Inst, Object, Op, Reg, Role};
use crate::ir::{Arena, SrcLoc, SymbolId};

/// Something that can be put into a register anywhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Constant {
    /// An immediate of a move of this width.
    Imm(Width, i32),
    /// A number that no move has.
    Wide(u64),
    /// The address of a symbol and an offset.
    Symbol(SymbolId, i64),
    /// An address within a frame object.
    Frame(Object, i32),
    /// The frame pointer.
    FramePointer,
}

impl Constant {
    /// The cheapest way to a register with this content.
    pub fn number(content: u64, cpu: Cpu) -> Constant {
        if let Ok(imm) = i32::try_from(content as i64) {
            return Constant::Imm(Width::W64, imm);
        }
        match u32::try_from(content) {
            Ok(low) if cpu >= Cpu::V3 => Constant::Imm(Width::W32, low as i32),
            _ => Constant::Wide(content),
        }
    }

    /// The instruction that puts it into `dst`.
    pub fn op(self, dst: Reg) -> Op {
        match self {
            Constant::Imm(width, imm) => Op::MovImm { width, dst, imm },
            Constant::Wide(value) => Op::Imm64 { dst, value },
            Constant::Symbol(symbol, addend) => Op::Symbol { dst, symbol, addend },
            Constant::Frame(object, off) => Op::Frame { dst, object, off },
            Constant::FramePointer => Op::FramePointer { dst },
        }
    }
}

/// Replaces the stand-ins by registers with definitions.
pub fn place(func: &mut Func, constants: &BTreeMap<Constant, Reg>) {
    if constants.is_empty() {
        return;
    }
    let flow = Flow::of(func);
    let stand_ins = constants.iter().map(|(&constant, &reg)| (reg, (constant, Vec::new()))).collect();
    let mut placer = Placer { func, flow: &flow, ends: flow.ends(), stand_ins };
    placer.place_shared();
    for &block in &flow.rpo {
        placer.block(block);
    }
}

/// Steps of the search for a place before all readers.
const FAR: usize = 256;

struct Placer<'a> {
    func: &'a mut Func,
    flow: &'a Flow,
    /// The position of the last block that each dominates.
    ends: Arena<Block, Option<u32>>,
    /// The constant of each stand-in and its definitions so far.
    stand_ins: BTreeMap<Reg, (Constant, Vec<(Block, Reg)>)>,
}

impl Placer<'_> {
    /// Defines addresses of variables whose readers are on different ways.
    fn place_shared(&mut self) {
        let mut readers: BTreeMap<Reg, Vec<Block>> = BTreeMap::new();
        for &block in &self.flow.rpo {
            for inst in &self.func.blocks[block].insts {
                inst.op.for_each_reg(|reg, role| {
                    if role == Role::Use
                        && let Some((Constant::Symbol(..), _)) = self.stand_ins.get(&reg)
                    {
                        let blocks = readers.entry(reg).or_default();
                        if blocks.last() != Some(&block) {
                            blocks.push(block);
                        }
                    }
                });
            }
        }
        for (stand_in, blocks) in readers {
            if let Some(block) = self.flow.common_dominator(&blocks, FAR)
                && !blocks.contains(&block)
                && let Some(last) = self.func.blocks[block].insts.last()
            {
                let loc = last.loc;
                self.define(block, stand_in, loc);
            }
        }
    }

    /// Defines a constant at the end of a block, outside of loops.
    fn define(&mut self, block: Block, stand_in: Reg, loc: SrcLoc) {
        let Some((constant, defs)) = self.stand_ins.get_mut(&stand_in) else { return };
        let reg = self.func.new_reg();
        let at = self.flow.outside_loops(block);
        defs.push((at, reg));
        let insts = &mut self.func.blocks[at].insts;
        insts.insert(insts.len().saturating_sub(1), Inst { op: constant.op(reg), loc, core: None });
    }

    fn block(&mut self, block: Block) {
        let insts = std::mem::take(&mut self.func.blocks[block].insts);
        let mut placed = Vec::with_capacity(insts.len());
        for mut inst in insts {
            let mut op = inst.op;
            op.map_regs(|reg, role| {
                if role != Role::Use || !self.stand_ins.contains_key(&reg) {
                    return reg;
                }
                self.definition(block, reg, inst.loc, &mut placed)
            });
            inst.op = op;
            placed.push(inst);
        }
        self.func.blocks[block].insts = placed;
    }

    fn definition(&mut self, block: Block, stand_in: Reg, loc: SrcLoc, before: &mut Vec<Inst>) -> Reg {
        let Some((constant, defs)) = self.stand_ins.get_mut(&stand_in) else { return stand_in };
        // Blocks come in order: what dominates none from here on is not asked for again.
        let here = self.flow.position(block);
        defs.retain(|&(at, _)| self.ends[at] >= here);
        if let Some(&(_, reg)) = defs.iter().rev().find(|&&(at, _)| self.flow.dominates(at, block)) {
            return reg;
        }
        let reg = self.func.new_reg();
        let inst = Inst { op: constant.op(reg), loc, core: None };
        let at = self.flow.outside_loops(block);
        defs.push((at, reg));
        if at == block {
            before.push(inst);
        } else {
            let insts = &mut self.func.blocks[at].insts;
            insts.insert(insts.len().saturating_sub(1), inst);
        }
        reg
    }
}
