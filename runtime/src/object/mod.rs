//! From bytes to an [`Image`]: ELF, maps, externs, linking, CO-RE.
//!
//! - [`elf`]: bytes to sections, symbols, relocations.
//! - [`maps`]: the maps that sections and BTF declare. - [`externs`]: what the kernel provides.
//! - [`functions`]: code with references resolved. - [`core`]: CO-RE relocations.
//! - [`link`]: the order of these steps; programs with their subprograms.
//! - [`outline`]: what the object offers to its loader, before any of this.
//! - [`image`]: the linked form. - [`bare`]: that of instructions without an object. - [`error`]: why an object cannot be loaded.

mod bare;
mod btf_fix;
mod core;
mod elf;
mod error;
mod externs;
mod functions;
mod image;
mod link;
mod maps;
mod outline;

pub use elf::Object;
pub use error::{LoadError, LoadErrorKind, Place};
pub use image::{
    CORE_POISON, Code, Function, Image, KFUNC_POISON, Line, MapDef, MapRole, Member, Program, Slot,
};
pub use link::LinkOptions;
pub use outline::{Entry, Outline, OutlineMap, Variable};
