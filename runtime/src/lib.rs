//! Loads, verifies and runs BPF objects: maps, helpers, BTF, verifier, interpreter.
//!
//! Four types, one arrow each; a later one cannot be had without the earlier:
//!
//! | type | what is known | made by |
//! |---|---|---|
//! | [`Object`] | the bytes are an ELF file of BPF programs; nothing in it is trusted | [`Object::parse`] |
//! | [`Image`] | programs linked with their subprograms, maps laid out, externs and CO-RE resolved | [`Object::link`] |
//! | [`Verified`] | every path of every program is safe | `verify` |
//! | [`Vm`] | maps created, memory laid out, programs ready to run | [`Vm::new`] |
//!
//! The library does no IO and reads no clock: what a program may see of the world comes through
//! [`host::Host`]. Only `kernel` (Linux, feature `kernel`) talks to the operating system.
//!
//! ```no_run
//! use skep_runtime::host::Deterministic;
//! use skep_runtime::object::LinkOptions;
//! use skep_runtime::{Engine, Input, Object, Vm, verify};
//!
//! let bytes = std::fs::read("drop_icmp.bpf.o")?;
//! let image = Object::parse(&bytes)?.link(&LinkOptions::default())?;
//! let verified = verify::verify(image, &verify::Options::default()).expect("a safe program");
//! let mut vm = Vm::new(verified, Box::new(Deterministic::default()))?;
//! let outcome = vm.run(0, &Input { data: vec![0; 64], ..Input::default() })?;
//! println!("returned {:?} after {} instructions", outcome.result, outcome.insns);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod helpers;
pub mod host;
#[cfg(all(feature = "kernel", target_os = "linux"))]
pub mod kernel;
pub mod maps;
pub mod object;
pub mod pcap;
pub mod programs;
pub mod verify;
pub mod vm;

pub use object::{Image, LoadError, Object};
pub use verify::Verified;
pub use vm::{Engine, Input, Outcome, Vm};
