//! Translation of programs, as far as it is the same for all machines: functions, jump targets, what is
//! known and what is proven at each instruction.
//!
//! The templates, one for each instruction, are methods of [`Translator`] in the folder of the machine
//! (`arch`), which also says where BPF registers live.
//!
//! What may be relied on:
//! - An access that the verifier proved to stay in the arena is a plain load or store at the arena's
//!   place plus register plus offset. Any other access compares the address with the arena's end first
//!   and leaves what is outside to [`What::Load`] and its like: code translated without a proof
//!   reaches no byte of the host either.
//! - Without a proof, also every jump backwards and every function is charged to the budget, calls
//!   are counted, and what the verifier would refuse stops the program.
//! - Every path out of a template is the next one, a label of the same program, or a stub.

use alloc::vec::Vec;

use skep_stdlib::isa::{AluOp, CallTarget, Cond, Imm64, Insn, Operand, Reg, Size, Width};

use super::arch::{self, Asm, Cold};
use super::flow::{self, Effects, Flow, Function};
use super::known::{Brought, Known};
use super::labels::{Assembled, Label, LabelRow};
use super::masks::Masks;
use super::{Site, Source, What};
use crate::object::{CORE_POISON, Program};
use crate::verify::{Fact, Facts};
use crate::vm::FaultKind;
use crate::vm::env::{func_address, map_address};

/// Number of the helper that continues as another program.
const TAIL_CALL: i32 = 12;
/// Number of the helper that looks an element up.
pub const MAP_LOOKUP: i32 = 1;

/// Most slots of a function whose instructions take the place of its calls.
const SMALL: u32 = 12;

/// A comparison.
#[derive(Clone, Copy)]
pub struct Comparison {
    /// Of this much.
    pub width: Width,
    /// How.
    pub cond: Cond,
    /// What.
    pub dst: Reg,
    /// With what.
    pub src: Operand,
}

/// Code that templates share.
pub struct Stubs {
    /// Calls the helper of a site.
    pub helper: Label,
    /// The same, keeping `r1` to `r5`.
    pub keeping: Label,
    /// Does in the host what a template cannot; keeps all registers but scratch ones.
    pub slow: Label,
    /// Ends the run with the fault of a site.
    pub stop: Label,
    /// Leaves all frames of this entry.
    pub unwind: Label,
    /// Returns.
    pub leave: Label,
}

/// Translated programs.
pub struct Translation {
    /// Machine code; it begins with the entry from the host.
    pub code: Vec<u8>,
    /// What the code refers to by number.
    pub sites: Vec<Site>,
    /// For each program the first slots of its functions, with their places in the code.
    pub entries: Vec<Vec<(u32, u32)>>,
    /// Place of an instruction that returns.
    pub leave: u32,
}

/// The work on one set of programs.
pub struct Translator<'a> {
    /// The code so far.
    pub asm: Asm,
    /// What is translated.
    pub source: &'a Source<'a>,
    /// Code that templates share.
    pub stubs: Stubs,
    /// Places that need the host.
    pub sites: Vec<Site>,
    /// Function entries of all programs.
    pub entries: Vec<LabelRow>,
    /// Their functions.
    pub functions: Vec<Vec<Function>>,
    /// Index of the program being translated.
    pub index: usize,
    /// What was proven of it.
    pub facts: Option<&'a Facts>,
    /// Places of its instructions.
    pub labels: LabelRow,
    /// By slot: may control come here other than from the instruction before?
    pub is_leader: Vec<bool>,
    /// The function being translated.
    pub function: Function,
    /// Rare cases of templates, to be emitted behind the function.
    pub cold: Vec<(Label, Cold)>,
    /// What is known of registers.
    pub known: Known,
    /// What jumps bring to their targets.
    pub brought: Brought,
    /// For constants that must not be in the code.
    pub masks: Masks,
}

/// Translates all programs of an image.
pub fn translate(source: &Source<'_>) -> Translation {
    let insns = source.image.programs.iter().map(|program| program.code.len() as usize).sum();
    let mut asm = Asm::for_insns(insns);
    let stubs = Stubs {
        helper: asm.label(),
        keeping: asm.label(),
        slow: asm.label(),
        stop: asm.label(),
        unwind: asm.label(),
        leave: asm.label(),
    };
    let programs = &source.image.programs;
    let mut translator = Translator {
        asm,
        source,
        stubs,
        sites: Vec::new(),
        entries: Vec::new(),
        functions: Vec::new(),
        index: 0,
        facts: None,
        labels: LabelRow::default(),
        is_leader: Vec::new(),
        function: Function::default(),
        cold: Vec::new(),
        known: Known::default(),
        brought: Brought::default(),
        masks: Masks::new(source.seed),
    };
    translator.emit_stubs();
    for (index, program) in programs.iter().enumerate() {
        translator.program(index, program);
    }
    translator.finish()
}

