//! Why an object cannot be loaded: data, with the place in the file.
//!
//! Every reader of untrusted bytes in this crate returns a [`LoadError`]; none panics. The message
//! starts lower-case, names things in backquotes and ends without a dot; `Display` puts the place
//! in front.

use alloc::string::String;
use core::fmt;

/// The kind of failure, for callers that act on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadErrorKind {
    /// The bytes do not follow the format.
    Malformed,
    /// Well-formed, but this loader does not do it; the message names it.
    Unsupported,
    /// Refers to something that is not there (a symbol, a type, a configuration value).
    Unresolved,
    /// Larger than this loader accepts.
    Limit,
}

/// Where in the input the failure is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A byte offset from the start of the file.
    File(u64),
    /// A byte offset into a section.
    Section {
        /// Its name.
        name: String,
        /// Bytes from its start.
        offset: u64,
    },
    /// An instruction of a program.
    Insn {
        /// The program or subprogram.
        function: String,
        /// 8-byte slots from the start of the function.
        slot: u32,
    },
    /// A map, by name.
    Map(String),
    /// An extern variable or function, by name.
    Extern(String),
}

/// Why an object cannot be loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadError {
    /// The kind of failure.
    pub kind: LoadErrorKind,
    /// Where it is.
    pub place: Place,
    /// What is wrong, without the place.
    pub message: String,
}

impl LoadError {
    /// The bytes at `place` do not follow the format.
    pub fn malformed(place: Place, message: impl Into<String>) -> LoadError {
        LoadError { kind: LoadErrorKind::Malformed, place, message: message.into() }
    }

    /// What is at `place` is not supported.
    pub fn unsupported(place: Place, message: impl Into<String>) -> LoadError {
        LoadError { kind: LoadErrorKind::Unsupported, place, message: message.into() }
    }

    /// `place` refers to something that is not there.
    pub fn unresolved(place: Place, message: impl Into<String>) -> LoadError {
        LoadError { kind: LoadErrorKind::Unresolved, place, message: message.into() }
    }

    /// What is at `place` is too large.
    pub fn limit(place: Place, message: impl Into<String>) -> LoadError {
        LoadError { kind: LoadErrorKind::Limit, place, message: message.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(offset) => write!(f, "offset {offset:#x}"),
            Place::Section { name, offset } => write!(f, "section `{name}`+{offset:#x}"),
            Place::Insn { function, slot } => write!(f, "function `{function}` insn {slot}"),
            Place::Map(name) => write!(f, "map `{name}`"),
            Place::Extern(name) => write!(f, "extern `{name}`"),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl core::error::Error for LoadError {}
