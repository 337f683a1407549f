//! Calls, and the stubs through which programs and host enter each other.

use skep_stdlib::isa::Reg;

use super::asm::{Cc, Gpr, Op, Rm};
use super::{ARENA, Cold, SAVED, Translator, gpr};
use crate::vm::FaultKind;
use crate::vm::interp::{FRAME_SIZE, FRAME_STRIDE};
use crate::vm::jit::What;
use crate::vm::jit::exec::field;

/// The registers that a call may change, apart from scratch ones.
const CHANGED: [Gpr; 6] = [Gpr::RAX, Gpr::RDI, Gpr::RSI, Gpr::RDX, Gpr::RCX, Gpr::R8];

/// What the entry saves for the host.
const HOST_SAVED: [Gpr; 6] = [Gpr::RBP, Gpr::RBX, Gpr::R12, Gpr::R13, Gpr::R14, Gpr::R15];

impl Translator<'_> {
    pub fn emit_stubs(&mut self) {
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
        asm.bind(self.stubs.leave);
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

    pub fn call_slow(&mut self, site: u32) {
        self.asm.store_imm(4, Rm::Data(field::SITE), site as i32);
        self.asm.call(self.stubs.slow);
    }

    /// Calls the helper of a site. Unverified programs may read `r1` to `r5` afterwards, and must not
    /// find in them what the host left.
    pub fn call_site(&mut self, site: u32, keep: bool) {
        self.asm.store_imm(4, Rm::Data(field::SITE), site as i32);
        let stub = if keep || !self.is_proven() { self.stubs.keeping } else { self.stubs.helper };
        self.asm.call(stub);
    }

    /// Has the helper found a program to continue as?
    pub fn check_tail(&mut self) {
        self.asm.op_imm(true, Op::Cmp, Rm::Data(field::TAIL), 0);
        let tail = self.rare(Cold::Tail);
        self.asm.jump_if(Cc::NotEqual, tail);
    }

    /// The other program takes this function's place: its frame, its return address. It saves no registers,
    /// which only the host does not need.
    pub fn continue_as_other(&mut self) {
        self.asm.load(8, false, Gpr::R11, Rm::Data(field::TAIL));
        self.asm.store_imm(8, Rm::Data(field::TAIL), 0);
        self.epilogue();
        if self.function.is_outermost {
            return self.asm.jump_reg(Gpr::R11);
        }
        SAVED.into_iter().for_each(|reg| self.asm.push(reg));
        self.asm.op_imm(true, Op::Sub, Rm::Reg(Gpr::RSP), 8);
        self.asm.call_rm(Rm::Reg(Gpr::R11));
        self.asm.op_imm(true, Op::Add, Rm::Reg(Gpr::RSP), 8);
        SAVED.into_iter().rev().for_each(|reg| self.asm.pop(reg));
        self.asm.ret();
    }

    /// Moves the frame pointer to the callee's frame.
    pub fn next_frame(&mut self, slot: u32) {
        if !self.is_proven() {
            let last = self.source.stack + u64::from(self.source.frames - 1) * FRAME_STRIDE + FRAME_SIZE;
            self.asm.op_imm(true, Op::Cmp, Rm::Reg(Gpr::RBP), last as i32);
            let stop = self.stop(slot, FaultKind::CallDepth);
            self.asm.jump_if(Cc::AboveEqual, stop);
        }
        self.asm.op_imm(true, Op::Add, Rm::Reg(Gpr::RBP), FRAME_STRIDE as i32);
    }

    /// Moves it back.
    pub fn previous_frame(&mut self) {
        self.asm.op_imm(true, Op::Sub, Rm::Reg(Gpr::RBP), FRAME_STRIDE as i32);
    }

    /// The host says what the register's value stands for: a function, or a helper's number.
    pub fn call_register(&mut self, slot: u32, reg: Reg) {
        let (resolve, by_number) = (self.site(slot, What::Resolve), self.site(slot, What::ByNumber));
        let back = self.asm.label();
        self.asm.mov(true, Gpr::R11, gpr(reg));
        self.call_slow(resolve);
        self.asm.test(true, Gpr::R11, Gpr::R11);
        let number = self.rare(Cold::Helper { site: by_number, back });
        self.asm.jump_if(Cc::Equal, number);
        self.next_frame(slot);
        self.asm.call_rm(Rm::Reg(Gpr::R11));
        self.previous_frame();
        self.asm.bind(back);
        self.check_tail();
    }
}
