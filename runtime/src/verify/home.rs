//! Where an object of the kernel's lies in the program's stack: iterators, dynamic pointers, flags of
//! interrupts.
//!
//! Such an object is made and used by functions only. Its bytes are [`Byte::Held`] or
//! [`Byte::Dynptr`]; what it is stands in the register of each of its slots.

use super::reg::{PtrKind, Reg};
use super::region::{Callee, reg_of};
use super::stack;
use super::state::{Byte, StackSlot, State};
use super::walk::{Check, Walk};

/// The frame's depth, the offset of the first byte, the bytes.
#[derive(Clone, Copy)]
pub struct Home {
    /// The frame's depth.
    pub depth: u32,
    /// Offset of the first byte from the frame pointer.
    pub start: i32,
    /// Bytes, a multiple of 8.
    pub size: i32,
}

impl Home {
    /// Offsets of its stack slots.
    pub fn offsets(self) -> impl Iterator<Item = i32> {
        (self.start..self.start + self.size).step_by(8)
    }

    /// Does a byte of it belong to an object of this kind?
    pub fn holds(self, state: &State, byte: Byte) -> bool {
        let frame = &state.frames[self.depth as usize];
        self.offsets().any(|at| frame.slot(at).is_some_and(|stored| stored.bytes.contains(&byte)))
    }

    /// Nothing is there any more.
    pub fn clear(self, state: &mut State) {
        for offset in self.offsets() {
            *state.frames[self.depth as usize].slot_mut(offset) = StackSlot::default();
        }
    }
}

impl Walk<'_> {
    /// The place that argument `number` points to, for an object of this size.
    pub(super) fn home(
        &mut self,
        state: &State,
        callee: &Callee<'_>,
        number: u8,
        size: u32,
        wanted: &'static str,
    ) -> Check<Home> {
        let reg = state.frame().regs[usize::from(number)];
        let wrong = || callee.wrong(number, wanted, &reg);
        let Reg::Pointer(p) = reg else { return Err(wrong()) };
        let PtrKind::Stack(depth) = p.kind else { return Err(wrong()) };
        if !p.is_fixed() || p.off % 8 != 0 {
            return Err(wrong());
        }
        let access = super::access::access(&p, reg_of(number), 0, size.next_multiple_of(8), true);
        let (start, end) = stack::bounds(&access)?;
        self.touch_stack(state, depth, start);
        Ok(Home { depth, start, size: end - start })
    }

    /// The running path reads what is there.
    pub(super) fn read_home(&mut self, home: Home) {
        self.read_stack(home.depth, home.start, home.start + home.size);
        self.log_stack(home.start, home.start + home.size);
    }

    /// The running path overwrites all of it.
    pub(super) fn wrote_home(&mut self, home: Home) {
        home.offsets().for_each(|offset| self.wrote_slot(home.depth, offset));
        self.log_stack(home.start, home.start + home.size);
    }
}
