//! The checked interpreter: runs any image, verified or not, in safe code.
//!
//! In: a [`Decoded`] program, an [`Env`], the entry's arguments. Out: r0 or a [`Fault`]. Every
//! access is tested against its region, every jump against the program, every instruction against
//! the budget; so a program can at worst stop with a fault. It is the reference that faster
//! engines are compared with.
//!
//! Local calls do not recurse on the host's stack. Helpers that call back into the program
//! (`bpf_loop`) do, but each takes one of the eight frames, which bounds the depth.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use skep_stdlib::isa::{AtomicOp, CallTarget, Imm64, Insn, Reg, Size, Width};
use skep_stdlib::maps::MapType;

use super::alu::{self, value_of};
use super::env::{Env, func_address, func_of_address, map_address};
use super::recording::{Moment, Recording};
use super::threaded::{self, Calls, Checked, Proven};
use super::{Fault, FaultKind};
use crate::helpers::{Caller, Cx, HelperFn, HelperTable, Stop, timer};
use crate::object::{CORE_POISON, Image, Program};

/// Nested calls that the kernel allows, the entry included.
const MAX_FRAMES: u32 = 8;
/// Bytes of stack in each frame.
pub const FRAME_SIZE: u64 = 512;
/// Distance of frames in VM memory; the gap makes overruns fault.
pub const FRAME_STRIDE: u64 = 1024;
/// Iterations of one `may_goto` loop that the kernel allows.
pub(super) const MAY_GOTO_LIMIT: u32 = 8_388_608;
/// Tail calls that the kernel allows in one run.
pub(super) const MAX_TAIL_CALLS: u32 = 33;

/// Frames that an image's programs may need. One that goes on as another program in a function that was
/// called keeps the frames of the callers, and that other one may call as many functions again.
pub(super) fn frames(image: &Image) -> u32 {
    let goes_on = image.maps.iter().any(|map| map.ty == MapType::ProgArray);
    match goes_on && image.programs.iter().any(|program| program.functions.len() > 1) {
        true => MAX_FRAMES + MAX_TAIL_CALLS * (MAX_FRAMES - 1),
        false => MAX_FRAMES,
    }
}

/// Stands for a jump target that starts no instruction.
pub(super) const NOWHERE: u32 = u32::MAX;

/// A program prepared for interpretation: no second slots, targets resolved to indices.
pub struct Decoded {
    steps: Vec<Step>,
    /// Index in `steps` by slot.
    index_of: Vec<u32>,
    /// First slot of what handles exceptions.
    handler: Option<u32>,
    fast: Fast,
}

/// How what is simple is executed.
enum Fast {
    /// Like everything else.
    None,
    /// Without a proof.
    Checked(threaded::Program<Checked>),
    /// Relying on one.
    Proven(threaded::Program<Proven>),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub insn: Insn,
    pub slot: u32,
    /// Index of the step that a jump or local call goes to.
    pub target: u32,
}

impl Decoded {
    /// Resolves jump targets of a program.
    pub fn new(program: &Program) -> Decoded {
        let code = &program.code;
        let mut index_of = vec![NOWHERE; code.slots().len()];
        for (index, (slot, _)) in code.iter().enumerate() {
            if let Some(entry) = index_of.get_mut(slot as usize) {
                *entry = index as u32;
            }
        }
        let target_of = |slot: u32, insn: &Insn| match jump_distance(insn) {
            Some(distance) => usize::try_from(i64::from(slot) + 1 + i64::from(distance))
                .ok()
                .and_then(|target| index_of.get(target).copied())
                .unwrap_or(NOWHERE),
            None => NOWHERE,
        };
        let steps = code
            .iter()
            .map(|(slot, insn)| Step { insn: *insn, slot, target: target_of(slot, insn) })
            .collect();
        Decoded { steps, index_of, handler: program.handler(), fast: Fast::None }
    }