impl Translator<'_> {
    fn finish(self) -> Translation {
        let Translator { asm, sites, entries, functions, stubs, .. } = self;
        let code: Assembled = asm.finish(arch::DATA_SIZE);
        let places = |(functions, labels): (&Vec<Function>, &LabelRow)| {
            let place = |(at, function): (usize, &Function)| (function.start, code.offset(labels.at(at)));
            functions.iter().enumerate().map(place).collect()
        };
        let entries = functions.iter().zip(&entries).map(places).collect();
        Translation { leave: code.offset(stubs.leave), code: code.bytes, sites, entries }
    }

    /// Is the program known to be safe?
    pub fn is_proven(&self) -> bool {
        self.source.facts.is_some()
    }

    /// Must constants not be in the code?
    pub fn is_blind(&self) -> bool {
        self.masks.are_wanted()
    }

    /// What the verifier found out about an instruction.
    pub fn fact(&self, slot: u32) -> Fact {
        self.facts.map_or(Fact::default(), |facts| facts.at(slot))
    }

    /// May the memory of an access be absent? Only the host knows.
    pub fn may_be_absent(&self, slot: u32, base: Reg) -> bool {
        self.source.soft_faults && base != Reg::FP && !self.fact(slot).own
    }

    pub fn site(&mut self, slot: u32, what: What) -> u32 {
        self.sites.push(Site { slot, program: self.index, what });
        self.sites.len() as u32 - 1
    }

    /// A label at which the program ends with this fault.
    pub fn stop(&mut self, slot: u32, kind: FaultKind) -> Label {
        let site = self.site(slot, What::Fault(kind));
        self.rare(Cold::Stop { site })
    }

    /// A label for code behind the function.
    pub fn rare(&mut self, cold: Cold) -> Label {
        let label = self.asm.label();
        self.cold.push((label, cold));
        label
    }

    fn program(&mut self, index: usize, program: &Program) {
        let Flow { functions, is_leader, heads } = Flow::of(program);
        (self.index, self.is_leader) = (index, is_leader);
        self.brought = Brought::new(program.code.len() as usize, &heads);
        self.facts = self.source.facts.and_then(|facts| facts.get(index));
        self.labels = self.asm.label_row(program.code.len() as usize);
        let entries = self.asm.label_row(functions.len());
        self.entries.push(entries);
        self.functions.push(functions);
        for at in 0..self.functions[index].len() {
            let function = self.functions[index][at];
            // Only a proof bounds recursion that takes no frames.
            self.function = Function { frame: function.frame || !self.is_proven(), ..function };
            self.asm.bind(entries.at(at));
            self.function(program);
        }
    }

    fn function(&mut self, program: &Program) {
        let Function { start, end, .. } = self.function;
        self.prologue();
        self.known = Known::default();
        if start < end && !self.is_leader[start as usize] {
            self.asm.bind(self.labels.at(start as usize));
        }
        let (last, falls) = self.instructions(program, start, end);
        if falls {
            let target = i64::from(last);
            self.brought.bring(last, Known::default());
            match program.code.at(last) {
                Some(_) => self.asm.jump(self.labels.at(last as usize)),
                None => {
                    let stop =
                        self.stop(start.max(last.saturating_sub(1)), FaultKind::NoInstruction { target });
                    self.asm.jump(stop);
                }
            }
        }
        self.emit_cold();
    }

    /// Translates from one slot to another. Returns the slot after the last, and whether control may go on
    /// there.
    pub fn instructions(&mut self, program: &Program, start: u32, end: u32) -> (u32, bool) {
        let (mut next, mut falls) = (start, true);
        while let Some(insn) = program.code.at(next).filter(|_| next < end) {
            if self.is_leader[next as usize] {
                self.asm.bind(self.labels.at(next as usize));
                self.known = self.brought.at(next, falls.then_some(self.known));
            }
            (next, falls) = self.instruction(program, next, insn);
        }
        (next, falls)
    }

    /// The label of a jump's target, where this will be known.
    pub fn target(&mut self, slot: u32, off: i32, known: Known) -> Label {
        let target = flow::relative(slot, off);
        self.brought.bring(target, known);
        match self.source.image.programs[self.index].code.at(target) {
            Some(_) => self.labels.at(target as usize),
            None => {
                self.stop(slot, FaultKind::NoInstruction { target: i64::from(slot) + 1 + i64::from(off) })
            }
        }
    }

    /// What only programs need of which nothing is proven. Says whether the instruction ends them.
    fn guard(&mut self, slot: u32, insn: &Insn) -> bool {
        if Effects::of(insn).moves_frame() {
            let stop = self.stop(slot, FaultKind::FramePointer);
            self.asm.jump(stop);
            return true;
        }
        if let Some(target) = flow::jump_target(slot, insn).filter(|&target| target <= slot) {
            self.charge(slot, slot - target + 1);
        }
        false
    }

    /// The instruction at `slot`, if control only comes there from the one before.
    #[inline]
    pub fn after(&self, program: &Program, slot: u32) -> Option<Insn> {
        let is_inside = slot < self.function.end && !self.is_leader[slot as usize];
        program.code.at(slot).copied().filter(|_| is_inside)
    }

    /// Translates an instruction, or some at once. Returns the slot after it, and whether control may
    /// go on there.
    #[inline]
    fn instruction(&mut self, program: &Program, slot: u32, insn: &Insn) -> (u32, bool) {
        if !self.is_proven() && self.guard(slot, insn) {
            return (slot + insn.slots() as u32, true);
        }
        match *insn {
            Insn::Alu { width, op, dst, src } => {
                if op == AluOp::Lsh
                    && let Some(after) = self.fused(program, slot, insn)
                {
                    return (after, true);
                }
                self.alu(width, op, dst, src);
                self.known.computed(width, op, dst, src);
            }
            Insn::Mov { width, dst, src } => {
                if let Operand::Reg(_) = src
                    && let Some(after) = self.fused(program, slot, insn)
                {
                    return (after, true);
                }
                self.mov(width, dst, src);
                self.known.moved(width, dst, src);
            }
            Insn::MovSx { width, bits, dst, src } => {
                self.mov_sign_extended(width, bits, dst, src);
                self.known.write(dst, width == Width::W32);
            }
            Insn::Neg { width, dst } => {
                self.neg(width, dst);
                self.known.write(dst, width == Width::W32);
            }
            Insn::Swap { kind, bits, dst } => {
                self.swap(kind, bits, dst);
                self.known.write(dst, bits < 64);
            }
            Insn::LoadImm64 { dst, value } => {
                let is_spared =
                    dst == Reg::R1 && matches!(value, Imm64::MapIdx(_)) && self.is_spared(program, slot);
                if !is_spared {
                    self.wide_immediate(slot, dst, value);
                }
                self.known.loaded(dst, value);
                return (slot + 2, true);
            }
            Insn::Load { size, signed, dst, base, off } => {
                self.load(slot, size, signed, dst, base, off);
                self.known.write(dst, !signed && size != Size::DW);
            }
            Insn::Store { size, base, off, src } => self.store(slot, size, base, off, src),
            Insn::Atomic { size, op, base, off, src } => {
                self.atomic(slot, size, op, base, off, src);
                self.known.accessed(size, Effects::of(insn).writes);
            }
            Insn::LoadAcquire { size, dst, base, off } => {
                self.load_acquire(slot, size, dst, base, off);
                self.known.write(dst, size != Size::DW);
            }
            Insn::StoreRelease { size, base, off, src } => self.store_release(slot, size, base, off, src),
            Insn::LoadAbs { size, imm } => self.load_packet(slot, size, None, imm),
            Insn::LoadInd { size, src, imm } => self.load_packet(slot, size, Some(src), imm),
            Insn::AddrSpaceCast { dst, src, .. } => {
                self.mov(Width::W64, dst, Operand::Reg(src));
                self.known.moved(Width::W64, dst, Operand::Reg(src));
            }
            Insn::Jump { off, .. } => {
                let to = self.target(slot, off, self.known);
                self.asm.jump(to);
                return (slot + 1, false);
            }
            Insn::Branch { width, cond, dst, src, off } => {
                return (self.branch(program, slot, Comparison { width, cond, dst, src }, off), true);
            }
            Insn::MayGoto { off } => {
                let to = self.target(slot, off.into(), self.known);
                self.count_round(to);
            }
            Insn::Call(target) => {
                let mut after = slot + 1;
                match target {
                    CallTarget::Helper(id) => after = self.call_helper(program, slot, id),
                    CallTarget::Kfunc { id, .. } => self.call_kfunc(slot, id),
                    CallTarget::Local(off) => self.call_local(program, slot, off),
                    CallTarget::Reg(reg) => self.call_register(slot, reg),
                }
                self.known = self.known.called();
                return (after, true);
            }
            Insn::Exit => {
                self.epilogue();
                self.asm.ret();
                return (slot + 1, false);
            }
        }
        (slot + 1, true)
    }

    fn wide_immediate(&mut self, slot: u32, dst: Reg, value: Imm64) {
        let to = arch::gpr(dst);
        let unsupported = |what: &str| FaultKind::Unsupported(what.into());
        let stop = match value {
            Imm64::Const(value) => return self.constant(to, value),
            Imm64::MapIdx(index) => return self.asm.mov_imm(to, map_address(index as u32)),
            Imm64::MapIdxValue { index, offset } => match self.source.maps.value_address(index as u32) {
                Some(address) => return self.constant(to, address + u64::from(offset)),
                None => unsupported("value address of a map that is not an array"),
            },
            Imm64::Func(off) => {
                let address = func_address(self.index, i64::from(slot) + 1 + i64::from(off));
                return self.asm.mov_imm(to, address);
            }
            Imm64::BtfId { id, .. } => {
                let site = self.site(slot, What::Symbol(id));
                self.call_slow(site);
                return self.take_answer(dst);
            }
            Imm64::MapFd(_) | Imm64::MapValue { .. } => unsupported("map by file descriptor"),
        };
        let stop = self.stop(slot, stop);
        self.asm.jump(stop);
    }

    /// Returns the slot after what was translated.
    fn call_helper(&mut self, program: &Program, slot: u32, id: i32) -> u32 {
        let what = match id {
            CORE_POISON => What::Fault(FaultKind::CorePoison),
            id => self.source.helpers.get(id).map_or_else(What::Fault, What::Helper),
        };
        if id == MAP_LOOKUP {
            return self.look_up(program, slot, what);
        }
        let site = self.site(slot, what);
        self.call_site(site, id == TAIL_CALL);
        if id == TAIL_CALL {
            self.check_tail();
        }
        slot + 1
    }

    fn call_kfunc(&mut self, slot: u32, id: i32) {
        let what = self.source.helpers.kfunc(id).map_or_else(What::Fault, What::Helper);
        let site = self.site(slot, what);
        self.call_site(site, false);
    }

    fn call_local(&mut self, program: &Program, slot: u32, off: i32) {
        let target = flow::relative(slot, off);
        let Some(at) = flow::at(&self.functions[self.index], target) else {
            let target = i64::from(slot) + 1 + i64::from(off);
            let stop = self.stop(slot, FaultKind::NoInstruction { target });
            return self.asm.jump(stop);
        };
        let callee = self.functions[self.index][at];
        if self.is_proven() && self.is_small(program, callee) {
            return self.in_place(program, callee);
        }
        let frame = callee.frame || !self.is_proven();
        let entry = self.entries[self.index].at(at);
        if frame {
            self.next_frame(slot);
        }
        self.asm.call(entry);
        if frame {
            self.previous_frame();
        }
    }

    /// Is the function straight, small and without a frame or saved registers?
    fn is_small(&self, program: &Program, callee: Function) -> bool {
        let Function { start, end, saves, calls, counts, frame, .. } = callee;
        let is_straight = |slot: u32, insn: &Insn| {
            !self.is_leader[slot as usize]
                && flow::jump_target(slot, insn).is_none()
                && matches!(insn, Insn::Exit) == (slot + 1 == end)
        };
        let is_leaf = saves == 0 && !calls && !counts && !frame && end - start <= SMALL;
        is_leaf && flow::body(program, start, end).all(|(slot, insn)| is_straight(slot, insn))
    }

    /// The callee's instructions in place of its call: what they do to registers is what the call does.
    fn in_place(&mut self, program: &Program, callee: Function) {
        let caller = core::mem::replace(&mut self.function, callee);
        self.instructions(program, callee.start, callee.end - 1);
        self.function = caller;
    }
}
