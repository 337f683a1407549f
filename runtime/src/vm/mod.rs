//! Running programs: memory, engines, and the data that goes in and out.
//!
//! - [`engine`]: what any engine offers.
//! - [`interp`]: the plain interpreter, which checks everything; [`alu`]: its arithmetic.
//! - [`threaded`]: the fast one, for what is simple.
//! - `jit`: programs as machine code of the host.
//! - [`memory`]: the arena; [`env`]: memory, maps, host, output; [`hook`]: what single types have.
//! - [`outcome`]: inputs, outcomes, faults; [`recording`]: what registers held.

pub mod alu;
mod engine;
mod env;
pub(crate) mod hook;
mod interp;
#[cfg(all(
    feature = "jit",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_endian = "little"
))]
mod jit;
#[cfg(not(all(
    feature = "jit",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_endian = "little"
)))]
#[path = "no_jit.rs"]
mod jit;
mod machine;
mod map_struct;
mod memory;
mod outcome;
mod recording;
mod threaded;

pub use engine::{Engine, RunError};
pub use env::{
    Env, Output, Packet, Pointer, RedirectActions, func_address, func_of_address, map_address, map_of_address,
};
pub use interp::{Decoded, Interp, Profile};
pub(crate) use machine::CONTEXT_SIZE;
pub use machine::Vm;
pub use memory::{Foreign, Layout, Memory, OutOfMemory};
pub use outcome::{
    Event, Fault, FaultKind, ForeignBytes, Input, MapContents, MapPreset, Outcome, Redirect, Space, Value,
};
pub use recording::{Moment, Recording};
