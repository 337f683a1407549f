//! Memory for machine code, the way into it and the ways back.
//!
//! # Safety
//!
//! All unsafe code of compiled programs is here. It rests on:
//!
//! 1. **The bytes that are executed were emitted by [`translate`]**, for the state they lie behind.
//!    [`Jit::new`] is the only way to a mapping, and it fills it itself. Translated code leaves a
//!    template only for the next one, a label of its own or a stub; it pushes and pops in pairs;
//!    and it accesses memory in three ways: the stack below the stack pointer it was entered with,
//!    the [`State`] in front of it, and the arena.
//! 2. **An access to the arena is inside of it**, because the verifier has proven so (its facts are
//!    made by `verify` only, for this very image), or because the code compares the address with
//!    [`State::limits`] first. The arena never shrinks, so what was inside stays inside; when it
//!    moves, during a call of the host, the code reads [`State::base`] again before the next access.
//! 3. **A page is never writable and executable at once**: code is written first, then made
//!    executable and read-only for good. The state's page is never executable.
//! 4. **While code runs, [`State::env`] and [`State::run`] point to values that `enter` borrows
//!    exclusively** and does not touch until the code returns. Whoever is called from the code makes
//!    references of them, and none of these lives on when it returns to the code. Entries nest: an
//!    inner one puts its own pointers there and restores the outer ones.
//! 5. **Code has one thread**: [`Jit`] is neither `Send` nor `Sync`, and entering needs `&mut`.
//! 6. **Atomic accesses are aligned for the processor if they are in the VM**: allocators put as large a thing
//!    as the arena on a multiple of 16. One that did not would have AArch64 end the process.
//! 7. Functions called from the code do not unwind: a panic in `extern "C"` ends the process.
#![allow(unsafe_code)]

use alloc::vec::Vec;
use core::mem::offset_of;
use core::ptr::{NonNull, null_mut};

use skep_stdlib::isa::Size;

use super::arch::DATA_SIZE;
use super::translate::{Translation, translate};
use super::{Entries, Site, Source, What, entry, extend};
use crate::helpers::{Caller, Cx, HelperTable, Stop, timer};
use crate::object::Program;
use crate::vm::interp::{self, FRAME_SIZE, FRAME_STRIDE, MAX_TAIL_CALLS};
use crate::vm::memory::BASE;
use crate::vm::{Env, Fault, FaultKind, Input, Memory, env};

/// What code and host share. Code reaches it relative to itself.
#[repr(C)]
struct State {
    /// Host address of VM address 0.
    base: *mut u8,
    /// By size of access: the highest distance from the arena's start that it may have.
    limits: [u64; 4],
    /// Instructions left.
    budget: i64,
    /// The host's stack pointer at the innermost entry.
    stack_pointer: u64,
    /// The frame pointer of the function that calls a helper.
    frame: u64,
    /// Where a tail call continues; 0 when there is none.
    tail: u64,
    /// The site that is being served.
    site: u32,
    helper: HelperEntry,
    slow: SlowEntry,
    env: *mut Env,
    run: *mut Run<'static>,
}

/// Where in the data the templates find what.
pub mod field {
    use super::{Size, State, offset_of};

    pub const BASE: u32 = offset_of!(State, base) as u32;
    pub const BUDGET: u32 = offset_of!(State, budget) as u32;
    pub const STACK_POINTER: u32 = offset_of!(State, stack_pointer) as u32;
    pub const FRAME: u32 = offset_of!(State, frame) as u32;
    pub const TAIL: u32 = offset_of!(State, tail) as u32;
    pub const SITE: u32 = offset_of!(State, site) as u32;
    pub const HELPER: u32 = offset_of!(State, helper) as u32;
    pub const SLOW: u32 = offset_of!(State, slow) as u32;

    /// The limit for accesses of a size.
    pub const fn limit(size: Size) -> u32 {
        offset_of!(State, limits) as u32 + 8 * size.bytes().trailing_zeros()
    }
}

/// A value, and whether the program must stop: in two registers.
#[repr(C)]
struct Answer {
    value: u64,
    stop: u64,
}

impl Answer {
    const STOP: Answer = Answer { value: 0, stop: 1 };

    fn value(value: u64) -> Answer {
        Answer { value, stop: 0 }
    }
}

