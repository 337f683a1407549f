//! What the registers held at each instruction of a run.
//!
//! The plain interpreter writes it down for those who compare a run with what was foreseen of it, as
//! [`crate::verify::replay`] does.

use alloc::vec::Vec;

/// The moment before one instruction was executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// The program: another one after a tail call.
    pub program: usize,
    /// The instruction.
    pub slot: u32,
    /// Frames in use, 1 in the program's own function.
    pub depth: u32,
    /// The registers by number.
    pub regs: [u64; 11],
}

/// The moments of a run, in order: those of functions that helpers call stand between the call and what
/// comes after it.
pub type Recording = Vec<Moment>;
