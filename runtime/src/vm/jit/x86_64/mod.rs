//! Templates of x86-64: the registers where the calling convention has them.
//!
//! `r1` to `r5` are the first five argument registers, `r0` is the result, `r6` to `r9` and the
//! frame pointer are saved by callees: so helper calls move nothing. `r12` holds the host address
//! of VM address 0; `r9`, `r10` and `r11` of the processor are scratch inside a template.

mod alu;
pub mod asm;
mod blind;
mod branch;
mod call;
mod form;
mod fuse;
mod lookup;
mod memory;

use skep_stdlib::isa::{Operand, Reg, Width};

pub use asm::Asm;

use super::exec::field;
use super::labels::Label;
use super::translate::Translator;
use crate::vm::FaultKind;
use asm::{Cc, Gpr, Op, Rm};

/// Bytes in front of the code: the state has a page of its own.
pub const DATA_SIZE: u32 = 4096;

/// The register that a BPF register lives in.
pub const fn gpr(reg: Reg) -> Gpr {
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

impl Features {
    /// What the processor at hand can do.
    pub fn here() -> Features {
        Features { bmi2: std::is_x86_feature_detected!("bmi2") }
    }
}

/// A rare case of a template, emitted behind the function.
#[allow(missing_docs)]
pub enum Cold {
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

impl Translator<'_> {
    /// Saves what the function changes. Calls find the stack aligned.
    pub fn prologue(&mut self) {
        for (bit, reg) in SAVED.into_iter().enumerate() {
            if self.function.saves >> bit & 1 != 0 {
                self.asm.push(reg);
            }
        }
        if self.locals() != 0 {
            self.asm.op_imm(true, Op::Sub, Rm::Reg(Gpr::RSP), self.locals());
        }
        if self.function.counts {
            self.asm.store_imm(8, Rm::Base(Gpr::RSP, 0), crate::vm::interp::MAY_GOTO_LIMIT as i32);
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

    pub fn epilogue(&mut self) {
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
    pub fn charge(&mut self, slot: u32, count: u32) {
        let stop = self.stop(slot, FaultKind::Budget);
        self.asm.op_imm(true, Op::Sub, Rm::Data(field::BUDGET), count.min(1 << 30) as i32);
        self.asm.jump_if(Cc::Sign, stop);
    }

    /// Counts a round of `may_goto`; jumps when there were too many.
    pub fn count_round(&mut self, to: Label) {
        self.asm.op_imm(true, Op::Sub, Rm::Base(Gpr::RSP, 0), 1);
        self.asm.jump_if(Cc::Sign, to);
    }

    /// `dst = ` what the slow stub has returned.
    pub fn take_answer(&mut self, dst: Reg) {
        self.asm.mov(true, gpr(dst), Gpr::R11);
    }

    /// The code that rare cases jump to.
    pub fn emit_cold(&mut self) {
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
                    self.store_outside(site, src);
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
