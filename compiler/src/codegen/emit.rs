//! Machine IR with registers, frame and layout to instructions with resolved jumps.
//!
//! A jump to the next block is no instruction unless it closes a loop; a conditional jump is turned
//! around when its target is the next block. Positions are slots of 8 bytes. What to do about jumps
//! that are too far is up to [`relax`](super::relax).

use std::rc::Rc;

use skep_stdlib::isa::{CallTarget, Cpu, Imm64, Insn, Operand, Reg as Phys, Width};

use super::code::{FuncCode, Reloc, RelocKind};
use super::flow::Flow;
use super::frame;
use super::layout::negated;
use super::mir::{Addr, AsmId, Base, Block, Callee, Func, Inst, Object, Op, Reg, Src};
use crate::ir::{Arena, Entity, Limit, Module, SrcLoc, SymbolId};

/// How far a jump with 16 bits may lead. The kernel puts instructions in place of some calls and
/// accesses when it loads a program, and refuses it when a jump does not reach any more.
const REACH: i64 = 20_000;

/// What became of a function.
pub enum Emitted {
    /// Its code.
    Code(FuncCode),
    /// Some jumps do not reach their targets.
    Far(Far),
    /// Its inline assembly is wrong, and that was reported.
    Wrong,
}

/// Jumps that do not reach, and where everything is.
pub struct Far {
    /// The block that jumps, the slot of its jump, and the block that is too far.
    pub jumps: Vec<(Block, u32, Block)>,
    /// The first slot of each block.
    pub starts: Arena<Block, u32>,
}

/// Emits a function.
pub fn emit(func: &Func, module: &Module, cpu: Cpu, limits: &mut Vec<Limit>) -> Emitted {
    let count = func.order.iter().map(|&block| func.blocks[block].insts.len()).sum();
    let mut emitter = Emitter {
        func,
        flow: Flow::of(func),
        module,
        wrong: Vec::new(),
        cpu,
        slot: 0,
        starts: Arena::filled(&func.blocks, 0),
        block: func.order.first().copied().unwrap_or(Block::new(0)),
        jumps: Vec::new(),
        code: FuncCode {
            symbol: func.symbol,
            insns: Vec::with_capacity(count),
            relocs: Vec::new(),
            lines: Vec::new(),
            cores: Vec::new(),
            words: Vec::new(),
            stack: frame::depth(func),
            spills: frame::spills(func),
        },
    };
    for (index, &block) in func.order.iter().enumerate() {
        emitter.starts[block] = emitter.slot;
        emitter.block = block;
        let next = func.order.get(index + 1).copied();
        for inst in &func.blocks[block].insts {
            emitter.inst(inst, next);
        }
    }
    let wrong = std::mem::take(&mut emitter.wrong);
    if !wrong.is_empty() {
        limits.extend(wrong.into_iter().map(|(loc, message)| Limit::new(loc, message)));
        return Emitted::Wrong;
    }
    emitter.finish()
}

struct Emitter<'a> {
    func: &'a Func,
    flow: Rc<Flow>,
    module: &'a Module,
    /// Mistakes in inline assembly.
    wrong: Vec<(SrcLoc, String)>,
    cpu: Cpu,
    slot: u32,
    /// The first slot of each block.
    starts: Arena<Block, u32>,
    /// The block that is being emitted.
    block: Block,
    /// Jumps to resolve.
    jumps: Vec<Jump>,
    code: FuncCode,
}

/// A jump to resolve.
struct Jump {
    /// Its position among the instructions.
    index: usize,
    slot: u32,
    from: Block,
    to: Block,
}

