//! Calls, and the stubs through which programs and host enter each other. The stack pointer is always a
//! multiple of 16, for the processor checks that.

use skep_stdlib::isa::Reg;

use super::{
    ARENA, AT, Cold, DATA_SIZE, FRAME, FRAME_PLACE, KEPT_LINK, NUMBER, R0, SAVED, SITE, STATE, Translator,
    gpr,
};
use crate::vm::FaultKind;
use crate::vm::interp::{FRAME_SIZE, FRAME_STRIDE};
use crate::vm::jit::What;
use crate::vm::jit::aarch64::asm::{Gpr, Place};
use crate::vm::jit::aarch64::encode::{Access, Cc, Op, Pair};
use crate::vm::jit::exec::field;

/// What the entry saves for the host, two by two.
const HOST_SAVED: [(Gpr, Gpr); 6] = [
    (Gpr::x(29), Gpr::LINK),
    (Gpr::x(19), Gpr::x(20)),
    (Gpr::x(21), Gpr::x(22)),
    (FRAME, ARENA),
    (STATE, FRAME_PLACE),
    (Gpr::x(27), Gpr::x(28)),
];
/// The stack that the entry takes: what it saves, and the stack pointer of the entry around it.
const ENTRY_SIZE: i32 = 112;

/// The registers that a call may change and that the slow stub keeps, two by two.
const CHANGED: [(Gpr, Gpr); 4] =
    [(Gpr::x(0), Gpr::x(1)), (Gpr::x(2), Gpr::x(3)), (Gpr::x(4), R0), (KEPT_LINK, Gpr::LINK)];

