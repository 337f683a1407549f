//! What the compiler, the runtime and the BPF program agree on: headers and platform tables.
#![no_std]

extern crate alloc;

pub mod isa;