    /// Prepares for fast execution too; `value_of` gives the address of a map's only value. A
    /// program that is trusted only accesses what it may.
    pub(super) fn quicken(&mut self, trusted: bool, value_of: &dyn Fn(u32) -> Option<u64>) {
        self.fast = match trusted {
            true => Fast::Proven(threaded::program(&self.steps, value_of)),
            false => Fast::Checked(threaded::program(&self.steps, value_of)),
        };
    }

    /// Is what is simple executed fast?
    pub(super) fn is_fast(&self) -> bool {
        !matches!(self.fast, Fast::None)
    }

    fn index(&self, slot: u32) -> u32 {
        self.index_of.get(slot as usize).copied().unwrap_or(NOWHERE)
    }
}

/// Slots from the next instruction to where `insn` may jump or call.
fn jump_distance(insn: &Insn) -> Option<i32> {
    match insn {
        Insn::Call(CallTarget::Local(off)) => Some(*off),
        insn => insn.jump(),
    }
}

/// The registers. Sixteen, so that a masked index needs no check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Regs(pub [u64; 16]);

impl Regs {
    #[inline]
    pub(super) fn get(&self, reg: Reg) -> u64 {
        self.0[reg.index() & 15]
    }

    #[inline]
    fn set(&mut self, reg: Reg, value: u64) {
        self.0[reg.index() & 15] = value;
    }

    /// What a call must keep of the caller, which goes on at `return_to`.
    #[inline]
    pub(super) fn frame(&self, program: usize, return_to: usize, may_goto_left: u32) -> Frame {
        let r = &self.0;
        let saved = [r[6], r[7], r[8], r[9], r[10]];
        Frame { program, return_to, saved, may_goto_left, to_program: false }
    }

    fn args(&self) -> [u64; 5] {
        [self.0[1], self.0[2], self.0[3], self.0[4], self.0[5]]
    }
}

/// What a call saves and a return restores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub program: usize,
    pub return_to: usize,
    saved: [u64; 5],
    pub may_goto_left: u32,
    /// What was called has continued as another program: an exception in that returns here.
    to_program: bool,
}

impl Frame {
    /// Gives the caller its registers back.
    #[inline]
    pub fn restore(&self, regs: &mut Regs) {
        regs.0[6..11].copy_from_slice(&self.saved);
    }
}

/// One run over a set of programs that can tail-call each other.
pub struct Interp<'p> {
    programs: &'p [Decoded],
    helpers: &'p HelperTable,
    /// The program to enter.
    program: usize,
    /// Frames in use, in all nested executions.
    depth: u32,
    tail_calls: u32,
    budget: u64,
    executed: u64,
    profile: Option<&'p mut Profile>,
    recording: Option<&'p mut Recording>,
}

/// How often each instruction was executed, by program and slot.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Profile {
    hits: Vec<Vec<u64>>,
}

impl Profile {
    /// With no instruction of `programs` executed.
    pub(super) fn new(programs: &[Decoded]) -> Profile {
        Profile { hits: programs.iter().map(|program| vec![0; program.index_of.len()]).collect() }
    }

    /// Executions of the instruction at each slot of a program.
    pub fn of(&self, program: usize) -> &[u64] {
        self.hits.get(program).map_or(&[], Vec::as_slice)
    }

    #[inline]
    fn count(&mut self, program: usize, slot: u32) {
        if let Some(hits) = self.hits.get_mut(program).and_then(|hits| hits.get_mut(slot as usize)) {
            *hits += 1;
        }
    }
}