impl Translator<'_> {
    /// The code that all programs share; the entry from the host first.
    pub fn emit_stubs(&mut self) {
        self.entry_stub();
        self.helper_stub();
        self.keeping_stub();
        self.slow_stub();
        self.asm.bind(self.stubs.stop);
        self.call_host(field::HELPER, Gpr::x(5));
        self.asm.jump(self.stubs.unwind);
    }

    /// `fn(args: &[u64; 5], function: u64, frame: u64) -> u64` of the host: loads the registers and
    /// calls the function. The host's stack pointer is kept for stops; entries may nest.
    fn entry_stub(&mut self) {
        let (args, function, frame) = (Gpr::x(0), Gpr::x(1), Gpr::x(2));
        let outer = Place::Base(Gpr::SP, ENTRY_SIZE - 16);
        self.add(true, Gpr::SP, Gpr::SP, -i64::from(ENTRY_SIZE));
        self.access_pairs(Pair::Store, &HOST_SAVED);
        let here = self.asm.len() + DATA_SIZE;
        self.asm.address(STATE, -(here as i32));
        self.state(Access::Load, SITE, field::STACK_POINTER);
        self.asm.access(Access::Store, 8, SITE, outer);
        self.asm.mov_stack(SITE, Gpr::SP);
        self.state(Access::Store, SITE, field::STACK_POINTER);
        self.asm.mov(true, SITE, function);
        self.asm.mov(true, FRAME, frame);
        self.constants();
        self.show_arena();
        for at in [4, 3, 2, 1, 0] {
            self.asm.access(Access::Load, 8, Gpr::x(at), Place::Base(args, i32::from(at) * 8));
        }
        for reg in [R0].into_iter().chain(SAVED) {
            self.asm.mov_imm(reg, 0);
        }
        self.asm.call_reg(SITE);
        self.asm.mov(true, Gpr::x(0), R0);
        let leave = self.asm.label();
        self.asm.bind(leave);
        self.asm.access(Access::Load, 8, SITE, outer);
        self.state(Access::Store, SITE, field::STACK_POINTER);
        self.access_pairs(Pair::Load, &HOST_SAVED);
        self.add(true, Gpr::SP, Gpr::SP, ENTRY_SIZE.into());
        self.asm.bind(self.stubs.leave);
        self.asm.ret();
        self.asm.bind(self.stubs.unwind);
        self.state(Access::Load, SITE, field::STACK_POINTER);
        self.asm.mov_stack(Gpr::SP, SITE);
        self.asm.mov_imm(Gpr::x(0), 0);
        self.asm.jump(leave);
    }

    fn access_pairs(&mut self, form: Pair, pairs: &[(Gpr, Gpr)]) {
        for (at, &pair) in (0..).zip(pairs) {
            self.asm.pair(form, pair, 16 * at);
        }
    }

    /// The arena may have moved.
    fn show_arena(&mut self) {
        self.state(Access::Load, ARENA, field::BASE);
        self.asm.op(true, Op::Add, FRAME_PLACE, ARENA, FRAME);
        self.add(true, FRAME_PLACE, FRAME_PLACE, -(FRAME_SIZE as i64));
    }

    /// Calls a function of the host for a site, the state being its argument in this register.
    fn call_host(&mut self, function: u32, argument: Gpr) {
        self.asm.access(Access::Store, 4, SITE, Place::Base(STATE, field::SITE as i32));
        self.state(Access::Load, SITE, function);
        self.asm.mov(true, argument, STATE);
        self.asm.call_reg(SITE);
    }

    /// `r1` to `r5` are where the host expects arguments; the sixth is the state.
    fn helper_stub(&mut self) {
        let kept = (Gpr::x(29), Gpr::LINK);
        self.asm.bind(self.stubs.helper);
        self.asm.pair(Pair::Push, kept, -16);
        self.state(Access::Store, FRAME, field::FRAME);
        self.call_host(field::HELPER, Gpr::x(5));
        self.asm.jump_zero(false, false, Gpr::x(1), self.stubs.unwind);
        self.asm.mov(true, R0, Gpr::x(0));
        self.show_arena();
        self.asm.pair(Pair::Pop, kept, 16);
        self.asm.ret();
    }

    fn keeping_stub(&mut self) {
        let size = 16 * CHANGED.len() as i32;
        self.asm.bind(self.stubs.keeping);
        self.add(true, Gpr::SP, Gpr::SP, -i64::from(size));
        self.access_pairs(Pair::Store, &CHANGED);
        self.asm.call(self.stubs.helper);
        self.asm.mov(true, NUMBER, R0);
        self.access_pairs(Pair::Load, &CHANGED);
        self.asm.mov(true, R0, NUMBER);
        self.add(true, Gpr::SP, Gpr::SP, size.into());
        self.asm.ret();
    }

    /// Takes `x11` and `x10`, returns `x11`.
    fn slow_stub(&mut self) {
        let size = 16 * CHANGED.len() as i32;
        self.asm.bind(self.stubs.slow);
        self.add(true, Gpr::SP, Gpr::SP, -i64::from(size));
        self.access_pairs(Pair::Store, &CHANGED);
        self.asm.mov(true, Gpr::x(0), AT);
        self.asm.mov(true, Gpr::x(1), super::VALUE);
        self.call_host(field::SLOW, Gpr::x(2));
        self.asm.jump_zero(false, false, Gpr::x(1), self.stubs.unwind);
        self.asm.mov(true, AT, Gpr::x(0));
        self.show_arena();
        self.access_pairs(Pair::Load, &CHANGED);
        self.add(true, Gpr::SP, Gpr::SP, size.into());
        self.asm.ret();
    }

    /// Has the host do what a template cannot.
    pub fn call_slow(&mut self, site: u32) {
        self.asm.mov_imm(SITE, site.into());
        if self.saves_link() {
            return self.asm.call(self.stubs.slow);
        }
        self.asm.mov(true, KEPT_LINK, Gpr::LINK);
        self.asm.call(self.stubs.slow);
        self.asm.mov(true, Gpr::LINK, KEPT_LINK);
    }

    /// Calls the helper of a site. Unverified programs may read `r1` to `r5` afterwards, and must not
    /// find in them what the host left.
    pub fn call_site(&mut self, site: u32, keep: bool) {
        self.asm.mov_imm(SITE, site.into());
        let stub = if keep || !self.is_proven() { self.stubs.keeping } else { self.stubs.helper };
        self.asm.call(stub);
    }

    /// Has the helper found a program to continue as?
    pub fn check_tail(&mut self) {
        self.state(Access::Load, NUMBER, field::TAIL);
        let tail = self.rare(Cold::Tail);
        self.asm.jump_zero(true, false, NUMBER, tail);
    }

    /// The other program takes this function's place: its frame, its return address. It saves no registers,
    /// which only the host does not need.
    pub fn continue_as_other(&mut self) {
        self.state(Access::Load, SITE, field::TAIL);
        self.state(Access::Store, Gpr::ZERO, field::TAIL);
        self.epilogue();
        if self.function.is_outermost {
            return self.asm.jump_reg(SITE);
        }
        let [a, b, c, d] = SAVED;
        let kept = [(a, b), (c, d), (Gpr::x(29), Gpr::LINK)];
        let size = 16 * kept.len() as i64;
        self.add(true, Gpr::SP, Gpr::SP, -size);
        self.access_pairs(Pair::Store, &kept);
        self.asm.call_reg(SITE);
        self.access_pairs(Pair::Load, &kept);
        self.add(true, Gpr::SP, Gpr::SP, size);
        self.asm.ret();
    }

    /// Moves the frame pointer to the callee's frame.
    pub fn next_frame(&mut self, slot: u32) {
        if !self.is_proven() {
            let last = self.source.stack + u64::from(self.source.frames - 1) * FRAME_STRIDE + FRAME_SIZE;
            self.asm.mov_imm(NUMBER, last);
            self.asm.op(true, Op::Subs, Gpr::ZERO, FRAME, NUMBER);
            let stop = self.stop(slot, FaultKind::CallDepth);
            self.asm.jump_if(Cc::AboveEqual, stop);
        }
        self.move_frame(FRAME_STRIDE as i64);
    }

    /// Moves it back.
    pub fn previous_frame(&mut self) {
        self.move_frame(-(FRAME_STRIDE as i64));
    }

    fn move_frame(&mut self, by: i64) {
        self.add(true, FRAME, FRAME, by);
        self.add(true, FRAME_PLACE, FRAME_PLACE, by);
    }

    /// The host says what the register's value stands for: a function, or a helper's number.
    pub fn call_register(&mut self, slot: u32, reg: Reg) {
        let (resolve, by_number) = (self.site(slot, What::Resolve), self.site(slot, What::ByNumber));
        let back = self.asm.label();
        self.asm.mov(true, AT, gpr(reg));
        self.call_slow(resolve);
        let number = self.rare(Cold::Helper { site: by_number, back });
        self.asm.jump_zero(true, true, AT, number);
        self.next_frame(slot);
        self.asm.call_reg(AT);
        self.previous_frame();
        self.asm.bind(back);
        self.check_tail();
    }
}
