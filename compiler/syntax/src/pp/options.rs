//! What the preprocessor is told from outside: options, and how it reaches files.
//!
//! Invariant: nothing here does IO; [`Files`] is the only door.

use std::collections::BTreeMap;

use crate::source::Text;

/// Why a file could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// There is no such file (or it is a directory): the search goes on.
    NotFound,
    /// It is there but cannot be read; the reason.
    Failed(String),
}

/// Where `#include` finds files: a disk, a memory, the embedded headers, or several in turn.
pub trait Files {
    /// The bytes of the file at `path` (a search directory, `/`, and the name as written).
    fn read(&self, path: &str) -> Result<Text, ReadError>;

    /// A name equal for all paths of one file; `#pragma once` goes by it.
    fn identity(&self, path: &str) -> String {
        normalize(path)
    }
}

/// Files held in memory.
#[derive(Clone, Default, Debug)]
pub struct MemoryFiles {
    files: BTreeMap<String, Text>,
}

impl MemoryFiles {
    /// No files.
    pub fn new() -> MemoryFiles {
        MemoryFiles::default()
    }

    /// Adds or replaces a file.
    pub fn add(&mut self, path: &str, text: impl AsRef<[u8]>) {
        self.files.insert(normalize(path), text.as_ref().to_vec().into());
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &str) -> Result<Text, ReadError> {
        self.files.get(&normalize(path)).cloned().ok_or(ReadError::NotFound)
    }
}

/// The path without `.`, `..` and doubled slashes, by text alone.
pub fn normalize(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            ".." if path.starts_with('/') && parts.is_empty() => {}
            other => parts.push(other),
        }
    }
    let joined = parts.join("/");
    if path.starts_with('/') { format!("/{joined}") } else { joined }
}

/// Version of the language.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Std {
    /// C89/C90
    C89,
    /// C99
    C99,
    /// C11
    C11,
    /// C17, the default
    #[default]
    C17,
    /// C23
    C23,
}

/// The instruction set version (`-mcpu`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Cpu {
    /// The base instruction set.
    V1,
    /// More jumps.
    V2,
    /// 32-bit arithmetic and jumps; the default.
    #[default]
    V3,
    /// Signed division, sign extension, long jumps, byte swaps.
    V4,
}

/// How much to optimise, as far as macros tell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum OptLevel {
    /// `-O0`
    None,
    /// `-O1` and up
    #[default]
    Speed,
    /// `-Os`, `-Oz`
    Size,
}

/// `-D`, `-U` in the order given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MacroOption {
    /// `NAME`, `NAME=body` or `NAME(args)=body`
    Define(String),
    /// `NAME`
    Undef(String),
}

/// Everything the command line can say about preprocessing.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-iquote`
    pub quote_dirs: Vec<String>,
    /// `-I`
    pub include_dirs: Vec<String>,
    /// `-isystem`, then the standard directories.
    pub system_dirs: Vec<String>,
    /// `-idirafter`
    pub after_dirs: Vec<String>,
    /// `-D` and `-U`
    pub macros: Vec<MacroOption>,
    /// `-imacros`: files read for their macros alone.
    pub macro_files: Vec<String>,
    /// `-include`
    pub includes: Vec<String>,
    /// `-fmacro-prefix-map=OLD=NEW`: how the names of files start in `__FILE__`, later ones first.
    pub prefix_maps: Vec<(String, String)>,
    /// `-MG`: a header that is missing will be made; it is a dependency and has no text.
    pub missing_headers: bool,
    /// `-std=`
    pub std: Std,
    /// `-std=cNN` instead of `-std=gnuNN`
    pub strict: bool,
    /// `-mcpu=`
    pub cpu: Cpu,
    /// `-target bpfeb`, `-mbig-endian`
    pub big_endian: bool,
    /// `-O`
    pub opt: OptLevel,
    /// `-fno-inline`
    pub no_inline: bool,
    /// `-ffreestanding`
    pub freestanding: bool,
    /// `-fcf-protection`: what is protected, as `__CET__` says it.
    pub protection: u8,
    /// `-g`
    pub debug_info: bool,
    /// `-undef`: no predefined macros (the built-in ones like `__LINE__` stay).
    pub undef: bool,
    /// `-fno-lazy-headers`: read headers whole, not only what the program needs of them.
    pub eager_headers: bool,
    /// Only the text is wanted (`-E`): stray bytes are passed on instead of reported.
    pub text_only: bool,
}

impl Options {
    /// The name of a file as programs shall see it.
    pub(super) fn mapped(&self, name: String) -> String {
        let map = |(old, new): &(String, String)| Some(format!("{new}{}", name.strip_prefix(old.as_str())?));
        self.prefix_maps.iter().rev().find_map(map).unwrap_or(name)
    }
}
