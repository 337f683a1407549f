//! clang's command line: what it says, and the answers that build systems expect.
//!
//! [`response`] reads `@file`, [`args`] makes an [`args::Invocation`] of the words by the table in
//! [`flags`], [`info`] answers `--version`, `--help`, `-v`, [`remarks`] says what was done and how long it
//! took, and [`deps`] writes rules for make. `cmd/cc.rs` puts them to work.

pub mod args;
pub mod deps;
pub mod flags;
pub mod info;
pub mod remarks;
pub mod response;
