//! The state of a program at one instruction on one path.
//!
//! A frame has eleven registers and 512 bytes of stack in slots of 8 bytes. Each byte of a slot is
//! unwritten, written with something, known to be zero, or part of a spilled register.

use alloc::vec::Vec;

use super::lock::Lock;
use super::marks::Place;
use super::reg::{PtrKind, Reg};

/// Bytes of stack a function may use.
pub const STACK_SIZE: i32 = 512;
/// Nested calls, the program itself included.
pub const MAX_FRAMES: usize = 8;

/// What is known of a byte of the stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Byte {
    /// Never written.
    #[default]
    Invalid,
    /// Written with a number.
    Misc,
    /// Zero.
    Zero,
    /// Part of the register spilled to the slot.
    Spilled,
    /// Part of an iterator or of the flags of interrupts, which are described by the slot's register.
    Held,
    /// Part of a dynamic pointer, in the same way.
    Dynptr,
}

/// Eight bytes of stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StackSlot {
    /// Its bytes, lowest address first.
    pub bytes: [Byte; 8],
    /// The register spilled here; meaningful while a byte is `Spilled`. It was stored by a write
    /// of as many bytes as are `Spilled`.
    pub spilled: Reg,
}

/// The frame of a function.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Registers by number.
    pub regs: [Reg; 11],
    /// Slot `i` holds the bytes from `-8 * (i + 1)` to `-8 * i`; grows as it is written.
    pub stack: Vec<StackSlot>,
    /// The function's first slot in the program.
    pub start: u32,
    /// The slot of the call, to return after it.
    pub call: Option<u32>,
    /// A helper called it, to return to the call itself; so many references were held then.
    pub callback: Option<usize>,
    /// How often the helper that is being called has called back.
    pub rounds: u32,
    /// Of a function that is called later: how many such functions in a row set one another.
    pub entries: u32,
}

/// What the function is that a path began with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// The program.
    #[default]
    Program,
    /// A global function, verified on its own.
    Global,
    /// A function that the kernel calls later, by a timer or from a queue.
    Later,
    /// One that it calls later in the context of a task.
    InTask,
    /// What handles the program's exceptions, and ends it.
    Handler,
}

/// A reference that must be given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reference {
    /// Its number.
    pub id: u32,
    /// The call that acquired it.
    pub slot: u32,
}

/// The state of the whole program.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Frames, the running one last.
    pub frames: Vec<Frame>,
    /// What is held.
    pub references: Vec<Reference>,
    /// RCU read sections that were entered.
    pub rcu: u32,
    /// Sections without preemption that were entered.
    pub preempt: u32,
    /// How often this path went on at a `may_goto` instead of leaving the loop.
    pub rounds: u32,
    /// Functions that compare objects of a tree, and are running.
    pub comparing: u32,
    /// The spin locks that are held, the newest last.
    pub locks: Vec<Lock>,
    /// Sections without interrupts that were entered, the newest last.
    pub interrupts: Vec<Reference>,
    /// May what is running sleep, as far as it goes by how it was entered?
    pub sleepable: bool,
    /// What the first frame is.
    pub role: Role,
    /// No run comes here: only a processor that guesses wrong.
    pub guessed: bool,
}

impl Frame {
    /// A frame whose registers are uninitialised but for the frame pointer.
    pub fn new(depth: u32, start: u32, call: Option<u32>) -> Frame {
        let mut regs = [Reg::Uninit; 11];
        regs[10] = Reg::pointer(PtrKind::Stack(depth), start);
        Frame { regs, stack: Vec::new(), start, call, callback: None, rounds: 0, entries: 0 }
    }

    /// The slot with the byte at `offset` from the frame pointer (negative), grown when needed.
    pub fn slot_mut(&mut self, offset: i32) -> &mut StackSlot {
        let index = ((-offset - 1) / 8) as usize;
        if index >= self.stack.len() {
            self.stack.resize(index + 1, StackSlot::default());
        }
        &mut self.stack[index]
    }

    /// The slot with the byte at `offset`, if it was ever written.
    pub fn slot(&self, offset: i32) -> Option<&StackSlot> {
        self.stack.get(((-offset - 1) / 8) as usize)
    }
}

impl State {
    /// The running frame.
    pub fn frame(&self) -> &Frame {
        // There is always one: the first is never returned from.
        &self.frames[self.frames.len() - 1]
    }

    /// The running frame, mutable.
    pub fn frame_mut(&mut self) -> &mut Frame {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// May the program sleep here?
    pub fn may_sleep(&self) -> bool {
        let held = self.locks.len() + self.interrupts.len();
        self.sleepable && self.rcu == 0 && self.preempt == 0 && held == 0
    }

    /// Is what RCU protects safe here?
    pub fn in_rcu(&self) -> bool {
        self.rcu > 0 || !self.locks.is_empty() || !self.sleepable
    }

    /// After a call: its result, and nothing in the other registers that it may change.
    pub fn clobber(&mut self, result: Reg) {
        let regs = &mut self.frame_mut().regs;
        regs[..=5].fill(Reg::Uninit);
        regs[0] = result;
    }

    /// What a place holds, if that is a register's content.
    pub fn at(&self, place: Place) -> Option<&Reg> {
        match place {
            Place::Reg(depth, number) => self.frames.get(usize::from(depth))?.regs.get(usize::from(number)),
            Place::Slot(depth, index) => {
                let stored = self.frames.get(usize::from(depth))?.stack.get(usize::from(index))?;
                stored.bytes.contains(&Byte::Spilled).then_some(&stored.spilled)
            }
        }
    }

    /// The same, to change it.
    pub fn at_mut(&mut self, place: Place) -> Option<&mut Reg> {
        match place {
            Place::Reg(depth, number) => {
                self.frames.get_mut(usize::from(depth))?.regs.get_mut(usize::from(number))
            }
            Place::Slot(depth, index) => {
                let stored = self.frames.get_mut(usize::from(depth))?.stack.get_mut(usize::from(index))?;
                stored.bytes.contains(&Byte::Spilled).then_some(&mut stored.spilled)
            }
        }
    }

    /// Calls `f` with every register and every spilled register, and where it is.
    pub fn each_place(&self, mut f: impl FnMut(Place, &Reg)) {
        for (depth, frame) in (0..).zip(&self.frames) {
            (0..10).zip(&frame.regs).for_each(|(number, reg)| f(Place::Reg(depth, number), reg));
            for (index, slot) in (0..).zip(&frame.stack) {
                if slot.bytes.contains(&Byte::Spilled) {
                    f(Place::Slot(depth, index), &slot.spilled);
                }
            }
        }
    }

    /// Applies `f` to every register and every spilled register of all frames.
    pub fn for_each_reg(&mut self, mut f: impl FnMut(&mut Reg)) {
        for frame in &mut self.frames {
            frame.regs.iter_mut().for_each(&mut f);
            for slot in &mut frame.stack {
                if slot.bytes.contains(&Byte::Spilled) {
                    f(&mut slot.spilled);
                }
            }
        }
    }
}
