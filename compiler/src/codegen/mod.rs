//! IR to instructions.

pub mod code;
