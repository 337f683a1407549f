//! The fast interpreter: instructions as functions that call the next one.
//!
//! In: a program's steps. Out: an [`Op`] for each, with the function that executes it. A function ends
//! in the call of its successor's, which optimised builds turn into a jump; so there is no loop, no
//! decoding, and each instruction has a branch of its own for the processor to predict. Common pairs
//! are one function.
//!
//! It executes what is simple and hot: arithmetic, jumps, loads and stores, local calls. In front of
//! everything else, and of what would be a fault, it **leaves**: the plain interpreter executes that
//! one instruction, with all checks, and may come back. So the two cannot differ in what a fault is,
//! and the fast one needs no error path. All of it is safe code.
//!
//! - [`effects`]: what instructions do. - [`choose`]: the function for an instruction or a pair.
//!
//! Where tail calls are not optimised each instruction takes a stack frame: the distance between two
//! returns to [`Program::run`] is bounded by taken jumps, and in debug builds by instructions.

mod choose;
mod effects;

use alloc::vec::Vec;

pub(super) use choose::program;

use super::Memory;
use super::interp::{Frame, Regs};
use super::memory::BASE;

/// How memory is accessed.
pub(super) trait Access {
    /// What accesses work on during a run.
    type Bytes<'m>;

    /// Loads `N` bytes; none if the program may not, or not this way.
    fn load<const N: usize>(bytes: &Self::Bytes<'_>, address: u64) -> Option<[u8; N]>;

    /// Stores `N` bytes.
    fn store<const N: usize>(bytes: &mut Self::Bytes<'_>, address: u64, value: [u8; N]) -> Option<()>;
}

/// For proven programs: what is in the arena may be accessed, as a program only tries what it may.
pub(super) enum Proven {}

impl Access for Proven {
    type Bytes<'m> = &'m mut [u8];

    #[inline(always)]
    fn load<const N: usize>(bytes: &&mut [u8], address: u64) -> Option<[u8; N]> {
        let at = usize::try_from(address.wrapping_sub(BASE)).ok()?;
        bytes.get(at..)?.first_chunk().copied()
    }

    #[inline(always)]
    fn store<const N: usize>(bytes: &mut &mut [u8], address: u64, value: [u8; N]) -> Option<()> {
        let at = usize::try_from(address.wrapping_sub(BASE)).ok()?;
        *bytes.get_mut(at..)?.first_chunk_mut()? = value;
        Some(())
    }
}

/// For all others: every access is tested against its region.
pub(super) enum Checked {}

impl Access for Checked {
    type Bytes<'m> = &'m mut Memory;

    #[inline(always)]
    fn load<const N: usize>(memory: &&mut Memory, address: u64) -> Option<[u8; N]> {
        memory.load(address)
    }

    #[inline(always)]
    fn store<const N: usize>(memory: &mut &mut Memory, address: u64, value: [u8; N]) -> Option<()> {
        memory.store(address, value)
    }
}

/// Executes an instruction and those that follow: its op, the ops behind it, registers, the rest.
type Run<A> = for<'c, 'm> fn(&'c Op<A>, &'c [Op<A>], &mut Regs, &mut Machine<'c, 'm, A>);

/// An instruction that is ready to be executed.
struct Op<A: Access> {
    run: Run<A>,
    /// The immediate, or an offset, as a number of 64 bits.
    value: u64,
    /// Index of the op that a jump or call goes to.
    target: u32,
    dst: u8,
    src: u8,
}

/// A program's ops, as many as it has steps.
pub(super) struct Program<A: Access> {
    ops: Vec<Op<A>>,
}

/// The state of a run besides registers.
struct Machine<'c, 'm, A: Access> {
    bytes: A::Bytes<'m>,
    ops: &'c [Op<A>],
    /// Ops from the last jump's target to the end; with those that are left this counts instructions.
    mark: usize,
    /// Instructions up to that jump.
    executed: u64,
    /// The next jump after so many returns.
    pause_at: u64,
    /// Where to go on.
    pc: usize,
    /// Whether that is for the plain interpreter.
    left: bool,
    calls: Calls<'m>,
}

/// What local calls and bounded loops change.
pub(super) struct Calls<'m> {
    /// Callers.
    pub frames: &'m mut Vec<Frame>,
    /// Frames in use, in all nested executions.
    pub depth: &'m mut u32,
    /// Address of the first frame.
    pub stack: u64,
    /// How many there are.
    pub most: u32,
    /// Rounds that the current function's bounded loop may still take.
    pub may_goto_left: &'m mut u32,
    /// Index of the program.
    pub program: usize,
}

/// Most instructions between two returns, about; few where each may take a frame of the stack.
const STRIDE: u64 = if cfg!(debug_assertions) { 32 } else { 1 << 14 };
/// In debug builds, straight code returns as often.
const PAUSE_EVERY: usize = 32;

/// Where and when a run ended.
pub(super) struct Stopped {
    /// The instruction that is next.
    pub pc: usize,
    /// Instructions executed before it, with those before the run.
    pub executed: u64,
}

impl<A: Access> Program<A> {
    /// Executes from `pc` on, as far as it goes; fewer than `limit` instructions in all.
    pub fn run<'m>(
        &self,
        pc: usize,
        executed: u64,
        limit: u64,
        regs: &mut Regs,
        bytes: A::Bytes<'m>,
        calls: Calls<'m>,
    ) -> Stopped {
        // From one jump to the next there are no more instructions than the program has.
        let limit = limit.saturating_sub(self.ops.len() as u64);
        let mut machine =
            Machine { bytes, ops: &self.ops, mark: 0, executed, pause_at: limit, pc, left: false, calls };
        while machine.executed < limit && !machine.left {
            machine.pause_at = limit.min(machine.executed + STRIDE);
            let rest = self.ops.get(machine.pc..).unwrap_or_default();
            machine.mark = rest.len();
            next(rest, regs, &mut machine);
        }
        Stopped { pc: machine.pc, executed: machine.executed }
    }
}

impl<'c, A: Access> Machine<'c, '_, A> {
    /// Returns, with the instruction in front of `after` still to be executed.
    #[inline(always)]
    fn leave(&mut self, after: &[Op<A>]) {
        let left = after.len() + 1;
        self.executed += (self.mark - left) as u64;
        self.left = true;
        self.pc = self.ops.len() - left;
    }

    /// Goes on at a jump's target; the jump is in front of `after`.
    #[inline(always)]
    fn jump(&mut self, target: u32, after: &[Op<A>], regs: &mut Regs) {
        self.executed += (self.mark - after.len()) as u64;
        let rest = self.ops.get(target as usize..).unwrap_or_default();
        self.mark = rest.len();
        if self.executed >= self.pause_at {
            self.pc = target as usize;
            return;
        }
        next(rest, regs, self);
    }
}

/// Executes the first of these ops and what follows it.
#[inline(always)]
fn next<'c, A: Access>(rest: &'c [Op<A>], regs: &mut Regs, machine: &mut Machine<'c, '_, A>) {
    match rest.split_first() {
        Some((op, after)) => {
            if cfg!(debug_assertions) && machine.mark - rest.len() >= PAUSE_EVERY {
                return machine.leave(after);
            }
            (op.run)(op, after, regs, machine);
        }
        // Programs end with a jump or an exit; of one that does not, the end is told by who is called.
        None => {
            machine.executed += machine.mark as u64;
            machine.left = true;
            machine.pc = machine.ops.len();
        }
    }
}
