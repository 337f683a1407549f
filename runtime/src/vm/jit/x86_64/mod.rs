//! Translation to x86-64: one template for each instruction, the registers where the calling
//! convention has them.
//!
//! `r1` to `r5` are the first five argument registers, `r0` is the result, `r6` to `r9` and the
//! frame pointer are saved by callees: so helper calls move nothing. `r12` holds the host address
//! of VM address 0; `r9`, `r10` and `r11` of the processor are scratch inside a template.
//!
//! What may be relied on:
//! - An access that the verifier proved to stay in the arena is a plain load or store at
//!   `[r12 + register + offset]`. Any other access compares the address with the arena's end first
//!   and leaves what is outside to [`What::Load`] and its like: code translated without a proof
//!   reaches no byte of the host either.
//! - Without a proof, also every jump backwards and every function is charged to the budget, calls
//!   are counted, and what the verifier would refuse stops the program.
//! - Every path out of a template is the next one, a label of the same program, or a stub.

mod alu;
mod blind;
mod branch;
mod call;
mod fuse;
mod known;
mod lookup;
mod memory;

use alloc::vec::Vec;

use skep_stdlib::isa::{AluOp, CallTarget, Imm64, Insn, Operand, Reg, Size, Width};

use super::asm::{Asm, Assembled, Cc, Gpr, Label, LabelRow, Op, Rm};
use super::exec::field;
use super::flow::{self, Effects, Flow, Function};
use super::{Site, Source, What};
use crate::object::Program;
use crate::verify::{Fact, Facts};
use crate::vm::FaultKind;
use crate::vm::env::{func_address, map_address};
use blind::Masks;
use branch::Comparison;
use known::{Brought, Known};

/// The register that a BPF register lives in.
const fn gpr(reg: Reg) -> Gpr {
    const HOMES: [Gpr; 16] = {
        let mut homes = [Gpr::RBP; 16];
        let args = [Gpr::RAX, Gpr::RDI, Gpr::RSI, Gpr::RDX, Gpr::RCX, Gpr::R8];
        (homes[0], homes[1], homes[2]) = (args[0], args[1], args[2]);
        (homes[3], homes[4], homes[5]) = (args[3], args[4], args[5]);
        (homes[6], homes[7], homes[8], homes[9]) = (SAVED[0], SAVED[1], SAVED[2], SAVED[3]);
        homes
    };
    HOMES[reg.index() & 15]
}

/// The registers that functions save, as [`Function::saves`] counts them.
const SAVED: [Gpr; 4] = [Gpr::RBX, Gpr::R13, Gpr::R14, Gpr::R15];
/// Host address of VM address 0.
const ARENA: Gpr = Gpr::R12;

/// What the processor has beyond the base set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Features {
    /// Shifts by any register that leave flags alone.
    pub bmi2: bool,
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

/// Code that templates share.
struct Stubs {
    /// Calls the helper of a site.
    helper: Label,
    /// The same, keeping `r1` to `r5`.
    keeping: Label,
    /// Does in the host what a template cannot; keeps all registers but `r9` to `r11`.
    slow: Label,
    /// Ends the run with the fault of a site.
    stop: Label,
    /// Leaves all frames of this entry.
    unwind: Label,
    /// Returns.
    leave: Label,
}

/// A rare case of a template, emitted behind the function.
enum Cold {
    /// The program ends here.
    Stop { site: u32 },
    /// A load from outside of the arena.
    Load { site: u32, dst: Gpr, back: Label },
    /// A store to the outside of the arena.
    Store { site: u32, src: Operand, back: Label },
    /// An atomic access that cannot be made.
    Atomic { site: u32 },
    /// Division by zero.
    ByZero { width: Width, remainder: bool, dst: Gpr, back: Label },
    /// Signed division by -1.
    ByMinusOne { width: Width, remainder: bool, dst: Gpr, back: Label },
    /// Continues as another program.
    Tail,
    /// No element has this key.
    Absent { back: Label },
    /// Another key has its row.
    NextRow { rows: i32, again: Label, back: Label },
    /// A call of a helper: through a register that holds its number, or where the template cannot.
    Helper { site: u32, back: Label },
}