impl<'p> Interp<'p> {
    /// Prepares a run of `programs[program]` of at most `budget` instructions.
    pub fn new(programs: &'p [Decoded], helpers: &'p HelperTable, program: usize, budget: u64) -> Interp<'p> {
        let (profile, recording) = (None, None);
        Interp {
            programs,
            helpers,
            program,
            depth: 0,
            tail_calls: 0,
            budget,
            executed: 0,
            profile,
            recording,
        }
    }

    /// Counts each instruction's executions in `profile`.
    pub(super) fn with_profile(mut self, profile: Option<&'p mut Profile>) -> Interp<'p> {
        self.profile = profile;
        self
    }

    /// Writes down in `recording` what registers hold.
    pub(super) fn with_recording(mut self, recording: Option<&'p mut Recording>) -> Interp<'p> {
        self.recording = recording;
        self
    }

    /// Instructions executed so far.
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// Runs what is due instead of a program.
    pub(super) fn run_timers(&mut self, env: &mut Env) -> Result<(), Fault> {
        timer::due(env, self).map_err(Stop::into_fault)
    }

    /// Runs the entry function.
    pub fn run(&mut self, env: &mut Env, args: [u64; 5]) -> Result<u64, Fault> {
        self.execute(env, (self.program, 0), args, true)
    }

    /// Runs from an instruction of a program on; whether it is the program itself says `may_throw`.
    fn execute(
        &mut self,
        env: &mut Env,
        (program, entry): (usize, u32),
        args: [u64; 5],
        may_throw: bool,
    ) -> Result<u64, Fault> {
        let outer = self.depth;
        let mut exec = Exec {
            code: self.programs.get(program),
            program,
            pc: entry as usize,
            regs: Regs([0; 16]),
            frames: Vec::new(),
            may_goto_left: MAY_GOTO_LIMIT,
            may_throw,
        };
        exec.regs.0[1..6].copy_from_slice(&args);
        let result = self.enter_frame(env).map(|fp| exec.regs.set(Reg::FP, fp));
        let result = match result {
            Ok(()) => self.steps(env, &mut exec),
            Err(kind) => Err(Fault { slot: 0, kind }),
        };
        self.depth = outer;
        result
    }

    /// Takes a stack frame and returns its end.
    fn enter_frame(&mut self, env: &mut Env) -> Result<u64, FaultKind> {
        if self.depth >= env.frames {
            return Err(FaultKind::CallDepth);
        }
        let start = env.stack + u64::from(self.depth) * FRAME_STRIDE;
        self.depth += 1;
        Ok(start + FRAME_SIZE)
    }

    fn steps(&mut self, env: &mut Env, exec: &mut Exec<'p>) -> Result<u64, Fault> {
        loop {
            self.hurry(env, exec);
            let Some(step) = exec.code.and_then(|code| code.steps.get(exec.pc)) else {
                return Err(exec.fell_off());
            };
            if self.executed >= self.budget {
                return Err(Fault { slot: step.slot, kind: FaultKind::Budget });
            }
            self.executed += 1;
            if let Some(profile) = &mut self.profile {
                profile.count(exec.program, step.slot);
            }
            if let Some(recording) = &mut self.recording {
                recording.push(exec.moment(step.slot, self.depth));
            }
            match self.step(env, exec, step) {
                Ok(None) => {}
                Ok(Some(result)) => return Ok(result),
                Err(Stop::Fault(kind)) => return Err(Fault { slot: step.slot, kind }),
                Err(Stop::Inner(fault)) => return Err(fault),
                Err(Stop::TailCall(program)) => self.tail_call(exec, program),
                Err(Stop::Throw(number)) if exec.may_throw => {
                    if let Some(result) = self.throw(env, exec, number) {
                        return Ok(result);
                    }
                }
                Err(Stop::Throw(_)) => {
                    return Err(Fault { slot: step.slot, kind: FaultKind::ThrowInCallback });
                }
            }
        }
    }

    /// Must every instruction be executed here?
    #[inline]
    fn is_watched(&self) -> bool {
        self.profile.is_some() || self.recording.is_some()
    }

    /// Executes what is simple, as far as it goes.
    #[inline]
    fn hurry(&mut self, env: &mut Env, exec: &mut Exec<'p>) {
        let Some(code) = exec.code.filter(|_| !self.is_watched()) else { return };
        let calls = Calls {
            frames: &mut exec.frames,
            depth: &mut self.depth,
            stack: env.stack,
            most: env.frames,
            may_goto_left: &mut exec.may_goto_left,
            program: exec.program,
        };
        let regs = &mut exec.regs;
        let stopped = match &code.fast {
            Fast::None => return,
            Fast::Checked(fast) => {
                fast.run(exec.pc, self.executed, self.budget, regs, &mut env.memory, calls)
            }
            Fast::Proven(fast) => {
                fast.run(exec.pc, self.executed, self.budget, regs, env.memory.arena(), calls)
            }
        };
        (exec.pc, self.executed) = (stopped.pc, stopped.executed);
    }

    /// Executes one instruction; gives the result when the outermost frame returns.
    #[inline]
    fn step(&mut self, env: &mut Env, exec: &mut Exec<'p>, step: &Step) -> Result<Option<u64>, Stop> {
        exec.pc += 1;
        match step.insn {
            Insn::Alu { width, op, dst, src } => {
                let value = alu::alu(width, op, exec.regs.get(dst), value_of(src, &exec.regs));
                exec.write(dst, value)?;
            }
            Insn::Mov { width, dst, src } => {
                let value = value_of(src, &exec.regs);
                exec.write(dst, truncate(width, value))?;
            }
            Insn::MovSx { width, bits, dst, src } => {
                let value = alu::sign_extend(width, bits, exec.regs.get(src));
                exec.write(dst, value)?;
            }
            Insn::Neg { width, dst } => {
                let value = truncate(width, exec.regs.get(dst).wrapping_neg());
                exec.write(dst, value)?;
            }
            Insn::Swap { kind, bits, dst } => {
                let value = alu::swap(kind, bits, exec.regs.get(dst));
                exec.write(dst, value)?;
            }
            Insn::LoadImm64 { dst, value } => {
                let value = self.wide_immediate(env, exec, step.slot, value)?;
                exec.write(dst, value)?;
            }
            Insn::Load { size, signed, dst, base, off } => {
                let address = exec.regs.get(base).wrapping_add_signed(i64::from(off));
                let raw = load(env, size, address)?;
                let bits = (size.bytes() * 8) as u8;
                let value = if signed { alu::sign_extend(Width::W64, bits, raw) } else { raw };
                exec.write(dst, value)?;
            }
            Insn::Store { size, base, off, src } => {
                let address = exec.regs.get(base).wrapping_add_signed(i64::from(off));
                store(env, size, address, value_of(src, &exec.regs))?;
            }
            Insn::Atomic { size, op, base, off, src } => exec.atomic(env, size, op, base, off, src)?,
            Insn::LoadAcquire { size, dst, base, off } => {
                let address = exec.aligned(size, base, off)?;
                let value = load(env, size, address)?;
                exec.write(dst, value)?;
            }
            Insn::StoreRelease { size, base, off, src } => {
                let address = exec.aligned(size, base, off)?;
                store(env, size, address, exec.regs.get(src))?;
            }
            Insn::LoadAbs { size, imm } => return Ok(exec.load_packet(env, size, alu::immediate(imm))),
            Insn::LoadInd { size, src, imm } => {
                let offset = exec.regs.get(src).wrapping_add(alu::immediate(imm));
                return Ok(exec.load_packet(env, size, u64::from(offset as u32)));
            }
            // Both spaces of a VM address are the same.
            Insn::AddrSpaceCast { dst, src, .. } => exec.write(dst, exec.regs.get(src))?,
            Insn::Jump { off, .. } => exec.jump(step, i64::from(off))?,
            Insn::Branch { width, cond, dst, src, off } => {
                if alu::compare(width, cond, exec.regs.get(dst), value_of(src, &exec.regs)) {
                    exec.jump(step, i64::from(off))?;
                }
            }
            Insn::MayGoto { off } => match exec.may_goto_left.checked_sub(1) {
                Some(left) => exec.may_goto_left = left,
                None => exec.jump(step, i64::from(off))?,
            },
            Insn::Call(target) => self.call(env, exec, step, target)?,
            Insn::Exit => return Ok(self.exit(exec)),
        }
        Ok(None)
    }

    fn wide_immediate(&self, env: &Env, exec: &Exec<'_>, slot: u32, value: Imm64) -> Result<u64, FaultKind> {
        let unsupported = |what: &str| Err(FaultKind::Unsupported(what.into()));
        match value {
            Imm64::Const(value) => Ok(value),
            Imm64::MapIdx(index) => Ok(map_address(index as u32)),
            Imm64::MapIdxValue { index, offset } => match env.maps.value_address(index as u32) {
                Some(address) => Ok(address + u64::from(offset)),
                None => unsupported("value address of a map that is not an array"),
            },
            Imm64::Func(distance) => {
                Ok(func_address(exec.program, i64::from(slot) + 1 + i64::from(distance)))
            }
            Imm64::BtfId { id, .. } => kernel_symbol(env, id),
            Imm64::MapFd(_) | Imm64::MapValue { .. } => unsupported("map by file descriptor"),
        }
    }

    fn call(
        &mut self,
        env: &mut Env,
        exec: &mut Exec<'p>,
        step: &Step,
        target: CallTarget,
    ) -> Result<(), Stop> {
        match target {
            CallTarget::Helper(CORE_POISON) => Err(FaultKind::CorePoison.into()),
            CallTarget::Helper(id) => {
                let code = self.helpers.get(id)?;
                self.call_code(env, exec, code)
            }
            CallTarget::Local(distance) => {
                let frame = exec.frame();
                exec.jump(step, i64::from(distance))?;
                self.push_frame(env, exec, frame)
            }
            CallTarget::Kfunc { id, .. } => {
                let code = self.helpers.kfunc(id)?;
                self.call_code(env, exec, code)
            }
            CallTarget::Reg(reg) => {
                let address = exec.regs.get(reg);
                // Unoptimised code calls helpers through pointers that hold their numbers.
                if let Ok(id) = i32::try_from(address) {
                    return self.call(env, exec, step, CallTarget::Helper(id));
                }
                let index = match func_of_address(address) {
                    Some((program, slot)) if program == exec.program => {
                        exec.code.map_or(NOWHERE, |code| code.index(slot))
                    }
                    _ => NOWHERE,
                };
                if index == NOWHERE {
                    return Err(FaultKind::NoInstruction { target: address as i64 }.into());
                }
                let frame = exec.frame();
                exec.pc = index as usize;
                self.push_frame(env, exec, frame)
            }
        }
    }

    fn call_code(&mut self, env: &mut Env, exec: &mut Exec<'p>, code: HelperFn) -> Result<(), Stop> {
        let args = exec.regs.args();
        let value = code(&mut Cx { env, caller: self }, args)?;
        exec.regs.set(Reg::R0, value);
        Ok(())
    }

    fn push_frame(&mut self, env: &mut Env, exec: &mut Exec<'p>, frame: Frame) -> Result<(), Stop> {
        let fp = self.enter_frame(env)?;
        exec.frames.push(frame);
        exec.regs.set(Reg::FP, fp);
        exec.may_goto_left = MAY_GOTO_LIMIT;
        Ok(())
    }

    fn exit(&mut self, exec: &mut Exec<'p>) -> Option<u64> {
        let Some(frame) = exec.frames.pop() else { return Some(exec.regs.get(Reg::R0)) };
        self.depth -= 1;
        frame.restore(&mut exec.regs);
        exec.pc = frame.return_to;
        exec.may_goto_left = frame.may_goto_left;
        exec.program = frame.program;
        exec.code = self.programs.get(frame.program);
        None
    }

    /// Replaces the current function by another program's entry; its frame is kept.
    fn tail_call(&mut self, exec: &mut Exec<'p>, program: usize) {
        self.tail_calls += 1;
        if let Some(frame) = exec.frames.last_mut() {
            frame.to_program = true;
        }
        exec.program = program;
        exec.code = self.programs.get(program);
        exec.pc = 0;
        exec.may_goto_left = MAY_GOTO_LIMIT;
    }

    /// Leaves all functions of the program that runs and goes on in its handler. Without one the program
    /// returns the number; gives the result if that ends the run.
    fn throw(&mut self, env: &Env, exec: &mut Exec<'p>, number: u64) -> Option<u64> {
        while exec.frames.last().is_some_and(|frame| !frame.to_program) {
            exec.frames.pop();
            self.depth -= 1;
        }
        let Some((code, handler)) = exec.code.and_then(|code| Some((code, code.handler?))) else {
            exec.regs.set(Reg::R0, number);
            return self.exit(exec);
        };
        exec.pc = code.index(handler) as usize;
        exec.regs.set(Reg::R1, number);
        exec.regs.set(Reg::FP, env.stack + u64::from(self.depth - 1) * FRAME_STRIDE + FRAME_SIZE);
        exec.may_goto_left = MAY_GOTO_LIMIT;
        None
    }
}

impl Caller for Interp<'_> {
    fn call_back(&mut self, env: &mut Env, function: u64, args: [u64; 5]) -> Result<u64, Stop> {
        let (program, slot) =
            func_of_address(function).ok_or(FaultKind::NoInstruction { target: function as i64 })?;
        let index = self.programs.get(program).map_or(NOWHERE, |code| code.index(slot));
        if index == NOWHERE {
            return Err(FaultKind::NoInstruction { target: i64::from(slot) }.into());
        }
        self.execute(env, (program, index), args, false).map_err(Stop::Inner)
    }

    fn may_tail_call(&self, program: u32) -> bool {
        self.tail_calls < MAX_TAIL_CALLS && (program as usize) < self.programs.len()
    }

    fn spend(&mut self, instructions: u64) -> Result<(), Stop> {
        self.executed = self.executed.saturating_add(instructions);
        if self.executed > self.budget { Err(FaultKind::Budget.into()) } else { Ok(()) }
    }
}

