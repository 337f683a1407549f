//! The walk: every path of a program, one instruction at a time.
//!
//! A conditional jump whose outcome is unknown puts one side on a stack and follows the other, to
//! the end or to a state that is known to be safe (`prune`). What was executed is recorded
//! (`trace`).
//!
//! The walk ends at the first failure, or when the budget is used up, like the kernel's.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::vec::Vec;

use skep_stdlib::btf::TypeId;
use skep_stdlib::features::Feature;
use skep_stdlib::isa::{CallTarget, Insn, Operand, Reg as R};
use skep_stdlib::kfuncs::{Flags, Kfunc};

use super::Context;
use super::facts::LookUps;
use super::fields::{self, Special};
use super::graph;
use super::guesses::Guesses;
use super::held;
use super::kfunc;
use super::later;
use super::liveness::Liveness;
use super::log::Log;
use super::prune::Store;
use super::reg::{Pointer, PtrKind, Reg, Way};
use super::report::{Cause, Leaving, Report};
use super::rounds::Bound;
use super::state::{Frame, MAX_FRAMES, State};
use super::trace::{self, Event, Trace};

/// What a check says: fine, or why not.
pub type Check<T = ()> = Result<T, Cause>;

/// Where control goes after an instruction.
pub enum Next {
    /// To this slot.
    To(u32),
    /// To both: this one first, with the running state, then where a jump leads with its own.
    Both(u32, u32, Box<State>),
    /// To this slot, and later, with a state of its own, to the same instruction again.
    Again(u32, Box<State>),
    /// This path has ended.
    Ended,
}

/// What the walk found out about a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Instructions walked, over all paths.
    pub insns: u32,
    /// States kept for pruning.
    pub states: u32,
    /// Most states kept at one time.
    pub peak: u32,
    /// Most states kept at one time for one instruction.
    pub crowd: u32,
    /// Most bytes of stack over nested calls.
    pub stack: u32,
}

/// Where a path is, beside its state.
#[derive(Clone, Copy)]
pub struct At {
    /// Its newest node in the trace.
    pub tip: u32,
    /// The innermost kept state it descends from.
    pub parent: Option<u32>,
    /// Stack slots of each frame that were written since then.
    pub written: [u64; MAX_FRAMES],
    /// Registers of each frame that were, if a log is kept.
    pub assigned: [u16; MAX_FRAMES],
    /// Entries of the kernel's history of jumps since then.
    pub history: u32,
}

/// Where every path begins.
const START: At =
    At { tip: trace::NONE, parent: None, written: [0; MAX_FRAMES], assigned: [0; MAX_FRAMES], history: 0 };

/// Most paths that wait to be walked (kernel `BPF_COMPLEXITY_LIMIT_JMP_SEQ`).
const MOST_PATHS: usize = 8192;

/// A path to be walked.
struct Path {
    state: State,
    slot: u32,
    at: At,
    /// Where it left another, and how long the log was then; none where a function begins.
    from: Option<(u32, usize)>,
}

/// Walks one program.
pub struct Walk<'a> {
    /// What does not change during the walk.
    pub cx: Context<'a>,
    /// Costs so far.
    pub stats: Stats,
    /// Where the running path is.
    pub at: At,
    /// The running instruction.
    pub now: u32,
    /// Where the paths began that are being walked.
    pub start: u32,
    /// What is logged, if anything.
    pub log: Option<Box<Log>>,
    /// What was executed.
    pub trace: Trace,
    /// What is known of the paths of wrong guesses.
    pub guesses: Guesses,
    /// States kept for pruning.
    pub store: Store,
    /// What the running instruction did, for the trace.
    pub event: Event,
    /// Deepest byte of stack that each function uses, by its first slot.
    pub depths: BTreeMap<u32, u32>,
    /// How each instruction that was walked accesses memory, and whether all of that is the
    /// program's own, by slot.
    pub ways: Vec<Option<(Way, bool)>>,
    /// Look-ups in maps that were walked.
    pub look_ups: LookUps,
    /// How often each instruction was walked, by slot.
    pub visits: Vec<u32>,
    /// Global functions that were called.
    pub globals: BTreeSet<u32>,
    /// Where the function starts that handles the program's exceptions.
    pub handler: Option<u32>,
    /// Where functions start that the kernel will call.
    pub later: BTreeSet<u32>,
    /// Fields of map values that may not be touched, by map.
    fields: BTreeMap<u32, Rc<[Special]>>,
    /// The same of allocated objects, by type.
    object_fields: BTreeMap<u32, Rc<[Special]>>,
    pub(super) live: Liveness,
    paths: Vec<Path>,
    next_id: u32,
}