type HelperEntry = extern "C" fn(u64, u64, u64, u64, u64, *mut State) -> Answer;
type SlowEntry = extern "C" fn(u64, u64, *mut State) -> Answer;
type CodeEntry = extern "C" fn(*const [u64; 5], u64, u64) -> u64;

/// Pages with a state and code behind it.
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    /// A mapping whose code is executable; the data in front of it is zero.
    fn new(code: &[u8]) -> Option<Mapping> {
        let len = (DATA_SIZE as usize).checked_add(code.len())?.checked_next_multiple_of(4096)?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // All pages are written at once: one by one they cost more than the translation.
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        // SAFETY: a new mapping, at an address of the kernel's choice, touches nothing that exists.
        let start = unsafe { libc::mmap(null_mut(), len, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        let mapping = Mapping { start: NonNull::new(start.cast())?, len };
        // SAFETY: the mapping is writable, new, and longer than data and code together.
        let protected = unsafe {
            let place = mapping.start.as_ptr().add(DATA_SIZE as usize);
            place.copy_from_nonoverlapping(code.as_ptr(), code.len());
            show_code(place, code.len());
            libc::mprotect(place.cast(), len - DATA_SIZE as usize, libc::PROT_READ | libc::PROT_EXEC)
        };
        (protected == 0).then_some(mapping)
    }

    fn state(&self) -> *mut State {
        self.start.as_ptr().cast()
    }

    /// Address of a place in the code.
    fn address(&self, place: u32) -> u64 {
        self.start.as_ptr() as u64 + u64::from(DATA_SIZE) + u64::from(place)
    }
}

/// Lets the processor fetch what was written.
///
/// # Safety
///
/// These bytes are mapped.
#[cfg(target_arch = "aarch64")]
unsafe fn show_code(start: *const u8, len: usize) {
    use core::arch::asm;
    let kinds: u64;
    // SAFETY: reads a register that says how long the lines of the caches are.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) kinds, options(nomem, nostack, preserves_flags)) };
    let (data, code) = (4usize << (kinds >> 16 & 15), 4usize << (kinds & 15));
    let lines = |line: usize| (start as usize & !(line - 1)..start as usize + len).step_by(line);
    // SAFETY: writing back and dropping lines of the caches changes nothing that programs see but code.
    unsafe {
        lines(data).for_each(|line| asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags)));
        asm!("dsb ish", options(nostack, preserves_flags));
        lines(code).for_each(|line| asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags)));
        asm!("dsb ish", "isb", options(nostack, preserves_flags));
    }
}