/// The state of one execution: entry or callback.
struct Exec<'p> {
    code: Option<&'p Decoded>,
    program: usize,
    pc: usize,
    regs: Regs,
    frames: Vec<Frame>,
    may_goto_left: u32,
    /// Is it the program itself, not a function that a helper calls?
    may_throw: bool,
}

impl Exec<'_> {
    /// The current function's state, to be restored when a call returns here.
    fn frame(&self) -> Frame {
        self.regs.frame(self.program, self.pc, self.may_goto_left)
    }

    /// What the registers hold before the instruction at `slot`.
    fn moment(&self, slot: u32, depth: u32) -> Moment {
        let mut regs = [0; 11];
        regs.copy_from_slice(&self.regs.0[..11]);
        Moment { program: self.program, slot, depth, regs }
    }

    #[inline]
    fn write(&mut self, dst: Reg, value: u64) -> Result<(), FaultKind> {
        if dst == Reg::FP {
            return Err(FaultKind::FramePointer);
        }
        self.regs.set(dst, value);
        Ok(())
    }

    #[inline]
    fn jump(&mut self, step: &Step, distance: i64) -> Result<(), FaultKind> {
        if step.target == NOWHERE {
            return Err(FaultKind::NoInstruction { target: i64::from(step.slot) + 1 + distance });
        }
        self.pc = step.target as usize;
        Ok(())
    }

    fn fell_off(&self) -> Fault {
        let last = self.code.and_then(|code| code.steps.last());
        let slot = last.map_or(0, |step| step.slot);
        let target = last.map_or(0, |step| i64::from(step.slot) + step.insn.slots() as i64);
        Fault { slot, kind: FaultKind::NoInstruction { target } }
    }

    fn aligned(&self, size: Size, base: Reg, off: i16) -> Result<u64, FaultKind> {
        let address = self.regs.get(base).wrapping_add_signed(i64::from(off));
        if address % u64::from(size.bytes()) != 0 {
            return Err(FaultKind::Misaligned { address });
        }
        Ok(address)
    }

    fn atomic(
        &mut self,
        env: &mut Env,
        size: Size,
        op: AtomicOp,
        base: Reg,
        off: i16,
        src: Reg,
    ) -> Result<(), FaultKind> {
        let address = self.aligned(size, base, off)?;
        if env.soft_faults && !env.memory.holds(address, size) {
            return Ok(());
        }
        let mask = if size == Size::DW { u64::MAX } else { (1u64 << (size.bytes() * 8)) - 1 };
        let old = load(env, size, address)?;
        let operand = self.regs.get(src);
        store(env, size, address, alu::atomic(op, old, operand & mask, self.regs.get(Reg::R0) & mask))?;
        match op {
            AtomicOp::Add { fetch }
            | AtomicOp::Or { fetch }
            | AtomicOp::And { fetch }
            | AtomicOp::Xor { fetch } => {
                if fetch {
                    self.write(src, old)?;
                }
            }
            AtomicOp::Xchg => self.write(src, old)?,
            AtomicOp::CmpXchg => self.regs.set(Reg::R0, old),
        }
        Ok(())
    }

    /// The classic packet loads: big-endian value to r0; past the packet the program returns 0.
    fn load_packet(&mut self, env: &Env, size: Size, offset: u64) -> Option<u64> {
        match env.classic_bytes(offset, u64::from(size.bytes())) {
            Some(bytes) => {
                let value = bytes.iter().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
                self.regs.set(Reg::R0, value);
                None
            }
            None => Some(0),
        }
    }
}