impl<'a> Walk<'a> {
    /// A walk that has not begun.
    pub fn new(cx: Context<'a>, handler: Option<u32>) -> Walk<'a> {
        Walk {
            cx,
            stats: Stats::default(),
            at: START,
            now: 0,
            start: 0,
            log: None,
            trace: Trace::default(),
            guesses: Guesses::default(),
            store: Store::new(cx.program.code.len()),
            event: Event::Plain,
            depths: BTreeMap::new(),
            ways: alloc::vec![None; cx.program.code.len() as usize],
            look_ups: LookUps::default(),
            visits: alloc::vec![0; cx.program.code.len() as usize],
            globals: BTreeSet::new(),
            handler,
            later: BTreeSet::new(),
            fields: BTreeMap::new(),
            object_fields: BTreeMap::new(),
            live: Liveness::of(cx.program, |id| bound(&cx, id), |id| sets(&cx, id), |id| params(&cx, id)),
            paths: Vec::new(),
            next_id: 0,
        }
    }

    /// A number for pointers or numbers that belong together.
    pub fn fresh_id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    /// What the program begins with.
    pub fn entry_state(&self) -> State {
        let mut frame = Frame::new(0, 0, None);
        frame.regs[1] = self.cx.entry_register();
        let sleepable = self.cx.program.sleepable;
        State { frames: alloc::vec![frame], sleepable, ..State::default() }
    }

    /// Walks all paths.
    pub fn run(&mut self) -> Result<(), Box<Report>> {
        self.walk(self.entry_state(), 0)?;
        self.walk_others()?;
        if let Some(start) = self.handler {
            self.at = START;
            let state = self.handler_state(start);
            self.depths.entry(start).or_default();
            self.walk(state, start)?;
            self.walk_others()?;
        }
        let later = self.later.iter().copied().collect();
        let depth = super::depth::check(self.cx.program, &self.depths, &later, self.handler);
        self.check_tail_calls().map_err(|(slot, cause)| self.report(slot, cause))?;
        self.stats.stack = depth.map_err(|(slot, cause)| Box::new(Report::at(self.cx.index, slot, cause)))?;
        Ok(())
    }

    /// Walks the functions that are verified apart from the program: those found while walking.
    fn walk_others(&mut self) -> Result<(), Box<Report>> {
        let mut walked = BTreeSet::new();
        while let Some(&start) = self.globals.difference(&walked).next() {
            walked.insert(start);
            self.at = START;
            let function = self.cx.program.function_at(start);
            match function.map(|function| self.global_state(function)) {
                Some(Ok(state)) => {
                    self.walk(state, start)?;
                    self.log_function_is_safe(start);
                }
                Some(Err(cause)) => return Err(self.report(start, cause)),
                None => {}
            }
        }
        Ok(())
    }

    /// A path that begins at `slot`, apart from the running one, is the next one to be walked.
    pub(super) fn begin(&mut self, state: State, slot: u32) -> Check {
        self.later_path(state, slot, START)
    }

    /// Walks all paths from this state.
    fn walk(&mut self, state: State, slot: u32) -> Result<(), Box<Report>> {
        self.start = slot;
        self.log_start(slot);
        self.paths.push(Path { state, slot, at: START, from: None });
        while let Some(mut path) = self.paths.pop() {
            self.at = path.at;
            if let Some((from, len)) = path.from {
                self.log_resumed(from, len);
            }
            if let Err(cause) = self.follow(&mut path) {
                let report = self.report(path.slot, cause);
                return Err(Box::new(Report { guessed: path.state.guessed, ..*report }));
            }
            self.close(self.at.parent);
        }
        Ok(())
    }

    fn report(&self, slot: u32, cause: Cause) -> Box<Report> {
        let path = self.trace.jumps(self.at.tip);
        Box::new(Report { program: self.cx.index, slot, cause, path, guessed: false })
    }

    /// Follows a path to its end.
    fn follow(&mut self, path: &mut Path) -> Check {
        loop {
            if self.stats.insns >= self.cx.limit {
                return Err(Cause::Complexity { limit: self.cx.limit });
            }
            self.stats.insns += 1;
            if let Some(visits) = self.visits.get_mut(path.slot as usize) {
                *visits += 1;
            }
            let (slot, target) = (path.slot, i64::from(path.slot));
            self.now = slot;
            let insn = *self.cx.program.code.at(slot).ok_or(Cause::BadJump { target })?;
            if self.live.is_compared(slot) && self.prune(&path.state, slot)? {
                self.log_safe(slot, path.state.guessed);
                return Ok(());
            }
            self.log_before(&path.state, slot, &insn);
            let depth = path.state.frames.len() - 1;
            self.event = Event::Plain;
            self.store.jumps += u32::from(is_jump(&insn));
            let guessed = path.state.guessed;
            if guessed && self.is_fenced(slot) {
                return Ok(());
            }
            let next = match self.step(&mut path.state, slot, &insn) {
                Ok(next) => next,
                Err(cause) if guessed && self.fence(slot, &cause) => return Ok(()),
                Err(cause) => return Err(cause),
            };
            if guessed && self.is_fenced_after(slot) {
                return Ok(());
            }
            self.log_after(&path.state, slot, &insn, depth);
            self.at.history += u32::from(self.live.is_reached(slot) || self.event.is_in_history());
            match next {
                Next::To(next) => path.slot = next,
                Next::Ended => return Ok(()),
                Next::Again(next, state) => {
                    self.later_path(*state, slot, self.at)?;
                    path.slot = next;
                }
                Next::Both(first, taken, state) => {
                    let before = self.at;
                    let event = self.event;
                    self.jumped(true);
                    if let Event::Callback = self.event {
                        // Nothing of the new frame was there before.
                        self.at.written[state.frames.len() - 1] = u64::MAX;
                    }
                    self.at.tip = self.trace.push(self.at.tip, slot, self.event);
                    self.later_path(*state, taken, self.at)?;
                    (self.at, self.event) = (before, event);
                    self.jumped(false);
                    path.slot = first;
                }
            }
            self.at.tip = self.trace.push(self.at.tip, slot, self.event);
        }
    }

    /// A path that is walked when those after it are done.
    pub(super) fn later_path(&mut self, state: State, slot: u32, at: At) -> Check {
        let from = Some((self.now, self.log_len()));
        self.paths.push(Path { state, slot, at, from });
        self.store.open(at.parent);
        match self.paths.len() <= MOST_PATHS {
            true => Ok(()),
            false => Err(Cause::Jumps { waiting: self.paths.len() }),
        }
    }

    /// A path that ended is walked on; it is noted as open.
    pub(super) fn resume(&mut self, state: State, slot: u32, at: At) {
        let from = Some((slot, self.log_len()));
        self.paths.push(Path { state, slot, at, from });
    }

    /// The running instruction, a conditional jump, went this way.
    fn jumped(&mut self, taken: bool) {
        match &mut self.event {
            Event::Jump(went, _) => *went = Some(taken),
            // The helper is done without calling back.
            Event::Callback if !taken => self.event = Event::Plain,
            // What may leave the function did not: that is the other way, like the kernel's.
            Event::Left if taken => self.event = Event::Plain,
            Event::Callback | Event::Left | Event::Plain | Event::Stack(_) | Event::Kept(_) => {}
        }
    }

    /// One instruction.
    pub fn step(&mut self, state: &mut State, slot: u32, insn: &Insn) -> Check<Next> {
        let after = slot + insn.slots() as u32;
        match *insn {
            Insn::Alu { width, op, dst, src } => {
                let other = self.fork_mask(state, op, dst, src);
                self.alu(state, slot, width, op, dst, src)?;
                return Ok(other.map_or(Next::To(after), |other| Next::Again(after, other)));
            }
            Insn::Mov { width, dst, src } => self.mov(state, slot, width, dst, src)?,
            Insn::MovSx { width, bits, dst, src } => {
                self.mov_sign_extend(state, slot, width, bits, dst, src)?
            }
            Insn::Neg { width, dst } => self.neg(state, slot, width, dst)?,
            Insn::Swap { kind, bits, dst } => self.swap(state, slot, kind, bits, dst)?,
            Insn::LoadImm64 { dst, value } => self.load_imm64(state, slot, dst, value)?,
            Insn::Load { size, signed, dst, base, off } => {
                self.load(state, slot, size, signed, dst, base, off)?;
            }
            Insn::Store { size, base, off, src } => self.store(state, slot, size, base, off, src)?,
            Insn::Atomic { size, op, base, off, src } => {
                self.atomic(state, slot, size, op, base, off, src)?
            }
            Insn::LoadAcquire { size, dst, base, off } => {
                self.ordered(state, size, base, off, false)?;
                self.load(state, slot, size, false, dst, base, off)?;
            }
            Insn::StoreRelease { size, base, off, src } => {
                self.ordered(state, size, base, off, true)?;
                self.store(state, slot, size, base, off, Operand::Reg(src))?;
            }
            Insn::LoadAbs { .. } => return self.load_packet(state, slot, None),
            Insn::LoadInd { src, .. } => return self.load_packet(state, slot, Some(src)),
            Insn::AddrSpaceCast { dst, src, spaces } => self.cast_space(state, slot, dst, src, spaces)?,
            Insn::Jump { off, .. } => return Ok(Next::To(target(slot, off))),
            Insn::MayGoto { off } => return self.may_goto(state, slot, target(slot, off.into())),
            Insn::Branch { width, cond, dst, src, off } => {
                return self.branch(state, slot, width, cond, dst, src, target(slot, off.into()));
            }
            Insn::Call(CallTarget::Local(off)) => return self.enter(state, slot, target(slot, off)),
            Insn::Call(CallTarget::Helper(id)) => return self.call_helper(state, slot, id),
            Insn::Call(CallTarget::Kfunc { id, .. }) => return self.call_kfunc(state, slot, id),
            Insn::Call(CallTarget::Reg(_)) => return Err(Cause::IndirectCall {}),
            Insn::Exit => return self.exit(state),
        }
        Ok(Next::To(after))
    }

    /// Calls a function of the program.
    fn enter(&mut self, state: &mut State, slot: u32, start: u32) -> Check<Next> {
        if let Some(function) = self.cx.program.function_at(start).filter(|function| function.global) {
            self.call_global(state, slot, function)?;
            return Ok(Next::To(slot + 1));
        }
        if state.frames.len() >= MAX_FRAMES {
            return Err(Cause::CallDepth {});
        }
        let mut frame = Frame::new(state.frames.len() as u32, start, Some(slot));
        frame.regs[1..=5].copy_from_slice(&state.frame().regs[1..=5]);
        state.frame_mut().regs[..=5].fill(Reg::Uninit);
        // Nothing of the new frame was there before.
        self.at.written[state.frames.len()] = u64::MAX;
        self.depths.entry(start).or_default();
        state.frames.push(frame);
        Ok(Next::To(start))
    }

    /// Returns from a function, or ends the program.
    fn exit(&mut self, state: &mut State) -> Check<Next> {
        let result = state.frame().regs[0];
        if state.frames.len() > 1 {
            self.log_return(state);
        }
        let Some(call) = state.frame().call else {
            self.check_end(state, &result, Leaving::End)?;
            return Ok(Next::Ended);
        };
        if let Some(held) = state.frame().callback {
            return self.return_from_callback(state, call, held);
        }
        // Of a caller's frame too: the kernel does not look whose it is.
        if let Reg::Pointer(Pointer { kind: PtrKind::Stack(_), .. }) = result {
            return Err(Cause::StackReturned {});
        }
        if !self.cx.target.has(Feature::SectionsAcrossCalls) {
            held::check_sections(state, Leaving::End)?;
        }
        state.frames.pop();
        let caller = state.frame_mut();
        caller.regs[0] = result;
        self.log_returned(state, call + 1);
        Ok(Next::To(call + 1))
    }

    /// Goes on after an instruction that may also leave the function there and then, with this result.
    pub(super) fn or_leave(&mut self, state: &mut State, slot: u32, result: Reg) -> Check<Next> {
        let frame = state.frame();
        if frame.call.is_none() || frame.callback.is_some() {
            // Then it is the program that ends, with a result that is fine.
            return Ok(Next::To(slot + 1));
        }
        let stayed = state.clone();
        state.frame_mut().regs[0] = result;
        match self.exit(state)? {
            Next::To(after) => {
                self.event = Event::Left;
                Ok(Next::Both(after, slot + 1, Box::new(stayed)))
            }
            other => Ok(other),
        }
    }

    /// The number and the name of the function that starts here.
    pub(super) fn function(&self, start: u32) -> (usize, &str) {
        let mut functions = self.cx.program.functions.iter().enumerate();
        let found = functions.find(|(_, function)| function.start == start);
        found.map_or((0, ""), |(index, function)| (index, function.name.as_str()))
    }

    /// The fields of a map's values that may not be touched.
    pub(super) fn special_fields(&mut self, map: u32) -> Rc<[Special]> {
        let cx = &self.cx;
        let find = || match (cx.image.btf.as_deref(), cx.map(map)) {
            (Some(btf), Some(def)) => fields::of_value(btf, def).into(),
            _ => Rc::from([]),
        };
        self.fields.entry(map).or_insert_with(find).clone()
    }

    /// The fields that may not be touched of what a pointer points to.
    pub(super) fn fields_behind(&mut self, pointer: &Pointer) -> Rc<[Special]> {
        match pointer.kind {
            PtrKind::MapValue(map) => self.special_fields(map),
            PtrKind::Object { ty, .. } => {
                let btf = self.cx.image.btf.as_deref();
                let find = || match btf {
                    Some(btf) => fields::of_object(btf, TypeId(ty)).into(),
                    None => Rc::from([]),
                };
                self.object_fields.entry(ty).or_insert_with(find).clone()
            }
            _ => Rc::from([]),
        }
    }

    /// The running path uses the stack of a frame down to this offset.
    pub(super) fn touch_stack(&mut self, state: &State, depth: u32, offset: i32) {
        let start = state.frames[depth as usize].start;
        let used = self.depths.entry(start).or_default();
        *used = (*used).max(offset.unsigned_abs());
    }
}

/// What bounds the rounds of calls of the kernel function with this id?
fn bound(cx: &Context<'_>, id: i32) -> Option<Bound> {
    let row = cx.image.kfuncs.get(&id).and_then(|name| Kfunc::from_name(name))?;
    if row.flags.has(Flags::ITER_NEXT) {
        return Some(Bound::Iterator);
    }
    graph::compares(row.name).then_some(Bound::Callback)
}

/// Is the kernel function with this id given a function that is called later?
fn sets(cx: &Context<'_>, id: i32) -> bool {
    cx.image.kfuncs.get(&id).is_some_and(|name| later::setter(name).is_some())
}

/// How many parameters has the kernel function with this id?
fn params(cx: &Context<'_>, id: i32) -> Option<usize> {
    Some(kfunc::declared(cx.btf?, cx.image.kfuncs.get(&id)?)?.1.len())
}

/// Does the kernel count it as a jump?
fn is_jump(insn: &Insn) -> bool {
    matches!(
        insn,
        Insn::Branch { .. } | Insn::Jump { .. } | Insn::MayGoto { .. } | Insn::Call(_) | Insn::Exit
    )
}

/// The slot that a jump at `slot` leads to. Out of range, no instruction starts there.
pub fn target(slot: u32, off: i32) -> u32 {
    u32::try_from(i64::from(slot) + 1 + i64::from(off)).unwrap_or(u32::MAX)
}

/// The value of a register, which must hold one.
pub fn read(state: &State, reg: R) -> Check<Reg> {
    match state.frame().regs[reg.index()] {
        Reg::Uninit => Err(Cause::Uninit { reg: reg.number() }),
        value => Ok(value),
    }
}

/// Puts a value into a register; the frame pointer cannot be written.
pub fn write(state: &mut State, reg: R, value: Reg) -> Check {
    if reg == R::FP {
        return Err(Cause::FramePointer {});
    }
    state.frame_mut().regs[reg.index()] = value;
    Ok(())
}
