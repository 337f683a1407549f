//! Loads, stores and atomic accesses.

use skep_stdlib::isa::{AtomicOp, Operand, Reg, Size};

use super::asm::{Cc, Gpr, Op, Rm};
use super::{ARENA, Cold, Translator, gpr};
use crate::vm::interp::FRAME_SIZE;
use crate::vm::jit::What;
use crate::vm::jit::exec::field;
use crate::vm::jit::labels::Label;
use crate::vm::memory::BASE;

impl Translator<'_> {
    /// Where the bytes of an access are. What is not known to lie in the arena is compared with its
    /// end, and the label for what is outside returned; the address, relative to the arena's start,
    /// is then in `r11`.
    #[inline(always)]
    fn place(&mut self, slot: u32, size: Size, base: Reg, off: i16) -> (Rm, Option<Label>) {
        let in_frame = || {
            base == Reg::FP
                && i64::from(off) >= -(FRAME_SIZE as i64)
                && i32::from(off) <= -(size.bytes() as i32)
        };
        // Mostly there is a proof.
        if self.fact(slot).own || in_frame() {
            return (Rm::Index(ARENA, gpr(base), 0, i32::from(off)), None);
        }
        self.compared(size, base, off)
    }

    fn compared(&mut self, size: Size, base: Reg, off: i16) -> (Rm, Option<Label>) {
        let outside = self.asm.label();
        self.show_address(base, off);
        self.asm.cmp_mem(true, Gpr::R11, Rm::Data(field::limit(size)));
        self.asm.jump_if(Cc::Above, outside);
        (Rm::Index(ARENA, Gpr::R11, 0, BASE as i32), Some(outside))
    }

    /// Puts the address of an access, relative to the arena's start, where the host expects it.
    fn show_address(&mut self, base: Reg, off: i16) {
        self.asm.lea(true, Gpr::R11, Rm::Base(gpr(base), i32::from(off) - BASE as i32));
    }

    pub fn load(&mut self, slot: u32, size: Size, signed: bool, dst: Reg, base: Reg, off: i16) {
        if self.may_be_absent(slot, base) {
            self.show_address(base, off);
            let site = self.site(slot, What::Load { size, signed });
            self.call_slow(site);
            return self.asm.mov(true, gpr(dst), Gpr::R11);
        }
        let (from, outside) = self.place(slot, size, base, off);
        self.asm.load(size.bytes(), signed, gpr(dst), from);
        if let Some(outside) = outside {
            let site = self.site(slot, What::Load { size, signed });
            let back = self.asm.label();
            self.asm.bind(back);
            self.cold.push((outside, Cold::Load { site, dst: gpr(dst), back }));
        }
    }

    pub fn store(&mut self, slot: u32, size: Size, base: Reg, off: i16, src: Operand) {
        if self.may_be_absent(slot, base) {
            self.show_address(base, off);
            let site = self.site(slot, What::Store { size });
            return self.store_outside(site, src);
        }
        let (to, outside) = self.place(slot, size, base, off);
        match src {
            Operand::Reg(src) => self.asm.store(size.bytes(), to, gpr(src)),
            Operand::Imm(imm) if self.is_blind() => {
                self.constant(Gpr::R10, i64::from(imm) as u64);
                self.asm.store(size.bytes(), to, Gpr::R10);
            }
            Operand::Imm(imm) => self.asm.store_imm(size.bytes(), to, imm),
        }
        if let Some(outside) = outside {
            let site = self.site(slot, What::Store { size });
            let back = self.asm.label();
            self.asm.bind(back);
            self.cold.push((outside, Cold::Store { site, src, back }));
        }
    }

    /// Whether the memory of an atomic access is there: then `r11` is not 0. It must be aligned, too.
    fn ask_for_presence(&mut self, slot: u32, size: Size, base: Reg, off: i16) {
        self.show_address(base, off);
        let site = self.site(slot, What::Presence { size });
        self.call_slow(site);
    }

    /// A store by the host, of the address in `r11`.
    pub fn store_outside(&mut self, site: u32, src: Operand) {
        match src {
            Operand::Reg(src) => self.asm.mov(true, Gpr::R10, gpr(src)),
            Operand::Imm(imm) => self.constant(Gpr::R10, i64::from(imm) as u64),
        }
        self.call_slow(site);
    }

    /// As [`Translator::place`], for what must be aligned. The label is for what cannot be accessed.
    fn aligned(&mut self, slot: u32, size: Size, base: Reg, off: i16, write: bool) -> Rm {
        let (place, outside) = self.place(slot, size, base, off);
        if self.fact(slot).own {
            return place;
        }
        let outside = outside.unwrap_or_else(|| {
            // In the frame, but maybe not aligned.
            self.show_address(base, off);
            self.asm.label()
        });
        if size != Size::B {
            self.asm.test_imm(false, Gpr::R11, size.bytes() as i32 - 1);
            self.asm.jump_if(Cc::NotEqual, outside);
        }
        let site = self.site(slot, What::Atomic { size, write });
        self.cold.push((outside, Cold::Atomic { site }));
        place
    }

    /// The processor's loads are acquiring.
    pub fn load_acquire(&mut self, slot: u32, size: Size, dst: Reg, base: Reg, off: i16) {
        if self.may_be_absent(slot, base) {
            self.ask_for_presence(slot, size, base, off);
            return self.load(slot, size, false, dst, base, off);
        }
        let from = self.aligned(slot, size, base, off, false);
        self.asm.load(size.bytes(), false, gpr(dst), from);
    }

    /// The processor's stores are releasing.
    pub fn store_release(&mut self, slot: u32, size: Size, base: Reg, off: i16, src: Reg) {
        if self.may_be_absent(slot, base) {
            self.ask_for_presence(slot, size, base, off);
            return self.store(slot, size, base, off, Operand::Reg(src));
        }
        let to = self.aligned(slot, size, base, off, true);
        self.asm.store(size.bytes(), to, gpr(src));
    }

    pub fn atomic(&mut self, slot: u32, size: Size, op: AtomicOp, base: Reg, off: i16, src: Reg) {
        let absent = self.may_be_absent(slot, base).then(|| {
            self.ask_for_presence(slot, size, base, off);
            let absent = self.asm.label();
            self.asm.test(true, Gpr::R11, Gpr::R11);
            self.asm.jump_if(Cc::Equal, absent);
            absent
        });
        let place = self.aligned(slot, size, base, off, true);
        self.update(place, size, op, src);
        if let Some(absent) = absent {
            self.asm.bind(absent);
        }
    }

    /// Changes what is at a place.
    fn update(&mut self, place: Rm, size: Size, op: AtomicOp, src: Reg) {
        let (wide, operand) = (size == Size::DW, gpr(src));
        match op {
            AtomicOp::Add { fetch: true } => self.asm.lock_xadd(wide, place, operand),
            AtomicOp::Add { fetch: false } => self.asm.lock_op(wide, Op::Add, place, operand),
            AtomicOp::Or { fetch: false } => self.asm.lock_op(wide, Op::Or, place, operand),
            AtomicOp::And { fetch: false } => self.asm.lock_op(wide, Op::And, place, operand),
            AtomicOp::Xor { fetch: false } => self.asm.lock_op(wide, Op::Xor, place, operand),
            AtomicOp::Or { fetch: true } => self.fetch(wide, Op::Or, place, operand),
            AtomicOp::And { fetch: true } => self.fetch(wide, Op::And, place, operand),
            AtomicOp::Xor { fetch: true } => self.fetch(wide, Op::Xor, place, operand),
            AtomicOp::Xchg => self.asm.xchg(wide, place, operand),
            AtomicOp::CmpXchg => {
                self.asm.lock_cmpxchg(wide, place, operand);
                if !wide {
                    // A successful exchange leaves the upper half as it was.
                    self.asm.mov(false, Gpr::RAX, Gpr::RAX);
                }
            }
        }
    }

    /// The old value of what is changed by `op`: there is no such instruction, but a loop does it.
    fn fetch(&mut self, wide: bool, op: Op, place: Rm, operand: Gpr) {
        let again = self.asm.label();
        self.asm.lea(true, Gpr::R9, place);
        self.asm.mov(true, Gpr::R11, Gpr::RAX);
        let is_result = operand == Gpr::RAX;
        let operand_now = if is_result { Gpr::R11 } else { operand };
        self.asm.load(if wide { 8 } else { 4 }, false, Gpr::RAX, Rm::Base(Gpr::R9, 0));
        self.asm.bind(again);
        self.asm.mov(wide, Gpr::R10, Gpr::RAX);
        self.asm.op(wide, op, Gpr::R10, operand_now);
        self.asm.lock_cmpxchg(wide, Rm::Base(Gpr::R9, 0), Gpr::R10);
        self.asm.jump_if(Cc::NotEqual, again);
        if is_result {
            if !wide {
                self.asm.mov(false, Gpr::RAX, Gpr::RAX);
            }
            return;
        }
        self.asm.mov(wide, operand, Gpr::RAX);
        self.asm.mov(true, Gpr::RAX, Gpr::R11);
    }

    /// The classic packet loads; past the packet's end the program returns 0.
    pub fn load_packet(&mut self, slot: u32, size: Size, src: Option<Reg>, imm: i32) {
        match src {
            // The sum is cut to 32 bits.
            Some(src) if self.is_blind() => {
                self.constant(Gpr::R11, i64::from(imm) as u64);
                self.asm.op(false, Op::Add, Gpr::R11, gpr(src));
            }
            Some(src) => self.asm.lea(false, Gpr::R11, Rm::Base(gpr(src), imm)),
            None => self.constant(Gpr::R11, i64::from(imm) as u64),
        }
        let site = self.site(slot, What::LoadPacket { size });
        self.call_slow(site);
        self.asm.mov(true, Gpr::RAX, Gpr::R11);
        self.known = self.known.called();
    }
}
