//! Compiled programs: an image's instructions as machine code of the host.
//!
//! In: a [`Verified`](crate::Verified) image and what a VM has made of it: maps, stack, helpers.
//! Out: a [`Jit`], which runs its programs on the VM's [`Env`](crate::vm::Env). What was proven is
//! translated to plain loads and stores; what was not, with a comparison in front of each and
//! under a budget, so that no program whatsoever reaches memory of the host.
//!
//! - [`asm`], [`form`]: machine instructions and jumps. - [`flow`]: functions, jump targets.
//! - [`x86_64`]: the templates. - [`exec`]: memory for code, the way in and out; all unsafe code.
//!
//! Code and state are of one VM: addresses of maps and of the stack are constants in the code. The
//! arena may move, as it grows: code reads its place after each call of the host.

mod asm;
mod exec;
mod flow;
mod form;
mod x86_64;

use alloc::vec::Vec;

use skep_stdlib::isa::Size;

pub use exec::Jit;
use x86_64::Features;

use super::{FaultKind, alu};
use crate::helpers::{HelperFn, HelperTable};
use crate::maps::MapSet;
use crate::object::Image;
use crate::verify::Facts;

use super::interp::MAY_GOTO_LIMIT;

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
    /// What the processor can do.
    pub features: Features,
    /// Where to take masks for constants from, if they must not be in the code.
    pub seed: Option<u64>,
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
