//! What can run a verified image: the interpreter, later compiled code, and the kernel.
//!
//! All engines take the same [`Input`] and give the same [`Outcome`], so that two of them make a
//! differential test.

use alloc::string::String;

use super::{Input, Outcome};

/// Runs programs of one loaded image. Maps keep their contents from run to run.
pub trait Engine {
    /// Its name in test reports.
    fn name(&self) -> &'static str;

    /// Runs the program with this index in the image.
    fn run(&mut self, program: usize, input: &Input) -> Result<Outcome, RunError>;
}

/// Why a program could not be started: the input does not fit it, or the engine cannot.
/// What happens *in* the program is part of the [`Outcome`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunError {
    /// What is wrong.
    pub message: String,
}

impl RunError {
    /// With this message.
    pub fn new(message: impl Into<String>) -> RunError {
        RunError { message: message.into() }
    }
}

impl core::fmt::Display for RunError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for RunError {}
