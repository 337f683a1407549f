//! The instruction set: the opcode table, and what derives from it.
//!
//! - [`insn`]: one decoded instruction.

mod insn;

pub use insn::*;
