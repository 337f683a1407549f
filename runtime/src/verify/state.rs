//! The state of a program at one instruction on one path, and when one state covers another.
//!
//! A frame has eleven registers and 512 bytes of stack in slots of 8 bytes. Each byte of a slot is
//! unwritten, written with something, known to be zero, or part of a spilled register.
//!
//! [`State::covers`] is what pruning rests on: if every behaviour from the new state is also one
//! from an old state that was found safe, the new one need not be walked.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::reg::{Num, Pointer, PtrKind, Reg};

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
#[derive(Clone, Debug)]
pub struct State {
    /// Frames, the running one last.
    pub frames: Vec<Frame>,
    /// What is held.
    pub references: Vec<Reference>,
}

impl Frame {
    /// A frame whose registers are uninitialised but for the frame pointer.
    pub fn new(depth: u32, start: u32, call: Option<u32>) -> Frame {
        let mut regs = [Reg::Uninit; 11];
        regs[10] = Reg::pointer(PtrKind::Stack(depth), start);
        Frame { regs, stack: Vec::new(), start, call }
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

    /// Bytes of stack in use, a multiple of 8.
    pub fn depth(&self) -> u32 {
        self.stack.len() as u32 * 8
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

    /// Does `self`, which was found safe, allow everything that `new` allows?
    /// `live` tells which registers of the running frame are read before they are written.
    pub fn covers(&self, new: &State, live: u16) -> bool {
        if self.frames.len() != new.frames.len() || self.references.len() != new.references.len() {
            return false;
        }
        let mut ids = Ids::default();
        let depth = self.frames.len() - 1;
        for (index, (old, new)) in self.frames.iter().zip(&new.frames).enumerate() {
            if old.start != new.start || old.call != new.call {
                return false;
            }
            // Callers' registers r6 to r9 are read after the return, r0 to r5 are not.
            let live = if index == depth { live } else { 0b11_1100_0000 };
            for number in 0..10 {
                if live & (1 << number) != 0 && !ids.reg_covers(&old.regs[number], &new.regs[number]) {
                    return false;
                }
            }
            if !ids.stack_covers(&old.stack, &new.stack) {
                return false;
            }
        }
        self.references.iter().zip(&new.references).all(|(old, new)| ids.same(old.id, new.id))
    }
}

/// How ids of an old state correspond to those of a new one: one to one.
#[derive(Default)]
struct Ids {
    forwards: BTreeMap<u32, u32>,
    backwards: BTreeMap<u32, u32>,
}

impl Ids {
    /// Do the ids correspond? 0 only corresponds to 0.
    fn same(&mut self, old: u32, new: u32) -> bool {
        if old == 0 || new == 0 {
            return old == new;
        }
        *self.forwards.entry(old).or_insert(new) == new && *self.backwards.entry(new).or_insert(old) == old
    }

    fn reg_covers(&mut self, old: &Reg, new: &Reg) -> bool {
        match (old, new) {
            // What was safe without reading a register is safe whatever it holds.
            (Reg::Uninit, _) => true,
            (Reg::Scalar(old), Reg::Scalar(new)) => self.num_covers(old, new),
            (Reg::Pointer(old), Reg::Pointer(new)) => self.pointer_covers(old, new),
            (Reg::Scalar(_) | Reg::Pointer(_), _) => false,
        }
    }

    fn num_covers(&mut self, old: &Num, new: &Num) -> bool {
        // A number without copies in the old state was bounded alone, so it may have any in the new.
        old.value.includes(&new.value) && (old.id == 0 || self.same(old.id, new.id))
    }

    fn pointer_covers(&mut self, old: &Pointer, new: &Pointer) -> bool {
        let kind = match (old.kind, new.kind) {
            // More proven bytes are safe where fewer were.
            (PtrKind::Packet(old), PtrKind::Packet(new)) => old <= new,
            (PtrKind::PacketMeta(old), PtrKind::PacketMeta(new)) => old <= new,
            (old, new) => old == new,
        };
        kind && old.off == new.off
            && old.nullable == new.nullable
            && old.var.includes(&new.var)
            && self.same(old.id, new.id)
            && self.same(old.reference, new.reference)
    }

    fn stack_covers(&mut self, old: &[StackSlot], new: &[StackSlot]) -> bool {
        let nothing = StackSlot::default();
        old.iter().enumerate().all(|(index, old)| self.slot_covers(old, new.get(index).unwrap_or(&nothing)))
    }

    fn slot_covers(&mut self, old: &StackSlot, new: &StackSlot) -> bool {
        let is_number = matches!(new.spilled, Reg::Scalar(_));
        let bytes = old.bytes.iter().zip(&new.bytes).all(|(old, byte)| match (old, byte) {
            (Byte::Invalid, _) => true,
            (Byte::Misc, Byte::Misc | Byte::Zero) => true,
            (Byte::Misc, Byte::Spilled) => is_number,
            (Byte::Zero, Byte::Zero) | (Byte::Spilled, Byte::Spilled) => true,
            (Byte::Misc | Byte::Zero | Byte::Spilled, _) => false,
        });
        bytes && (!old.bytes.contains(&Byte::Spilled) || self.reg_covers(&old.spilled, &new.spilled))
    }
}