/// The processor sees by itself what was written.
///
/// # Safety
///
/// None is needed.
#[cfg(target_arch = "x86_64")]
unsafe fn show_code(_start: *const u8, _len: usize) {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: these pages were mapped by `new` and belong to nobody else; no code in them runs,
        // for running borrows the mapping.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Compiled programs of one VM.
pub struct Jit {
    mapping: Mapping,
    sites: Vec<Site>,
    entries: Entries,
    /// Place of an instruction that returns.
    leave: u32,
    /// Handlers of exceptions, by program; none if no program can throw one.
    handlers: Option<Vec<Option<u32>>>,
    is_blinded: bool,
}

impl Jit {
    /// Translates all programs; none if there is no memory for them.
    pub fn new(source: &Source<'_>) -> Option<Jit> {
        let translation = translate(source);
        let mapping = Mapping::new(&translation.code)?;
        let state = State {
            base: null_mut(),
            limits: [0; 4],
            budget: 0,
            stack_pointer: 0,
            frame: 0,
            tail: 0,
            site: 0,
            helper: helper_entry,
            slow: slow_entry,
            env: null_mut(),
            run: null_mut(),
        };
        // SAFETY: the mapping begins with a writable page, which is aligned and larger than a state.
        unsafe { mapping.state().write(state) };
        let Translation { sites, entries, leave, .. } = translation;
        let throws = source.image.kfuncs.values().any(|name| name == "bpf_throw");
        let handlers = throws.then(|| source.image.programs.iter().map(Program::handler).collect());
        Some(Jit { mapping, sites, entries, leave, handlers, is_blinded: source.seed.is_some() })
    }

    /// Are the programs' constants masked in the code?
    pub fn is_blinded(&self) -> bool {
        self.is_blinded
    }

    /// Runs a program from its beginning, as often as the input says. Only what was not proven is held to
    /// the budget exactly; of proven programs, the rounds of helpers that loop are.
    pub fn run(
        &mut self,
        env: &mut Env,
        helpers: &HelperTable,
        program: usize,
        args: [u64; 5],
        input: &Input,
    ) -> Result<u64, Fault> {
        let nowhere = Fault { slot: 0, kind: FaultKind::NoInstruction { target: 0 } };
        let place = entry(&self.entries, program, 0).ok_or(nowhere)?;
        let frame = env.stack + FRAME_SIZE;
        let times = input.repeat.max(1);
        if self.handlers.is_none() {
            return self.start(helpers, input.budget, frame).enter(env, place, args, frame, times);
        }
        let mut last = 0;
        for _ in 0..times {
            last = self.start(helpers, input.budget, frame).program(env, place, args, frame)?;
        }
        Ok(last)
    }

    /// Runs the functions of timers that are due, each in the first frame.
    pub fn run_timers(&mut self, env: &mut Env, helpers: &HelperTable, budget: u64) -> Result<(), Fault> {
        let before = env.stack + FRAME_SIZE - FRAME_STRIDE;
        timer::due(env, &mut self.start(helpers, budget, before)).map_err(Stop::into_fault)
    }

    /// A run by a function whose frame ends at `frame`.
    fn start<'j>(&'j mut self, helpers: &'j HelperTable, budget: u64, frame: u64) -> Run<'j> {
        let state = self.mapping.state();
        let budget = i64::try_from(budget).unwrap_or(i64::MAX);
        // SAFETY: the state is there as long as the mapping, and no code runs that could use it.
        unsafe {
            (*state).budget = budget;
            (*state).tail = 0;
        }
        Run {
            jit: self,
            helpers,
            budget,
            fault: None,
            tail_calls: 0,
            frame,
            number: 0,
            thrown: None,
            callbacks: 0,
        }
    }
}

/// One run, as far as the host takes part in it.
struct Run<'j> {
    jit: &'j Jit,
    helpers: &'j HelperTable,
    /// Instructions that each run may take.
    budget: i64,
    /// Why the code was stopped.
    fault: Option<Fault>,
    tail_calls: u32,
    /// The frame pointer of the function that called the host.
    frame: u64,
    /// The number of the helper that is called through a register.
    number: i32,
    /// The exception that has ended a program, and the program.
    thrown: Option<(usize, u64)>,
    /// Functions that helpers are calling.
    callbacks: u32,
}

/// Lets the code see where the arena is.
///
/// # Safety
///
/// `state` is that of a live mapping.
unsafe fn show_arena(state: *mut State, memory: &mut Memory) {
    let arena = memory.arena();
    let limit = |size: u64| (arena.len() as u64).saturating_sub(size);
    let limits = [limit(1), limit(2), limit(4), limit(8)];
    // SAFETY: the caller's promise.
    unsafe {
        (*state).base = arena.as_mut_ptr().wrapping_sub(BASE as usize);
        (*state).limits = limits;
    }
}