/// The work on one set of programs.
struct Translator<'a> {
    asm: Asm,
    source: &'a Source<'a>,
    stubs: Stubs,
    sites: Vec<Site>,
    /// Function entries of all programs.
    entries: Vec<LabelRow>,
    /// Their functions.
    functions: Vec<Vec<Function>>,
    /// Index of the program being translated.
    index: usize,
    /// What was proven of it.
    facts: Option<&'a Facts>,
    /// Places of its instructions.
    labels: LabelRow,
    /// By slot: may control come here other than from the instruction before?
    is_leader: Vec<bool>,
    function: Function,
    cold: Vec<(Label, Cold)>,
    /// What is known of registers.
    known: Known,
    /// What jumps bring to their targets.
    brought: Brought,
    masks: Masks,
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
        let code: Assembled = asm.finish(super::exec::DATA_SIZE);
        let places = |(functions, labels): (&Vec<Function>, &LabelRow)| {
            let place = |(at, function): (usize, &Function)| (function.start, code.offset(labels.at(at)));
            functions.iter().enumerate().map(place).collect()
        };
        let entries = functions.iter().zip(&entries).map(places).collect();
        Translation { leave: code.offset(stubs.leave), code: code.bytes, sites, entries }
    }

    /// Is the program known to be safe?
    fn is_proven(&self) -> bool {
        self.source.facts.is_some()
    }

    /// What the verifier found out about an instruction.
    fn fact(&self, slot: u32) -> Fact {
        self.facts.map_or(Fact::default(), |facts| facts.at(slot))
    }

    fn site(&mut self, slot: u32, what: What) -> u32 {
        self.sites.push(Site { slot, program: self.index, what });
        self.sites.len() as u32 - 1
    }

    /// A label at which the program ends with this fault.
    fn stop(&mut self, slot: u32, kind: FaultKind) -> Label {
        let site = self.site(slot, What::Fault(kind));
        self.rare(Cold::Stop { site })
    }

    /// A label for code behind the function.
    fn rare(&mut self, cold: Cold) -> Label {
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
    pub(super) fn instructions(&mut self, program: &Program, start: u32, end: u32) -> (u32, bool) {
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

    /// Saves what the function changes. Calls find the stack aligned.
    fn prologue(&mut self) {
        for (bit, reg) in SAVED.into_iter().enumerate() {
            if self.function.saves >> bit & 1 != 0 {
                self.asm.push(reg);
            }
        }
        if self.locals() != 0 {
            self.asm.op_imm(true, Op::Sub, Rm::Reg(Gpr::RSP), self.locals());
        }
        if self.function.counts {
            self.asm.store_imm(8, Rm::Base(Gpr::RSP, 0), super::MAY_GOTO_LIMIT as i32);
        }
        if !self.is_proven() {
            let slot = self.function.start;
            self.charge(slot, 1);
        }
    }

    /// Bytes under the saved registers: the counter of `may_goto`, and alignment.
    fn locals(&self) -> i32 {
        let counter = if self.function.counts { 8 } else { 0 };
        let pushed = 8 + 8 * self.function.saves.count_ones() as i32 + counter;
        let padding = if self.function.calls { pushed % 16 } else { 0 };
        counter + padding
    }

    fn epilogue(&mut self) {
        if self.locals() != 0 {
            self.asm.op_imm(true, Op::Add, Rm::Reg(Gpr::RSP), self.locals());
        }
        for (bit, reg) in SAVED.into_iter().enumerate().rev() {
            if self.function.saves >> bit & 1 != 0 {
                self.asm.pop(reg);
            }
        }
    }

    /// Takes instructions from the budget.
    fn charge(&mut self, slot: u32, count: u32) {
        let stop = self.stop(slot, FaultKind::Budget);
        self.asm.op_imm(true, Op::Sub, Rm::Data(field::BUDGET), count.min(1 << 30) as i32);
        self.asm.jump_if(Cc::Sign, stop);
    }

    /// The label of a jump's target, where this will be known.
    fn target(&mut self, slot: u32, off: i32, known: Known) -> Label {
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
                self.asm.op_imm(true, Op::Sub, Rm::Base(Gpr::RSP, 0), 1);
                self.asm.jump_if(Cc::Sign, to);
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
        let to = gpr(dst);
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
                return self.asm.mov(true, to, Gpr::R11);
            }
            Imm64::MapFd(_) | Imm64::MapValue { .. } => unsupported("map by file descriptor"),
        };
        let stop = self.stop(slot, stop);
        self.asm.jump(stop);
    }

    /// The code that rare cases jump to.
    fn emit_cold(&mut self) {
        for (label, cold) in core::mem::take(&mut self.cold) {
            self.asm.bind(label);
            match cold {
                Cold::Stop { site } => {
                    self.asm.store_imm(4, Rm::Data(field::SITE), site as i32);
                    self.asm.jump(self.stubs.stop);
                }
                Cold::Load { site, dst, back } => {
                    self.call_slow(site);
                    self.asm.mov(true, dst, Gpr::R11);
                    self.asm.jump(back);
                }
                Cold::Store { site, src, back } => {
                    match src {
                        Operand::Reg(src) => self.asm.mov(true, Gpr::R10, gpr(src)),
                        Operand::Imm(imm) => self.constant(Gpr::R10, i64::from(imm) as u64),
                    }
                    self.call_slow(site);
                    self.asm.jump(back);
                }
                Cold::Atomic { site } => self.call_slow(site),
                Cold::ByZero { width, remainder, dst, back } => {
                    self.divided_by_zero(width, remainder, dst, back)
                }
                Cold::ByMinusOne { width, remainder, dst, back } => {
                    self.divided_by_minus_one(width, remainder, dst, back);
                }
                Cold::Absent { back } => {
                    self.asm.zero(Gpr::RAX);
                    self.asm.jump(back);
                }
                Cold::NextRow { rows, again, back } => self.next_row(rows, again, back),
                Cold::Tail => self.continue_as_other(),
                Cold::Helper { site, back } => {
                    self.call_site(site, true);
                    self.asm.jump(back);
                }
            }
        }
    }
}
