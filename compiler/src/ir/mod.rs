//! The SSA intermediate representation.
//!
//! A [`Module`] is self-contained: symbols with the facts that optimisation needs, CO-RE
//! relocations, source locations, and one [`Function`] for each definition. It prints as text and
//! the text parses back, so every pass can be tested alone.
//!
//! # Semantics
//! - Functions are lists of blocks; blocks have parameters instead of phi nodes; the last
//!   instruction of a block, and only that one, is a terminator. The first block is the entry and
//!   its parameters are the function's.
//! - Values are typed: `i1` (conditions only), `i8` and `i16` (memory, conversions), `i32`, `i64`
//!   (arithmetic too), `ptr` (64 bits; integers become pointers and back only by conversion).
//! - Every operation except memory access is total, with the results of the BPF instruction set:
//!   `x / 0 = 0`, `x % 0 = x`, shift counts are taken modulo the width, overflow wraps. So pure
//!   operations may move and be executed speculatively.
//! - Parameters and results of functions are `i32`, `i64` or `ptr`; narrower C types are extended
//!   by whoever passes them, and whoever receives them does not rely on it.
//! - A stack slot's content is indeterminate until stored to.
//! - [`InstData::Core`] is a number that the loader fills in. It is pure and may be moved or merged
//!   with an identical one, but never folded, because its value on another kernel differs.
//! - Volatile accesses and effects keep their order and their number.

mod asm;
pub(crate) mod dominators;
mod entities;
pub mod flow;
mod function;
mod inst;
mod insts;
pub mod interp;
mod limit;
mod module;
mod parse;
mod print;
mod remark;
mod scan;
pub mod verify;

pub use asm::{Asm, AsmOperand};
pub use entities::{Arena, Block, CoreId, Entity, Inst, Slot, SrcLoc, SymbolId, Value};
pub use function::{BlockData, Function, Preds, Signature, SlotData, Unroll, ValueData, ValueDef};
pub use inst::{
    AtomicOp, BinaryOp, BlockCall, Callee, Compare, ConvertOp, InstData, Intrinsic, MemFlags, SwitchCase,
    Targets, Type, UnaryOp,
};
pub use insts::Insts;
pub use limit::Limit;
pub use module::{Core, DataPlace, DataSymbol, FuncSymbol, LocData, Module, Symbol, SymbolKind};
pub use parse::{ParseError, parse};
pub use print::{print_function, print_module};
pub use remark::Remark;