impl Run<'_> {
    /// Enters the code at a function's place so many times, each but the first as a run of its own.
    fn enter(
        &mut self,
        env: &mut Env,
        place: u32,
        args: [u64; 5],
        frame: u64,
        times: u32,
    ) -> Result<u64, Fault> {
        let mapping = &self.jit.mapping;
        let (state, function) = (mapping.state(), mapping.address(place));
        let run: *mut Run<'_> = self;
        // SAFETY: invariants 1 to 4 at the top. The code begins with the entry stub, whose signature
        // is that of `CodeEntry`; `function` is the place of a function's prologue. The pointers are
        // of exclusive borrows that last until the call returns.
        let value = unsafe {
            let outer = ((*state).env, (*state).run);
            (*state).env = env;
            (*state).run = run.cast();
            show_arena(state, &mut (*(*state).env).memory);
            let enter: CodeEntry = core::mem::transmute(mapping.address(0));
            let mut value = enter(&args, function, frame);
            for _ in 1..times {
                if (*run).fault.is_some() {
                    break;
                }
                ((*state).budget, (*run).tail_calls) = ((*run).budget, 0);
                value = enter(&args, function, frame);
            }
            ((*state).env, (*state).run) = outer;
            value
        };
        // A fault is large: it is moved only where there is one.
        match self.fault.is_some() {
            true => self.fault.take().map_or(Ok(value), Err),
            false => Ok(value),
        }
    }

    /// Enters a program; what it throws ends it and goes to its handler.
    fn program(&mut self, env: &mut Env, place: u32, args: [u64; 5], frame: u64) -> Result<u64, Fault> {
        let result = self.enter(env, place, args, frame, 1)?;
        let Some((program, number)) = self.thrown.take() else { return Ok(result) };
        let handler = self.jit.handlers.as_ref().and_then(|handlers| *handlers.get(program)?);
        match handler.and_then(|slot| entry(&self.jit.entries, program, slot)) {
            Some(place) => self.program(env, place, [number, 0, 0, 0, 0], frame),
            None => Ok(number),
        }
    }

    /// The place to continue at as another program. An exception would end that program only, not what
    /// called the function it replaces: where there are any it runs here, and what is left is to return.
    fn tail(&mut self, env: &mut Env, program: usize, context: u64) -> Result<(u32, u64), Fault> {
        let nowhere = Fault { slot: 0, kind: FaultKind::NoInstruction { target: 0 } };
        let place = entry(&self.jit.entries, program, 0).ok_or(nowhere)?;
        if self.jit.handlers.is_none() {
            return Ok((place, 0));
        }
        let value = self.program(env, place, [context, 0, 0, 0, 0], self.frame)?;
        Ok((self.jit.leave, value))
    }

    /// What happens at a site where code calls.
    fn call(&mut self, env: &mut Env, site: &Site, args: [u64; 5]) -> Result<u64, Stop> {
        let code = match &site.what {
            What::Helper(code) => *code,
            What::Lookup(map) => return Ok(look_up(env, *map, args[1])?),
            What::ByNumber => self.helpers.get(self.number)?,
            What::Fault(kind) => return Err(kind.clone().into()),
            What::Resolve
            | What::Load { .. }
            | What::Store { .. }
            | What::Atomic { .. }
            | What::Presence { .. }
            | What::LoadPacket { .. }
            | What::Symbol(_) => return Err(FaultKind::Unsupported("call".into()).into()),
        };
        code(&mut Cx { env, caller: self }, args)
    }

    /// What happens at a site where a template cannot go on. `None` ends the program with 0.
    fn serve(&mut self, env: &mut Env, site: &Site, at: u64, value: u64) -> Result<Option<u64>, FaultKind> {
        let address = at.wrapping_add(BASE);
        Ok(Some(match &site.what {
            What::Load { size, signed } => extend(*size, *signed, interp::load(env, *size, address)?),
            What::Store { size } => {
                interp::store(env, *size, address, value)?;
                0
            }
            What::Atomic { size, write } => {
                let size = u64::from(size.bytes());
                return Err(match address % size {
                    0 => FaultKind::Access { address, size, write: *write },
                    _ => FaultKind::Misaligned { address },
                });
            }
            What::Presence { size } => match address % u64::from(size.bytes()) {
                0 => u64::from(env.memory.holds(address, *size)),
                _ => return Err(FaultKind::Misaligned { address }),
            },
            What::LoadPacket { size } => match env.classic_bytes(at, u64::from(size.bytes())) {
                Some(bytes) => bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)),
                None => return Ok(None),
            },
            What::Symbol(id) => interp::kernel_symbol(env, *id)?,
            What::Resolve => self.resolve(site.program, at)?,
            What::Helper(_) | What::Lookup(_) | What::ByNumber | What::Fault(_) => {
                return Err(FaultKind::Unsupported("call".into()));
            }
        }))
    }

    /// The address in the code of what a register points to; 0 if it holds a helper's number.
    fn resolve(&mut self, program: usize, address: u64) -> Result<u64, FaultKind> {
        if let Ok(number) = i32::try_from(address) {
            self.number = number;
            return Ok(0);
        }
        let place = match env::func_of_address(address) {
            Some((owner, slot)) if owner == program => entry(&self.jit.entries, program, slot),
            _ => None,
        };
        let place = place.ok_or(FaultKind::NoInstruction { target: address as i64 })?;
        Ok(self.jit.mapping.address(place))
    }

    fn stopped(&mut self, slot: u32, kind: FaultKind) -> Answer {
        self.fault = Some(Fault { slot, kind });
        Answer::STOP
    }
}

/// The address of a map's value for the key at an address; 0 if it has none.
fn look_up(env: &mut Env, map: u32, key: u64) -> Result<u64, FaultKind> {
    let cpu = env.host.cpu();
    let entry = env.maps.get_mut(map).ok_or_else(|| FaultKind::Unsupported("look-up".into()))?;
    let size = u64::from(entry.def.key_size);
    let fault = FaultKind::Access { address: key, size, write: false };
    let key = env.memory.read(key, size).ok_or(fault)?;
    Ok(entry.lookup(key, cpu).unwrap_or(0))
}

