//! The skep command.

pub mod cc_args;
pub mod error;
