//! Loads, stores and atomic accesses.

use skep_stdlib::isa::{AtomicOp, Operand, Reg, Size};

use super::{ARENA, ARENA_START, AT, Cold, FRAME_PLACE, NUMBER, R0, STATUS, Translator, VALUE, gpr};
use crate::vm::interp::FRAME_SIZE;
use crate::vm::jit::What;
use crate::vm::jit::aarch64::asm::{Gpr, Place};
use crate::vm::jit::aarch64::encode::{Access, AtOnce, Cc, Exclusive, Op, Ordered};
use crate::vm::jit::exec::field;
use crate::vm::jit::labels::Label;
use crate::vm::memory::BASE;

impl Translator<'_> {
    /// Where the bytes of an access are. What is not known to lie in the arena is compared with its
    /// end, and the label for what is outside returned; the address, relative to the arena's start,
    /// is then in `x11`.
    fn place(&mut self, slot: u32, size: Size, base: Reg, off: i16) -> (Place, Option<Label>) {
        let bytes = size.bytes();
        let in_frame =
            base == Reg::FP && i64::from(off) >= -(FRAME_SIZE as i64) && i32::from(off) <= -(bytes as i32);
        let above = i32::from(off) + FRAME_SIZE as i32;
        if in_frame && Place::reaches(bytes, above) {
            return (Place::Base(FRAME_PLACE, above), None);
        }
        if !self.fact(slot).own && !in_frame {
            let outside = self.compared(size, base, off);
            return (Place::Sum(ARENA, VALUE), Some(outside));
        }
        if off == 0 {
            return (Place::Sum(ARENA, gpr(base)), None);
        }
        if Place::reaches(bytes, off.into()) {
            self.asm.op(true, Op::Add, AT, ARENA, gpr(base));
            return (Place::Base(AT, off.into()), None);
        }
        self.add(true, AT, gpr(base), off.into());
        (Place::Sum(ARENA, AT), None)
    }

    /// Leaves the VM address in `x10`, and what it is relative to the arena's start in `x11`. The label is for
    /// what is outside.
    pub fn compared(&mut self, size: Size, base: Reg, off: i16) -> Label {
        let outside = self.asm.label();
        self.address(base, off);
        self.state(Access::Load, NUMBER, field::limit(size));
        self.asm.op(true, Op::Subs, Gpr::ZERO, AT, NUMBER);
        self.asm.jump_if(Cc::Above, outside);
        outside
    }

    fn address(&mut self, base: Reg, off: i16) {
        self.add(true, VALUE, gpr(base), off.into());
        self.asm.op(true, Op::Sub, AT, VALUE, ARENA_START);
    }

    /// `dst = *(base + off)`
    pub fn load(&mut self, slot: u32, size: Size, signed: bool, dst: Reg, base: Reg, off: i16) {
        if self.may_be_absent(slot, base) {
            self.address(base, off);
            let site = self.site(slot, What::Load { size, signed });
            self.call_slow(site);
            return self.take_answer(dst);
        }
        let (from, outside) = self.place(slot, size, base, off);
        let access = if signed { Access::LoadSigned } else { Access::Load };
        self.asm.access(access, size.bytes(), gpr(dst), from);
        if let Some(outside) = outside {
            let site = self.site(slot, What::Load { size, signed });
            let back = self.asm.label();
            self.asm.bind(back);
            self.cold.push((outside, Cold::Load { site, dst: gpr(dst), back }));
        }
    }

    /// `*(base + off) = src`
    pub fn store(&mut self, slot: u32, size: Size, base: Reg, off: i16, src: Operand) {
        if self.may_be_absent(slot, base) {
            self.address(base, off);
            let site = self.site(slot, What::Store { size });
            return self.store_outside(site, src);
        }
        let (to, outside) = self.place(slot, size, base, off);
        let value = self.in_register(size == Size::DW, src);
        self.asm.access(Access::Store, size.bytes(), value, to);
        if let Some(outside) = outside {
            let site = self.site(slot, What::Store { size });
            let back = self.asm.label();
            self.asm.bind(back);
            self.cold.push((outside, Cold::Store { site, src, back }));
        }
    }

    /// Whether the memory of an atomic access is there: then `x11` is not 0. It must be aligned, too.
    fn ask_for_presence(&mut self, slot: u32, size: Size, base: Reg, off: i16) {
        self.address(base, off);
        let site = self.site(slot, What::Presence { size });
        self.call_slow(site);
    }

    /// A store by the host, of the address in `x11`.
    pub fn store_outside(&mut self, site: u32, src: Operand) {
        match src {
            Operand::Reg(src) => self.asm.mov(true, VALUE, gpr(src)),
            Operand::Imm(imm) => self.constant(VALUE, i64::from(imm) as u64),
        }
        self.call_slow(site);
    }

    /// The host address of an access, which must be aligned, in `x11`.
    fn aligned(&mut self, slot: u32, size: Size, base: Reg, off: i16, write: bool) {
        if self.fact(slot).own {
            self.asm.op(true, Op::Add, AT, ARENA, gpr(base));
            if off != 0 {
                self.add(true, AT, AT, off.into());
            }
            return;
        }
        let outside = self.compared(size, base, off);
        if size != Size::B {
            self.asm.op_imm(true, Op::Ands, Gpr::ZERO, AT, u64::from(size.bytes()) - 1);
            self.asm.jump_if(Cc::NotEqual, outside);
        }
        self.asm.op(true, Op::Add, AT, ARENA, VALUE);
        let site = self.site(slot, What::Atomic { size, write });
        self.cold.push((outside, Cold::Atomic { site }));
    }

    /// A load that no later access is seen before.
    pub fn load_acquire(&mut self, slot: u32, size: Size, dst: Reg, base: Reg, off: i16) {
        if self.may_be_absent(slot, base) {
            self.ask_for_presence(slot, size, base, off);
            return self.load(slot, size, false, dst, base, off);
        }
        self.aligned(slot, size, base, off, false);
        self.asm.ordered(Ordered::Load, size.bytes(), gpr(dst), AT);
    }

    /// A store that no earlier access is seen after.
    pub fn store_release(&mut self, slot: u32, size: Size, base: Reg, off: i16, src: Reg) {
        if self.may_be_absent(slot, base) {
            self.ask_for_presence(slot, size, base, off);
            return self.store(slot, size, base, off, Operand::Reg(src));
        }
        self.aligned(slot, size, base, off, true);
        self.asm.ordered(Ordered::Store, size.bytes(), gpr(src), AT);
    }

    /// Changes memory at once. What gives the old value is in order with all other accesses.
    pub fn atomic(&mut self, slot: u32, size: Size, op: AtomicOp, base: Reg, off: i16, src: Reg) {
        let absent = self.may_be_absent(slot, base).then(|| {
            self.ask_for_presence(slot, size, base, off);
            let absent = self.asm.label();
            self.asm.jump_zero(true, true, AT, absent);
            absent
        });
        self.aligned(slot, size, base, off, true);
        self.update(size, op, gpr(src));
        if let Some(absent) = absent {
            self.asm.bind(absent);
        }
    }

    /// Changes what is at the host address in `x11`.
    fn update(&mut self, size: Size, op: AtomicOp, src: Gpr) {
        if self.source.features.lse {
            return self.at_once(size, op, src);
        }
        match op {
            AtomicOp::Add { fetch } => self.exchange(size, Some(Op::Add), src, fetch),
            AtomicOp::Or { fetch } => self.exchange(size, Some(Op::Orr), src, fetch),
            AtomicOp::And { fetch } => self.exchange(size, Some(Op::And), src, fetch),
            AtomicOp::Xor { fetch } => self.exchange(size, Some(Op::Eor), src, fetch),
            AtomicOp::Xchg => self.exchange(size, None, src, true),
            AtomicOp::CmpXchg => self.compare_and_exchange(size, src),
        }
    }

    /// By one instruction of processors that have it.
    fn at_once(&mut self, size: Size, op: AtomicOp, src: Gpr) {
        let (form, fetch) = match op {
            AtomicOp::Add { fetch } => (AtOnce::Add, fetch),
            AtomicOp::Or { fetch } => (AtOnce::Set, fetch),
            AtomicOp::And { fetch } => (AtOnce::Clear, fetch),
            AtomicOp::Xor { fetch } => (AtOnce::Eor, fetch),
            AtomicOp::Xchg => (AtOnce::Swap, true),
            AtomicOp::CmpXchg => return self.asm.at_once(AtOnce::CompareAndSwap, size.bytes(), R0, src, AT),
        };
        let operand = if form == AtOnce::Clear {
            self.asm.op(true, Op::Orn, NUMBER, Gpr::ZERO, src);
            NUMBER
        } else {
            src
        };
        self.asm.at_once(form, size.bytes(), operand, if fetch { src } else { Gpr::ZERO }, AT);
    }

    /// Puts what the operation gives, or `src`, into memory, until nobody else was faster.
    fn exchange(&mut self, size: Size, op: Option<Op>, src: Gpr, fetch: bool) {
        let (bytes, again) = (size.bytes(), self.asm.label());
        let (load, store) = match fetch {
            true => (Ordered::LoadAcquireExclusive, Exclusive::Release),
            false => (Ordered::LoadExclusive, Exclusive::Plain),
        };
        self.asm.bind(again);
        self.asm.ordered(load, bytes, VALUE, AT);
        let new = match op {
            Some(op) => {
                self.asm.op(size == Size::DW, op, NUMBER, VALUE, src);
                NUMBER
            }
            None => src,
        };
        self.asm.store_exclusive(store, bytes, STATUS, new, AT);
        self.asm.jump_zero(false, false, STATUS, again);
        if fetch {
            self.asm.barrier();
            self.asm.mov(true, src, VALUE);
        }
    }

    /// Puts `src` into memory if that equals `r0`; `r0` becomes what was there.
    fn compare_and_exchange(&mut self, size: Size, src: Gpr) {
        let (again, other) = (self.asm.label(), self.asm.label());
        self.asm.bind(again);
        self.asm.ordered(Ordered::LoadAcquireExclusive, size.bytes(), VALUE, AT);
        self.asm.op(size == Size::DW, Op::Subs, Gpr::ZERO, VALUE, R0);
        self.asm.jump_if(Cc::NotEqual, other);
        self.asm.store_exclusive(Exclusive::Release, size.bytes(), STATUS, src, AT);
        self.asm.jump_zero(false, false, STATUS, again);
        self.asm.bind(other);
        self.asm.barrier();
        self.asm.mov(true, R0, VALUE);
    }

    /// The classic packet loads; past the packet's end the program returns 0.
    pub fn load_packet(&mut self, slot: u32, size: Size, src: Option<Reg>, imm: i32) {
        self.constant(AT, i64::from(imm) as u64);
        if let Some(src) = src {
            // The sum is cut to 32 bits.
            self.asm.op(false, Op::Add, AT, AT, gpr(src));
        }
        let site = self.site(slot, What::LoadPacket { size });
        self.call_slow(site);
        self.asm.mov(true, R0, AT);
        self.known = self.known.called();
    }

    /// What is constant in the registers that the entry from the host sets.
    pub fn constants(&mut self) {
        self.asm.mov_imm(ARENA_START, BASE);
    }
}