/// Called by the helper stub.
extern "C" fn helper_entry(r1: u64, r2: u64, r3: u64, r4: u64, r5: u64, state: *mut State) -> Answer {
    // SAFETY: invariant 4: the state is that of the code that calls, and its pointers are those that
    // the innermost `enter` put there; nobody uses them before this function returns.
    let (env, run, site) = unsafe {
        let run = &mut *(*state).run;
        run.frame = (*state).frame;
        (&mut *(*state).env, run, (*state).site)
    };
    let jit = run.jit;
    let Some(site) = jit.sites.get(site as usize) else { return Answer::STOP };
    let answer = match run.call(env, site, [r1, r2, r3, r4, r5]) {
        Ok(value) => Answer::value(value),
        Err(Stop::Fault(kind)) => run.stopped(site.slot, kind),
        Err(Stop::Inner(fault)) => {
            run.fault = Some(fault);
            Answer::STOP
        }
        Err(Stop::TailCall(program)) => {
            run.tail_calls += 1;
            match run.tail(env, program, r1) {
                // SAFETY: as above.
                Ok((place, value)) => unsafe {
                    (*state).tail = jit.mapping.address(place);
                    Answer::value(value)
                },
                Err(fault) => {
                    run.fault = Some(fault);
                    Answer::STOP
                }
            }
        }
        Err(Stop::Throw(_)) if run.callbacks != 0 => run.stopped(site.slot, FaultKind::ThrowInCallback),
        Err(Stop::Throw(number)) => {
            run.thrown = Some((site.program, number));
            Answer::STOP
        }
    };
    // SAFETY: as above.
    unsafe { show_arena(state, &mut env.memory) };
    answer
}

/// Called by the stub for what templates cannot do.
extern "C" fn slow_entry(at: u64, value: u64, state: *mut State) -> Answer {
    // SAFETY: as in `helper_entry`.
    let (env, run, site) = unsafe { (&mut *(*state).env, &mut *(*state).run, (*state).site) };
    let jit = run.jit;
    let Some(site) = jit.sites.get(site as usize) else { return Answer::STOP };
    let answer = match run.serve(env, site, at, value) {
        Ok(Some(value)) => Answer::value(value),
        Ok(None) => Answer::STOP,
        Err(kind) => run.stopped(site.slot, kind),
    };
    // SAFETY: as in `helper_entry`.
    unsafe { show_arena(state, &mut env.memory) };
    answer
}

impl Caller for Run<'_> {
    /// Callbacks run in the frame after that of the function that called the helper.
    fn call_back(&mut self, env: &mut Env, function: u64, args: [u64; 5]) -> Result<u64, Stop> {
        let nowhere = FaultKind::NoInstruction { target: function as i64 };
        let (program, slot) = env::func_of_address(function).ok_or(nowhere)?;
        let nowhere = FaultKind::NoInstruction { target: i64::from(slot) };
        let place = entry(&self.jit.entries, program, slot).ok_or(nowhere)?;
        let frame = self.frame + FRAME_STRIDE;
        if frame > env.stack + u64::from(env.frames - 1) * FRAME_STRIDE + FRAME_SIZE {
            return Err(Stop::Inner(Fault { slot: 0, kind: FaultKind::CallDepth }));
        }
        let outer = self.frame;
        self.callbacks += 1;
        let result = self.enter(env, place, args, frame, 1);
        self.callbacks -= 1;
        self.frame = outer;
        result.map_err(Stop::Inner)
    }

    fn may_tail_call(&self, program: u32) -> bool {
        self.tail_calls < MAX_TAIL_CALLS && (program as usize) < self.jit.entries.len()
    }

    fn spend(&mut self, instructions: u64) -> Result<(), Stop> {
        let state = self.jit.mapping.state();
        // SAFETY: the state is there as long as the mapping; the code that uses it waits.
        let left = unsafe {
            let budget = &mut (*state).budget;
            *budget = budget.saturating_sub(i64::try_from(instructions).unwrap_or(i64::MAX));
            *budget
        };
        if left < 0 { Err(FaultKind::Budget.into()) } else { Ok(()) }
    }
}
