//! Templates of AArch64, as the first version of the architecture has it.
//!
//! `r1` to `r5` are the first five argument registers and `r6` to `r9` are saved by callees, so helper calls
//! move no argument; `r0` has a place of its own, for the first argument register is the result's as well.
//! What the host moves and what never changes is in registers that callees save:
//!
//! | register | holds |
//! |---|---|
//! | `x7` | `r0` |
//! | `x8` | mask of a constant |
//! | `x9` to `x11` | scratch inside a template; `x10` and `x11` also go to the slow stub |
//! | `x12` | the return address of a function that does not save it, around a slow call |
//! | `x16`, `x17` | a site's number, a function's address; whether an exclusive store was |
//! | `x23` | frame pointer |
//! | `x24`, `x25` | host address of VM address 0; of the state |
//! | `x26` | host address of the lowest byte of the frame |
//! | `x27` | VM address of the arena's first byte |
//!
//! Frames are accessed with positive distances from `x26`: only these reach far in one instruction.

mod alu;
mod branch;
mod call;
mod fuse;
mod lookup;
mod memory;

use skep_stdlib::isa::{Operand, Reg};

pub use super::asm::Asm;

use super::asm::{Gpr, Place};
use super::encode::{Access, Cc, Field, Op, Pair};
use crate::vm::FaultKind;
use crate::vm::interp::MAY_GOTO_LIMIT;
use crate::vm::jit::exec::field;
use crate::vm::jit::labels::Label;
use crate::vm::jit::translate::Translator;

/// Bytes in front of the code: the state has a page of its own, and pages may be large.
pub const DATA_SIZE: u32 = 1 << 16;

const R0: Gpr = Gpr::x(7);
const MASK: Gpr = Gpr::x(8);
/// For a number that does not fit into an instruction.
const NUMBER: Gpr = Gpr::x(9);
/// What is stored from a register of none; the VM address of an access.
const VALUE: Gpr = Gpr::x(10);
/// The address of an access, relative to the arena's start or the host's; what the slow stub returns.
const AT: Gpr = Gpr::x(11);
const KEPT_LINK: Gpr = Gpr::x(12);
const SITE: Gpr = Gpr::x(16);
const STATUS: Gpr = Gpr::x(17);
const FRAME: Gpr = Gpr::x(23);
const ARENA: Gpr = Gpr::x(24);
const STATE: Gpr = Gpr::x(25);
const FRAME_PLACE: Gpr = Gpr::x(26);
const ARENA_START: Gpr = Gpr::x(27);

/// The registers that functions save, as [`crate::vm::jit::flow::Function::saves`] counts them.
const SAVED: [Gpr; 4] = [Gpr::x(19), Gpr::x(20), Gpr::x(21), Gpr::x(22)];

/// The register that a BPF register lives in.
pub const fn gpr(reg: Reg) -> Gpr {
    match reg.index() {
        0 => R0,
        number @ 1..=5 => Gpr::x(number as u8 - 1),
        number @ 6..=9 => SAVED[number - 6],
        _ => FRAME,
    }
}

/// What the processor has beyond the base set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Features {
    /// Atomic changes of memory by one instruction.
    pub lse: bool,
}

impl Features {
    /// What the processor at hand can do.
    pub fn here() -> Features {
        Features { lse: std::arch::is_aarch64_feature_detected!("lse") }
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
    /// Continues as another program.
    Tail,
    /// No element has this key.
    Absent { back: Label },
    /// Another key has its row.
    NextRow { rows: u64, again: Label, back: Label },
    /// A call of a helper: through a register that holds its number, or where the template cannot.
    Helper { site: u32, back: Label },
}

impl Translator<'_> {
    /// A field of the state.
    fn state(&mut self, access: Access, reg: Gpr, field: u32) {
        self.asm.access(access, 8, reg, Place::Base(STATE, field as i32));
    }

    /// Does the function save its return address? What calls only rarely does not.
    fn saves_link(&self) -> bool {
        self.function.calls
    }

    /// What the function saves, two by two, and the bytes it needs of the stack: a counter of `may_goto` below.
    fn saved(&self) -> ([Option<Gpr>; 5], i32) {
        let mut saved = [None; 5];
        let link = self.saves_link().then_some(Gpr::LINK);
        let of_program = SAVED.into_iter().enumerate().filter(|(bit, _)| self.function.saves >> bit & 1 != 0);
        let all = link.into_iter().chain(of_program.map(|(_, reg)| reg));
        let count = saved.iter_mut().zip(all).map(|(place, reg)| *place = Some(reg)).count();
        let words = count + usize::from(self.function.counts);
        (saved, words.next_multiple_of(2) as i32 * 8)
    }