#[inline]
fn truncate(width: Width, value: u64) -> u64 {
    match width {
        Width::W64 => value,
        Width::W32 => u64::from(value as u32),
    }
}

/// Address of a kernel variable.
pub(super) fn kernel_symbol(env: &Env, id: i32) -> Result<u64, FaultKind> {
    let unknown = || FaultKind::Unsupported(format!("address of kernel variable with BTF id {id}"));
    env.kernel_symbols.get(&id).copied().ok_or_else(unknown)
}

#[inline]
pub(super) fn load(env: &Env, size: Size, address: u64) -> Result<u64, FaultKind> {
    let memory = &env.memory;
    let value = match size {
        Size::B => memory.load(address).map(|bytes: [u8; 1]| u64::from(bytes[0])),
        Size::H => memory.load(address).map(|bytes| u64::from(u16::from_le_bytes(bytes))),
        Size::W => memory.load(address).map(|bytes| u64::from(u32::from_le_bytes(bytes))),
        Size::DW => memory.load(address).map(u64::from_le_bytes),
    };
    match value {
        Some(value) => Ok(value),
        None => env.load_typed(address, size.bytes()).ok_or(FaultKind::Access {
            address,
            size: u64::from(size.bytes()),
            write: false,
        }),
    }
}

#[inline]
pub(super) fn store(env: &mut Env, size: Size, address: u64, value: u64) -> Result<(), FaultKind> {
    let memory = &mut env.memory;
    let stored = match size {
        Size::B => memory.store(address, [value as u8]),
        Size::H => memory.store(address, (value as u16).to_le_bytes()),
        Size::W => memory.store(address, (value as u32).to_le_bytes()),
        Size::DW => memory.store(address, value.to_le_bytes()),
    };
    let fault = FaultKind::Access { address, size: u64::from(size.bytes()), write: true };
    if stored.is_none() && env.soft_faults {
        // What is not there is not written.
        let _ = memory.store_across(address, size.bytes(), value);
        return Ok(());
    }
    stored.ok_or(fault)
}
