//! `skep test`: programs run on given inputs, and what came out compared with what should.
//!
//! - [`file`]: the cases as they are written, in TOML beside the source.
//! - [`data`]: what a case says of keys, values and fields, as bytes.
//! - [`packet`]: packets by their headers.
//! - [`case`]: runs a case; [`expect`]: compares.
//! - [`report`]: the results as text, JUnit and JSON.

pub mod case;
mod data;
mod expect;
pub mod file;
mod packet;
pub mod report;
