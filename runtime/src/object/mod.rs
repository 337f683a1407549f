//! From bytes to an [`Image`]: ELF, maps, linking, CO-RE.
//!
//! - [`error`]: why an object cannot be loaded.
//! - [`image`]: the linked form.

mod error;
mod image;

pub use error::{LoadError, LoadErrorKind, Place};
pub use image::{CORE_POISON, Code, Function, Image, Line, MapDef, MapRole, Program, Slot};

/// A parsed object file; nothing in it is trusted.
#[derive(Clone, Debug)]
pub struct Object {}
