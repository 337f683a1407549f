//! What the compiler, the runtime and the BPF program agree on: headers and platform tables.
//!
//! - [`btf`]: type information, read, written and printed.
//! - [`isa`]: the instruction set, its encodings and its text.
//! - [`helpers`], [`kfuncs`], [`maps`], [`programs`]: what programs may call, keep data in, be.
//! - [`elf`]: numbers and names of object files.
//! - `headers`: the C headers of `include/`, embedded (feature `headers`).
//! - [`contexts`]: the fields of the arguments of programs.
//! - [`tracing`]: the arguments of traced functions.
//! - [`features`]: which kernel can do what.
//! - [`capabilities`]: which user may do what.
//!
//! Facts are rows of tables; nothing here reads files, clocks or the environment.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

pub mod btf;
mod bytes;
pub mod capabilities;
pub mod contexts;
pub mod elf;
pub mod features;
#[cfg(feature = "headers")]
pub mod headers;
pub mod helpers;
pub mod isa;
pub mod kfuncs;
pub mod maps;
pub mod programs;
pub mod tracing;

pub use bytes::ByteOrder;
