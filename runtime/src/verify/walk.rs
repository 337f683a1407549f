//! The walk: every path of a program, one instruction at a time.
//!
//! A conditional jump whose outcome is unknown puts one side on a stack and follows the other. At
//! the targets of jumps the state is compared with those that were walked from there before: one
//! that an earlier, finished state covers is dropped. A state that is covered by one whose own walk
//! is not finished yet has gone round a loop without progress: that is an endless loop.
//!
//! The walk ends at the first failure, or when the budget is used up, like the kernel's.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use skep_stdlib::isa::{CallTarget, Insn, Operand, Reg as R};

use super::Context;
use super::liveness::Liveness;
use super::reg::Reg;
use super::report::{Cause, Report, Step};
use super::state::{Frame, MAX_FRAMES, State};

/// What a check says: fine, or why not.
pub type Check<T = ()> = Result<T, Cause>;

/// Where control goes after an instruction.
pub enum Next {
    /// To this slot.
    To(u32),
    /// To both: the taken side first, each with its state.
    Both(u32, u32, alloc::boxed::Box<State>),
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
    /// Most bytes of stack over nested calls.
    pub stack: u32,
}

/// One path being walked.
struct Path {
    state: State,
    slot: u32,
    /// Its last jump in the tree of jumps.
    last: Option<u32>,
    /// The innermost kept state it descends from.
    parent: Option<u32>,
}

/// A jump in the tree of jumps: who came before, and which way it went.
struct Link {
    before: Option<u32>,
    step: Step,
}

/// A state kept for pruning.
struct Kept {
    state: State,
    parent: Option<u32>,
    /// Paths from here that are not finished.
    open: u32,
}

/// Walks one program.
pub struct Walk<'a> {
    /// What does not change during the walk.
    pub cx: Context<'a>,
    /// Costs so far.
    pub stats: Stats,
    live: Liveness,
    paths: Vec<Path>,
    links: Vec<Link>,
    kept: Vec<Kept>,
    by_slot: BTreeMap<u32, Vec<u32>>,
    next_id: u32,
}

