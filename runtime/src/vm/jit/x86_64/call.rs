//! Calls, and the stubs through which programs and host enter each other.

use skep_stdlib::isa::{Reg, Size};

use super::{ARENA, Cold, Translator, gpr};
use crate::maps::index::MULTIPLIER;
use crate::maps::{ArrayLayout, IndexLayout};
use crate::object::CORE_POISON;
use crate::vm::FaultKind;
use crate::vm::interp::{FRAME_SIZE, FRAME_STRIDE, MAX_FRAMES};
use crate::vm::jit::What;
use crate::vm::jit::asm::{Cc, Gpr, Op, Rm, Shift};
use crate::vm::jit::exec::field;
use crate::vm::jit::flow;
use crate::vm::memory::BASE;

/// Number of the helper that looks an element up.
const MAP_LOOKUP: i32 = 1;
/// Number of the helper that continues as another program.
const TAIL_CALL: i32 = 12;

/// The registers that a call may change, apart from scratch ones.
const CHANGED: [Gpr; 6] = [Gpr::RAX, Gpr::RDI, Gpr::RSI, Gpr::RDX, Gpr::RCX, Gpr::R8];

/// What the entry saves for the host.
const HOST_SAVED: [Gpr; 6] = [Gpr::RBP, Gpr::RBX, Gpr::R12, Gpr::R13, Gpr::R14, Gpr::R15];