impl Emitter<'_> {
    fn push(&mut self, insn: Insn, loc: SrcLoc) {
        if loc != SrcLoc::NONE && self.code.lines.last().is_none_or(|&(_, last)| last != loc) {
            // What comes before the first known location belongs to it.
            let slot = if self.code.lines.is_empty() { 0 } else { self.slot };
            self.code.lines.push((slot, loc));
        }
        self.code.insns.push(insn);
        self.slot += insn.slots() as u32;
    }

    fn inst(&mut self, inst: &Inst, next: Option<Block>) {
        let loc = inst.loc;
        if let Some(core) = inst.core {
            self.code.cores.push((self.slot, core));
        }
        match inst.op {
            Op::Frame { dst, object, off } => self.frame_address(dst, object, off, loc),
            Op::Symbol { dst, symbol, addend } => {
                self.reloc(symbol, addend, RelocKind::Address);
                self.push(Insn::LoadImm64 { dst: phys(dst), value: Imm64::Const(0) }, loc);
            }
            Op::Call { callee: Callee::Func(symbol), .. } => {
                self.reloc(symbol, 0, RelocKind::Call);
                self.push(Insn::Call(CallTarget::Local(-1)), loc);
            }
            Op::Jump { to } => {
                if Some(to) != next || self.closes_a_loop(to) {
                    self.jump(to, loc);
                }
            }
            Op::Branch { .. } => self.branch(inst, next),
            Op::Asm { text, .. } => self.asm(text, None, loc),
            Op::AsmGoto { text, next: on, to, .. } => {
                self.asm(text, Some(to), loc);
                if Some(on) != next {
                    self.jump(on, loc);
                }
            }
            op => {
                if let Some(insn) = self.plain(op) {
                    self.push(insn, loc);
                }
            }
        }
    }

    /// Does the block follow the rest of the loop that it begins? Kernels before 6.7 take a way back only if it
    /// is a jump; all kernels drop a jump to the next instruction when they have verified the program.
    fn closes_a_loop(&self, to: Block) -> bool {
        self.flow.dominates(to, self.block)
    }

    fn reloc(&mut self, symbol: SymbolId, addend: i64, kind: RelocKind) {
        self.code.relocs.push(Reloc { slot: self.slot, symbol, addend, kind });
    }

    fn place(&self, object: Object) -> i32 {
        self.func.objects[object].place.expect("an object that is named has a place")
    }

    fn frame_address(&mut self, dst: Reg, object: Object, off: i32, loc: SrcLoc) {
        let dst = phys(dst);
        self.push(Insn::Mov { width: Width::W64, dst, src: Operand::Reg(Phys::FP) }, loc);
        let off = self.place(object).wrapping_add(off);
        if off != 0 {
            let op = skep_stdlib::isa::AluOp::Add;
            self.push(Insn::Alu { width: Width::W64, op, dst, src: Operand::Imm(off) }, loc);
        }
    }

    /// Notes that the instruction so many instructions and slots from here jumps.
    fn resolve_later(&mut self, index: usize, slots: u32, to: Block) {
        let (index, slot) = (self.code.insns.len() + index, self.slot + slots);
        self.jumps.push(Jump { index, slot, from: self.block, to });
    }

    fn jump(&mut self, to: Block, loc: SrcLoc) {
        self.resolve_later(0, 0, to);
        self.push(Insn::Jump { off: 0, long: false }, loc);
    }

    /// Inline assembly; its jumps out of the text go to `to`.
    fn asm(&mut self, text: AsmId, to: Option<Block>, loc: SrcLoc) {
        let expanded = match self.func.texts[text].expand(self.module) {
            Ok(expanded) => expanded,
            Err(message) => return self.wrong.push((loc, message)),
        };
        for &(index, _) in &expanded.jumps {
            let slots: usize = expanded.insns.iter().take(index).map(Insn::slots).sum();
            if let Some(to) = to {
                self.resolve_later(index, slots as u32, to);
            }
        }
        self.code.append(expanded, &mut self.slot, loc);
    }

    fn branch(&mut self, inst: &Inst, next: Option<Block>) {
        let Op::Branch { width, cond, dst, src, then, els } = inst.op else { return };
        let turned = if Some(then) == next { negated(cond, src, self.cpu) } else { None };
        let (cond, dst, src, to, rest) = match (turned, src) {
            (Some((cond, true)), Src::Reg(other)) => (cond, other, Src::Reg(dst), els, then),
            (Some((cond, _)), _) => (cond, dst, src, els, then),
            (None, _) => (cond, dst, src, then, els),
        };
        self.resolve_later(0, 0, to);
        self.push(Insn::Branch { width, cond, dst: phys(dst), src: operand(src), off: 0 }, inst.loc);
        if Some(rest) != next {
            self.jump(rest, inst.loc);
        }
    }

    /// Base register and displacement.
    fn address(&self, addr: Addr) -> (Phys, i16) {
        match addr.base {
            Base::Reg(base) => (phys(base), addr.off),
            // Frames are small, and larger displacements are not folded.
            Base::Frame(object) => (Phys::FP, self.place(object).saturating_add(i32::from(addr.off)) as i16),
        }
    }

    /// Operations that are one instruction and need nothing else.
    fn plain(&self, op: Op) -> Option<Insn> {
        Some(match op {
            Op::Alu { width, op, dst, src } => Insn::Alu { width, op, dst: phys(dst), src: operand(src) },
            Op::Mov { dst, src } => {
                Insn::Mov { width: Width::W64, dst: phys(dst), src: Operand::Reg(phys(src)) }
            }
            Op::Zext { dst, src } => {
                Insn::Mov { width: Width::W32, dst: phys(dst), src: Operand::Reg(phys(src)) }
            }
            Op::MovImm { width, dst, imm } => Insn::Mov { width, dst: phys(dst), src: Operand::Imm(imm) },
            Op::Imm64 { dst, value } => Insn::LoadImm64 { dst: phys(dst), value: Imm64::Const(value) },
            Op::FramePointer { dst } => {
                Insn::Mov { width: Width::W64, dst: phys(dst), src: Operand::Reg(Phys::FP) }
            }
            Op::MovSx { width, bits, dst, src } => {
                Insn::MovSx { width, bits, dst: phys(dst), src: phys(src) }
            }
            Op::CastSpace { dst, src, spaces } => {
                Insn::AddrSpaceCast { dst: phys(dst), src: phys(src), spaces }
            }
            Op::Neg { width, dst } => Insn::Neg { width, dst: phys(dst) },
            Op::Swap { kind, bits, dst } => Insn::Swap { kind, bits, dst: phys(dst) },
            Op::Load { size, signed, dst, addr } => {
                let (base, off) = self.address(addr);
                Insn::Load { size, signed, dst: phys(dst), base, off }
            }
            Op::Store { size, addr, src } => {
                let (base, off) = self.address(addr);
                Insn::Store { size, base, off, src: operand(src) }
            }
            Op::Atomic { size, op, addr, src } => {
                let (base, off) = self.address(addr);
                Insn::Atomic { size, op, base, off, src: phys(src) }
            }
            Op::Call { callee: Callee::Helper(number), .. } => Insn::Call(CallTarget::Helper(number)),
            Op::Exit { .. } => Insn::Exit,
            Op::Frame { .. }
            | Op::Symbol { .. }
            | Op::Call { .. }
            | Op::Asm { .. }
            | Op::AsmGoto { .. }
            | Op::Jump { .. }
            | Op::End
            | Op::Branch { .. } => return None,
        })
    }

    fn finish(mut self) -> Emitted {
        let mut far = Vec::new();
        for Jump { index, slot, from, to } in std::mem::take(&mut self.jumps) {
            let distance = i64::from(self.starts[to]) - i64::from(slot) - 1;
            let fits = (-REACH..REACH).contains(&distance);
            let reaches = match &mut self.code.insns[index] {
                Insn::Jump { off, long } => {
                    *off = distance as i32;
                    *long = !fits && self.cpu >= Cpu::V4;
                    fits || *long
                }
                Insn::Branch { off, .. } | Insn::MayGoto { off } => {
                    *off = distance as i16;
                    fits
                }
                _ => true,
            };
            if !reaches {
                far.push((from, slot, to));
            }
        }
        if !far.is_empty() {
            return Emitted::Far(Far { jumps: far, starts: self.starts });
        }
        if self.code.lines.is_empty() {
            self.code.lines.push((0, SrcLoc::NONE));
        }
        Emitted::Code(self.code)
    }
}

/// The machine register that allocation chose.
fn phys(reg: Reg) -> Phys {
    reg.as_phys().expect("allocation leaves no virtual registers")
}

fn operand(src: Src) -> Operand {
    match src {
        Src::Reg(reg) => Operand::Reg(phys(reg)),
        Src::Imm(imm) => Operand::Imm(imm),
    }
}
