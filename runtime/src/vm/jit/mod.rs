//! Compiled programs: an image's instructions as machine code of the host.
//!
//! In: a [`Verified`](crate::Verified) image and what a VM has made of it: maps, stack, helpers.
//! Out: a [`Jit`], which runs its programs on the VM's [`Env`](crate::vm::Env). What was proven is
//! translated to plain loads and stores; what was not, with a comparison in front of each and
//! under a budget, so that no program whatsoever reaches memory of the host.
//!
//! - [`translate`]: the translation, as far as it is the same everywhere; [`flow`]: functions, jump
//!   targets; [`known`]: what is known of registers; [`lookup`]: look-ups in maps; [`labels`], [`masks`]: what all code needs.
//! - [`x86_64`], [`aarch64`]: the templates and the assembler of a machine.
//! - [`exec`]: memory for code, the way in and out; all unsafe code.
//!
//! Code and state are of one VM: addresses of maps and of the stack are constants in the code. The
//! arena may move, as it grows: code reads its place after each call of the host.

#[cfg(any(target_arch = "aarch64", test))]
#[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))]
mod aarch64;
mod exec;
mod flow;
mod known;
mod labels;
mod lookup;
mod masks;
mod translate;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as arch;
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

use alloc::vec::Vec;

use skep_stdlib::isa::Size;

use arch::Features;
pub use exec::Jit;

use super::{Env, FaultKind, alu};
use crate::helpers::{HelperFn, HelperTable};
use crate::maps::MapSet;
use crate::object::{Image, LoadError, Place};
use crate::verify::{Facts, Verified};

/// What a translation needs.
pub struct Source<'a> {
    /// The programs.
    pub image: &'a Image,
    /// What was proven, by program; none if nothing was.
    pub facts: Option<&'a [Facts]>,
    /// Code of helpers.
    pub helpers: &'a HelperTable,
    /// The maps that were made.
    pub maps: &'a MapSet,
    /// Address of the first stack frame.
    pub stack: u64,
    /// How many frames there are.
    pub frames: u32,
    /// Are there accesses to memory that may be absent, which then do nothing?
    pub soft_faults: bool,
    /// What the processor can do.
    pub features: Features,
    /// Where to take masks for constants from, if they must not be in the code.
    pub seed: Option<u64>,
}

impl Jit {
    /// Is there a compiler for this machine?
    pub const IS_HERE: bool = true;

    /// Translates all programs of an image that a VM has been made for.
    pub fn compile(
        verified: &Verified,
        helpers: &HelperTable,
        env: &Env,
        seed: Option<u64>,
    ) -> Result<Jit, LoadError> {
        let source = Source {
            image: verified.image(),
            facts: verified.facts(),
            helpers,
            maps: &env.maps,
            stack: env.stack,
            frames: env.frames,
            soft_faults: env.soft_faults,
            features: Features::here(),
            seed,
        };
        let no_memory = || LoadError::limit(Place::File(0), "out of memory");
        Jit::new(&source).ok_or_else(no_memory)
    }
}

/// A place in the code that needs the host.
struct Site {
    /// The instruction.
    slot: u32,
    /// Its program.
    program: usize,
    what: What,
}

/// What the host does at a site.
enum What {
    /// Calls this helper or kernel function.
    Helper(HelperFn),
    /// Looks an element of this map up.
    Lookup(u32),
    /// Calls the helper whose number a register held.
    ByNumber,
    /// Stops the program.
    Fault(FaultKind),
    /// Finds what is called through a register.
    Resolve,
    /// Loads what is not in the arena.
    Load {
        /// Bytes.
        size: Size,
        /// To be sign-extended.
        signed: bool,
    },
    /// Stores to what is not in the arena.
    Store {
        /// Bytes.
        size: Size,
    },
    /// Says why an atomic access is not possible.
    Atomic {
        /// Bytes.
        size: Size,
        /// Not only a load.
        write: bool,
    },
    /// Finds out whether the memory of an atomic access is there.
    Presence {
        /// Bytes.
        size: Size,
    },
    /// Loads from the packet, in network order.
    LoadPacket {
        /// Bytes.
        size: Size,
    },
    /// Address of a kernel variable.
    Symbol(i32),
}

/// First slots of functions with their places in the code, by program.
type Entries = Vec<Vec<(u32, u32)>>;

/// The place of the function that begins at `slot`.
fn entry(entries: &Entries, program: usize, slot: u32) -> Option<u32> {
    let functions = entries.get(program)?;
    let at = functions.binary_search_by_key(&slot, |&(start, _)| start).ok()?;
    functions.get(at).map(|&(_, place)| place)
}

/// `value` as a load of this size gives it.
fn extend(size: Size, signed: bool, value: u64) -> u64 {
    match signed {
        true => alu::sign_extend(skep_stdlib::isa::Width::W64, size.bytes() as u8 * 8, value),
        false => value,
    }
}