    /// Stores or loads what the function saves.
    fn access_saved(&mut self, form: Pair, access: Access, saved: [Option<Gpr>; 5]) {
        let start = if self.function.counts { 8 } else { 0 };
        for (at, pair) in (0..).zip(saved.chunks(2)) {
            let by = start + 16 * at;
            match *pair {
                [Some(a), Some(b)] => self.asm.pair(form, (a, b), by),
                [Some(a), ..] => self.asm.access(access, 8, a, Place::Base(Gpr::SP, by)),
                _ => {}
            }
        }
    }

    /// Saves what the function changes.
    pub fn prologue(&mut self) {
        let (saved, size) = self.saved();
        if size != 0 {
            self.add(true, Gpr::SP, Gpr::SP, -i64::from(size));
        }
        self.access_saved(Pair::Store, Access::Store, saved);
        if self.function.counts {
            self.asm.mov_imm(NUMBER, u64::from(MAY_GOTO_LIMIT));
            self.asm.access(Access::Store, 8, NUMBER, Place::Base(Gpr::SP, 0));
        }
        if !self.is_proven() {
            let slot = self.function.start;
            self.charge(slot, 1);
        }
    }

    /// Brings it back.
    pub fn epilogue(&mut self) {
        let (saved, size) = self.saved();
        self.access_saved(Pair::Load, Access::Load, saved);
        if size != 0 {
            self.add(true, Gpr::SP, Gpr::SP, i64::from(size));
        }
    }

    /// `dst = src + value`; changes `x9` if the value is large, which 31 is not made for.
    fn add(&mut self, wide: bool, dst: Gpr, src: Gpr, value: i64) {
        let (op, size) = if value < 0 { (Op::Sub, value.unsigned_abs()) } else { (Op::Add, value as u64) };
        if self.asm.op_imm(wide, op, dst, src, size) {
            return;
        }
        if size < 1 << 24 {
            self.asm.op_imm(wide, op, dst, src, size & !0xfff);
            self.asm.op_imm(wide, op, dst, dst, size & 0xfff);
            return;
        }
        self.asm.mov_imm(NUMBER, size);
        self.asm.op(wide, op, dst, src, NUMBER);
    }

    /// Takes instructions from the budget.
    pub fn charge(&mut self, slot: u32, count: u32) {
        let stop = self.stop(slot, FaultKind::Budget);
        self.state(Access::Load, VALUE, field::BUDGET);
        if !self.asm.op_imm(true, Op::Subs, VALUE, VALUE, count.into()) {
            self.asm.mov_imm(NUMBER, count.into());
            self.asm.op(true, Op::Subs, VALUE, VALUE, NUMBER);
        }
        self.state(Access::Store, VALUE, field::BUDGET);
        self.asm.jump_if(Cc::Negative, stop);
    }

    /// Counts a round of `may_goto`; jumps when there were too many.
    pub fn count_round(&mut self, to: Label) {
        self.asm.access(Access::Load, 8, NUMBER, Place::Base(Gpr::SP, 0));
        self.asm.op_imm(true, Op::Subs, NUMBER, NUMBER, 1);
        self.asm.access(Access::Store, 8, NUMBER, Place::Base(Gpr::SP, 0));
        self.asm.jump_if(Cc::Negative, to);
    }

    /// `dst = ` what the slow stub has returned.
    pub fn take_answer(&mut self, dst: Reg) {
        self.asm.mov(true, gpr(dst), AT);
    }

    /// `to = value`, a constant of the program. Changes `x8` if it is masked.
    pub fn constant(&mut self, to: Gpr, value: u64) {
        let Some(mask) = self.masks.take() else { return self.asm.mov_imm(to, value) };
        let is_signed = i64::from(value as i32) as u64 == value;
        let wide = !is_signed && u32::try_from(value).is_err();
        let cut = |value: u64| if wide { value } else { u64::from(value as u32) };
        self.asm.mov_imm(to, cut(value ^ mask));
        self.asm.mov_imm(MASK, cut(mask));
        self.asm.op(wide, Op::Eor, to, to, MASK);
        if is_signed {
            self.asm.field(true, Field::Signed, to, to, (0, 31));
        }
    }

    /// The code that rare cases jump to.
    pub fn emit_cold(&mut self) {
        for (label, cold) in core::mem::take(&mut self.cold) {
            self.asm.bind(label);
            match cold {
                Cold::Stop { site } => {
                    self.asm.mov_imm(SITE, site.into());
                    self.asm.jump(self.stubs.stop);
                }
                Cold::Load { site, dst, back } => {
                    self.call_slow(site);
                    self.asm.mov(true, dst, AT);
                    self.asm.jump(back);
                }
                Cold::Store { site, src, back } => {
                    self.store_outside(site, src);
                    self.asm.jump(back);
                }
                Cold::Atomic { site } => self.call_slow(site),
                Cold::Absent { back } => {
                    self.asm.mov_imm(R0, 0);
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