impl Translator<'_> {
    pub(super) fn emit_stubs(&mut self) {
        self.entry_stub();
        self.helper_stub();
        self.keeping_stub();
        self.slow_stub();
        let asm = &mut self.asm;
        asm.bind(self.stubs.stop);
        asm.op_imm(true, Op::And, Rm::Reg(Gpr::RSP), -16);
        asm.lea(true, Gpr::R9, Rm::Data(0));
        asm.call_rm(Rm::Data(field::HELPER));
        asm.jump(self.stubs.unwind);
    }

    /// `fn(args: &[u64; 5], function: u64, frame: u64) -> u64` of the host: loads the registers and
    /// calls the function. The host's stack pointer is kept for stops; entries may nest.
    fn entry_stub(&mut self) {
        let asm = &mut self.asm;
        HOST_SAVED.into_iter().for_each(|reg| asm.push(reg));
        asm.push_mem(Rm::Data(field::STACK_POINTER));
        asm.store(8, Rm::Data(field::STACK_POINTER), Gpr::RSP);
        asm.load(8, false, ARENA, Rm::Data(field::BASE));
        asm.mov(true, Gpr::R11, Gpr::RSI);
        asm.mov(true, Gpr::RBP, Gpr::RDX);
        for (at, reg) in [Gpr::RSI, Gpr::RDX, Gpr::RCX, Gpr::R8].into_iter().enumerate() {
            asm.load(8, false, reg, Rm::Base(Gpr::RDI, 8 * (at as i32 + 1)));
        }
        asm.load(8, false, Gpr::RDI, Rm::Base(Gpr::RDI, 0));
        for reg in [Gpr::RAX, Gpr::RBX, Gpr::R13, Gpr::R14, Gpr::R15] {
            asm.zero(reg);
        }
        asm.call_rm(Rm::Reg(Gpr::R11));
        let leave = asm.label();
        asm.bind(leave);
        asm.pop_mem(Rm::Data(field::STACK_POINTER));
        HOST_SAVED.into_iter().rev().for_each(|reg| asm.pop(reg));
        asm.ret();
        asm.bind(self.stubs.unwind);
        asm.load(8, false, Gpr::RSP, Rm::Data(field::STACK_POINTER));
        asm.zero(Gpr::RAX);
        asm.jump(leave);
    }

    /// `r1` to `r5` are where the host expects arguments; the sixth is the state. The arena may have
    /// moved afterwards.
    fn helper_stub(&mut self) {
        let asm = &mut self.asm;
        asm.bind(self.stubs.helper);
        asm.op_imm(true, Op::Sub, Rm::Reg(Gpr::RSP), 8);
        asm.store(8, Rm::Data(field::FRAME), Gpr::RBP);
        asm.lea(true, Gpr::R9, Rm::Data(0));
        asm.call_rm(Rm::Data(field::HELPER));
        asm.op_imm(true, Op::Add, Rm::Reg(Gpr::RSP), 8);
        asm.load(8, false, ARENA, Rm::Data(field::BASE));
        asm.test(false, Gpr::RDX, Gpr::RDX);
        asm.jump_if(Cc::NotEqual, self.stubs.unwind);
        asm.ret();
    }

    fn keeping_stub(&mut self) {
        let (_, arguments) = CHANGED.split_at(1);
        let asm = &mut self.asm;
        asm.bind(self.stubs.keeping);
        arguments.iter().for_each(|&reg| asm.push(reg));
        asm.call(self.stubs.helper);
        arguments.iter().rev().for_each(|&reg| asm.pop(reg));
        asm.ret();
    }

    /// Takes `r11` and `r10`, returns `r11`.
    fn slow_stub(&mut self) {
        let asm = &mut self.asm;
        asm.bind(self.stubs.slow);
        CHANGED.into_iter().for_each(|reg| asm.push(reg));
        asm.push(Gpr::RBP);
        asm.mov(true, Gpr::RBP, Gpr::RSP);
        asm.op_imm(true, Op::And, Rm::Reg(Gpr::RSP), -16);
        asm.mov(true, Gpr::RDI, Gpr::R11);
        asm.mov(true, Gpr::RSI, Gpr::R10);
        asm.lea(true, Gpr::RDX, Rm::Data(0));
        asm.call_rm(Rm::Data(field::SLOW));
        asm.test(false, Gpr::RDX, Gpr::RDX);
        asm.jump_if(Cc::NotEqual, self.stubs.unwind);
        asm.mov(true, Gpr::R11, Gpr::RAX);
        asm.load(8, false, ARENA, Rm::Data(field::BASE));
        asm.mov(true, Gpr::RSP, Gpr::RBP);
        asm.pop(Gpr::RBP);
        CHANGED.into_iter().rev().for_each(|reg| asm.pop(reg));
        asm.ret();
    }

    pub(super) fn call_slow(&mut self, site: u32) {
        self.asm.store_imm(4, Rm::Data(field::SITE), site as i32);
        self.asm.call(self.stubs.slow);
    }

    /// Calls the helper of a site. Unverified programs may read `r1` to `r5` afterwards, and must not
    /// find in them what the host left.
    pub(super) fn call_site(&mut self, site: u32, keep: bool) {
        self.asm.store_imm(4, Rm::Data(field::SITE), site as i32);
        let stub = if keep || !self.is_proven() { self.stubs.keeping } else { self.stubs.helper };
        self.asm.call(stub);
    }

    pub(super) fn call_helper(&mut self, slot: u32, id: i32) {
        let what = match id {
            CORE_POISON => What::Fault(FaultKind::CorePoison),
            id => self.source.helpers.get(id).map_or_else(What::Fault, What::Helper),
        };
        let map = self.map.filter(|&map| id == MAP_LOOKUP && self.source.maps.holds_values(map));
        let array = map.and_then(|map| self.source.maps.array_layout(map));
        let site = self.site(slot, map.map_or(what, What::Lookup));
        if let Some(array) = array {
            return self.look_up(site, array);
        }
        // What others have written into an index would keep its code from ending.
        let index = map.and_then(|map| self.source.maps.index_layout(map));
        if let Some(index) = index.filter(|_| self.is_proven()) {
            return self.look_up_index(site, index);
        }
        self.call_site(site, id == TAIL_CALL);
        if id == TAIL_CALL {
            self.check_tail();
        }
    }

    /// The address of an array's element, without a call, unless the key lies outside of the arena.
    fn look_up(&mut self, site: u32, array: ArrayLayout) {
        let (outside, absent, back) = (self.asm.label(), self.asm.label(), self.asm.label());
        let asm = &mut self.asm;
        asm.lea(true, Gpr::R11, Rm::Base(Gpr::RSI, -(BASE as i32)));
        asm.cmp_mem(true, Gpr::R11, Rm::Data(field::limit(Size::W)));
        asm.jump_if(Cc::Above, outside);
        asm.load(4, false, Gpr::RAX, Rm::Index(ARENA, Gpr::RSI, 0, 0));
        asm.op_imm(false, Op::Cmp, Rm::Reg(Gpr::RAX), array.count as i32);
        asm.jump_if(Cc::AboveEqual, absent);
        match array.stride {
            stride if stride.is_power_of_two() => {
                asm.shift_imm(true, Shift::Shl, Gpr::RAX, stride.trailing_zeros() as u8);
            }
            stride => asm.imul_imm(true, Gpr::RAX, Gpr::RAX, stride as i32),
        }
        asm.op_imm(true, Op::Add, Rm::Reg(Gpr::RAX), array.start as i32);
        asm.bind(back);
        self.cold.push((absent, Cold::Absent { back }));
        self.cold.push((outside, Cold::Helper { site, back }));
    }

    /// The address of a value by a key of 4 or 8 bytes, from the map's index. The argument registers
    /// are free: what is proven does not read them after a call.
    fn look_up_index(&mut self, site: u32, index: IndexLayout) {
        let (key, row, offset) = (Gpr::RDX, Gpr::R11, Gpr::R10);
        let size = if index.key_size == 4 { Size::W } else { Size::DW };
        let (outside, back) = (self.asm.label(), self.asm.label());
        let (again, other) = (self.asm.label(), self.asm.label());
        let place = |displacement: u64| Rm::Index(ARENA, offset, 0, (index.start + displacement) as i32);
        let asm = &mut self.asm;
        asm.lea(true, Gpr::R11, Rm::Base(Gpr::RSI, -(BASE as i32)));
        asm.cmp_mem(true, Gpr::R11, Rm::Data(field::limit(size)));
        asm.jump_if(Cc::Above, outside);
        asm.load(size.bytes(), false, key, Rm::Index(ARENA, Gpr::RSI, 0, 0));
        asm.mov_imm(row, MULTIPLIER);
        asm.imul(true, row, key);
        asm.shift_imm(true, Shift::Shr, row, (64 - index.bits) as u8);
        asm.bind(again);
        asm.mov(true, offset, row);
        asm.shift_imm(true, Shift::Shl, offset, 4);
        asm.load(4, false, Gpr::RAX, place(8));
        asm.cmp_mem(true, key, place(0));
        asm.jump_if(Cc::NotEqual, other);
        // 0 was never used, 1 was removed.
        asm.op_imm(false, Op::Cmp, Rm::Reg(Gpr::RAX), 1);
        asm.jump_if(Cc::Above, back);
        asm.bind(other);
        asm.test(false, Gpr::RAX, Gpr::RAX);
        asm.jump_if(Cc::Equal, back);
        asm.op_imm(false, Op::Add, Rm::Reg(row), 1);
        asm.op_imm(false, Op::And, Rm::Reg(row), (1 << index.bits) - 1);
        asm.jump(again);
        asm.bind(back);
        self.cold.push((outside, Cold::Helper { site, back }));
    }

    pub(super) fn call_kfunc(&mut self, slot: u32, id: i32) {
        let what = self.source.helpers.kfunc(id).map_or_else(What::Fault, What::Helper);
        let site = self.site(slot, what);
        self.call_site(site, false);
    }

    /// Has the helper found a program to continue as?
    fn check_tail(&mut self) {
        self.asm.op_imm(true, Op::Cmp, Rm::Data(field::TAIL), 0);
        let tail = self.rare(Cold::Tail);
        self.asm.jump_if(Cc::NotEqual, tail);
    }

    /// The other program takes this function's place: its frame, its return address.
    pub(super) fn continue_as_other(&mut self) {
        self.asm.load(8, false, Gpr::R11, Rm::Data(field::TAIL));
        self.asm.store_imm(8, Rm::Data(field::TAIL), 0);
        self.epilogue();
        self.asm.jump_reg(Gpr::R11);
    }

    pub(super) fn call_local(&mut self, slot: u32, off: i32) {
        let target = flow::relative(slot, off);
        let Some(at) = self.flows[self.index].at(target) else {
            let target = i64::from(slot) + 1 + i64::from(off);
            let stop = self.stop(slot, FaultKind::NoInstruction { target });
            return self.asm.jump(stop);
        };
        let frame = self.flows[self.index].functions[at].frame || !self.is_proven();
        let entry = self.entries[self.index][at];
        if frame {
            self.next_frame(slot);
        }
        self.asm.call(entry);
        if frame {
            self.asm.op_imm(true, Op::Sub, Rm::Reg(Gpr::RBP), FRAME_STRIDE as i32);
        }
    }

    /// Moves the frame pointer to the callee's frame.
    fn next_frame(&mut self, slot: u32) {
        if !self.is_proven() {
            let last = self.source.stack + u64::from(MAX_FRAMES - 1) * FRAME_STRIDE + FRAME_SIZE;
            self.asm.op_imm(true, Op::Cmp, Rm::Reg(Gpr::RBP), last as i32);
            let stop = self.stop(slot, FaultKind::CallDepth);
            self.asm.jump_if(Cc::AboveEqual, stop);
        }
        self.asm.op_imm(true, Op::Add, Rm::Reg(Gpr::RBP), FRAME_STRIDE as i32);
    }

    /// The host says what the register's value stands for: a function, or a helper's number.
    pub(super) fn call_register(&mut self, slot: u32, reg: Reg) {
        let (resolve, by_number) = (self.site(slot, What::Resolve), self.site(slot, What::ByNumber));
        let back = self.asm.label();
        self.asm.mov(true, Gpr::R11, gpr(reg));
        self.call_slow(resolve);
        self.asm.test(true, Gpr::R11, Gpr::R11);
        let number = self.rare(Cold::Helper { site: by_number, back });
        self.asm.jump_if(Cc::Equal, number);
        self.next_frame(slot);
        self.asm.call_rm(Rm::Reg(Gpr::R11));
        self.asm.op_imm(true, Op::Sub, Rm::Reg(Gpr::RBP), FRAME_STRIDE as i32);
        self.asm.bind(back);
        self.check_tail();
    }
}