impl<'a> Walk<'a> {
    /// A walk that has not begun.
    pub fn new(cx: Context<'a>) -> Walk<'a> {
        let live = Liveness::of(&cx.program.code);
        Walk {
            cx,
            stats: Stats::default(),
            live,
            paths: Vec::new(),
            links: Vec::new(),
            kept: Vec::new(),
            by_slot: BTreeMap::new(),
            next_id: 0,
        }
    }

    /// A number for pointers or numbers that belong together.
    pub fn fresh_id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    /// Walks all paths.
    pub fn run(&mut self) -> Result<(), Report> {
        let mut frame = Frame::new(0, 0, None);
        frame.regs[1] = self.cx.entry_register();
        let state = State { frames: alloc::vec![frame], references: Vec::new() };
        self.paths.push(Path { state, slot: 0, last: None, parent: None });
        while let Some(mut path) = self.paths.pop() {
            if let Err(cause) = self.follow(&mut path) {
                return Err(self.report(&path, cause));
            }
            self.close(path.parent);
        }
        Ok(())
    }

    fn report(&self, path: &Path, cause: Cause) -> Report {
        let mut steps = Vec::new();
        let mut at = path.last;
        while let Some(link) = at.and_then(|index| self.links.get(index as usize)) {
            steps.push(link.step);
            at = link.before;
        }
        steps.reverse();
        Report { program: self.cx.index, slot: path.slot, cause, path: steps }
    }

    /// Follows a path to its end.
    fn follow(&mut self, path: &mut Path) -> Check {
        loop {
            if self.stats.insns >= self.cx.limit {
                return Err(Cause::Complexity { limit: self.cx.limit });
            }
            self.stats.insns += 1;
            let target = i64::from(path.slot);
            let insn = *self.cx.program.code.at(path.slot).ok_or(Cause::BadJump { target })?;
            if self.live.is_join(path.slot) && self.prune(path)? {
                return Ok(());
            }
            match self.step(&mut path.state, path.slot, &insn)? {
                Next::To(slot) => path.slot = slot,
                Next::Ended => return Ok(()),
                Next::Both(taken, other, state) => {
                    let here = path.slot;
                    let side = |taken| Step { slot: here, taken };
                    let before = path.last;
                    self.links.push(Link { before, step: side(false) });
                    let last = Some(self.links.len() as u32 - 1);
                    self.paths.push(Path { state: *state, slot: other, last, parent: path.parent });
                    self.open(path.parent);
                    self.links.push(Link { before, step: side(true) });
                    path.last = Some(self.links.len() as u32 - 1);
                    path.slot = taken;
                }
            }
        }
    }

    fn open(&mut self, kept: Option<u32>) {
        if let Some(index) = kept {
            self.kept[index as usize].open += 1;
        }
    }

    /// A path below `kept` has ended.
    fn close(&mut self, mut kept: Option<u32>) {
        while let Some(index) = kept {
            let state = &mut self.kept[index as usize];
            state.open -= 1;
            if state.open > 0 {
                return;
            }
            kept = state.parent;
        }
    }

    /// Whether the path may end here because an earlier state covers it; keeps its state if not.
    fn prune(&mut self, path: &mut Path) -> Check<bool> {
        let live = self.live.at(path.slot);
        let known = self.by_slot.get(&path.slot).map_or(&[][..], Vec::as_slice);
        for &index in known {
            let kept = &self.kept[index as usize];
            if kept.state.covers(&path.state, live) {
                if kept.open == 0 {
                    return Ok(true);
                }
                // Not finished: only an ancestor with nothing changed proves a loop without end.
                if self.is_ancestor(index, path.parent) && path.state.covers(&kept.state, live) {
                    return Err(Cause::EndlessLoop {});
                }
            }
        }
        let index = self.kept.len() as u32;
        self.kept.push(Kept { state: path.state.clone(), parent: path.parent, open: 1 });
        self.by_slot.entry(path.slot).or_default().push(index);
        self.stats.states += 1;
        path.parent = Some(index);
        Ok(false)
    }

    fn is_ancestor(&self, index: u32, mut of: Option<u32>) -> bool {
        while let Some(at) = of {
            if at == index {
                return true;
            }
            of = self.kept[at as usize].parent;
        }
        false
    }

    /// One instruction.
    fn step(&mut self, state: &mut State, slot: u32, insn: &Insn) -> Check<Next> {
        let after = slot + insn.slots() as u32;
        match *insn {
            Insn::Alu { width, op, dst, src } => self.alu(state, slot, width, op, dst, src)?,
            Insn::Mov { width, dst, src } => self.mov(state, slot, width, dst, src)?,
            Insn::MovSx { width, bits, dst, src } => {
                self.mov_sign_extend(state, slot, width, bits, dst, src)?
            }
            Insn::Neg { width, dst } => self.neg(state, slot, width, dst)?,
            Insn::Swap { bits, dst, .. } => self.swap(state, slot, bits, dst)?,
            Insn::LoadImm64 { dst, value } => self.load_imm64(state, slot, dst, value)?,
            Insn::Load { size, signed, dst, base, off } => {
                self.load(state, slot, size, signed, dst, base, off)?;
            }
            Insn::Store { size, base, off, src } => self.store(state, slot, size, base, off, src)?,
            Insn::Atomic { size, op, base, off, src } => {
                self.atomic(state, slot, size, op, base, off, src)?
            }
            Insn::LoadAcquire { size, dst, base, off } => {
                self.load(state, slot, size, false, dst, base, off)?;
            }
            Insn::StoreRelease { size, base, off, src } => {
                self.store(state, slot, size, base, off, Operand::Reg(src))?;
            }
            Insn::LoadAbs { .. } | Insn::LoadInd { .. } => {
                return Err(Cause::Unsupported { what: "legacy packet access".into() });
            }
            Insn::AddrSpaceCast { .. } => {
                return Err(Cause::Unsupported { what: "a cast between address spaces".into() });
            }
            Insn::Jump { off, .. } => return Ok(Next::To(target(slot, off))),
            Insn::MayGoto { .. } => return Err(Cause::Unsupported { what: "`may_goto`".into() }),
            Insn::Branch { width, cond, dst, src, off } => {
                return self.branch(state, slot, width, cond, dst, src, target(slot, off.into()));
            }
            Insn::Call(CallTarget::Local(off)) => return self.enter(state, slot, target(slot, off)),
            Insn::Call(CallTarget::Helper(id)) => self.call_helper(state, slot, id)?,
            Insn::Call(CallTarget::Kfunc { .. }) => {
                return Err(Cause::Unsupported { what: "a call of a kernel function".into() });
            }
            Insn::Call(CallTarget::Reg(_)) => {
                return Err(Cause::Unsupported { what: "a call through a register".into() });
            }
            Insn::Exit => return self.exit(state, slot),
        }
        Ok(Next::To(after))
    }

    /// Calls a function of the program.
    fn enter(&mut self, state: &mut State, slot: u32, start: u32) -> Check<Next> {
        if state.frames.len() >= MAX_FRAMES {
            return Err(Cause::CallDepth {});
        }
        let mut frame = Frame::new(state.frames.len() as u32, start, Some(slot));
        frame.regs[1..=5].copy_from_slice(&state.frame().regs[1..=5]);
        state.frame_mut().regs[..=5].fill(Reg::Uninit);
        state.frames.push(frame);
        Ok(Next::To(start))
    }

    /// Returns from a function, or ends the program.
    fn exit(&mut self, state: &mut State, slot: u32) -> Check<Next> {
        self.note_stack(state)?;
        let result = state.frame().regs[0];
        let Some(call) = state.frame().call else {
            self.check_end(state, slot, &result)?;
            return Ok(Next::Ended);
        };
        let depth = state.frames.len() as u32 - 1;
        if let Reg::Pointer(pointer) = result
            && pointer.kind == super::reg::PtrKind::Stack(depth)
        {
            return Err(Cause::Unsupported { what: "a pointer to the stack as result".into() });
        }
        state.frames.pop();
        let caller = state.frame_mut();
        caller.regs[0] = result;
        Ok(Next::To(call + 1))
    }

    fn note_stack(&mut self, state: &State) -> Check {
        // The kernel rounds each frame up to 32 bytes.
        let bytes = state.frames.iter().map(|frame| frame.depth().max(1).next_multiple_of(32)).sum();
        self.stats.stack = self.stats.stack.max(bytes);
        if bytes > 512 { Err(Cause::StackDepth { bytes }) } else { Ok(()) }
    }
}

/// The slot that a jump at `slot` leads to. Out of range, no instruction starts there.
fn target(slot: u32, off: i32) -> u32 {
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
