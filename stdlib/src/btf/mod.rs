//! BTF, the type information of BPF objects and of the kernel.
//!
//! - [`Type`]: one type, what the reader gives and the writer takes.
//! - [`Btf`]: reads bytes; types are decoded when asked for, so the kernel's 5 MB cost little.
//! - [`Builder`]: writes bytes.
//! - [`dedup`]: makes equal types one.
//! - [`ext`]: `.BTF.ext`, what ties types, lines and CO-RE relocations to instructions.
//! - [`print_c`], [`print_raw`]: types as a C header, and as a listing.

pub mod dedup;
pub mod ext;
pub mod print_c;
pub mod print_raw;
mod read;
mod types;
mod write;

pub use read::{Btf, BtfError, BtfErrorKind, essential_name};
pub use types::*;
pub use write::Builder;

/// First two bytes of `.BTF` and `.BTF.ext`, in the order of the object.
pub const MAGIC: u16 = 0xeb9f;
/// The only version.
pub const VERSION: u8 = 1;
/// Length of the header of `.BTF`.
pub const HEADER_LEN: u32 = 24;
/// The highest type id that the kernel takes.
pub const MAX_TYPES: usize = 0x000f_ffff;

#[cfg(test)]
mod tests;
