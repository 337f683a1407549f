//! Which engine runs programs: an option of every command that does.

use skep_runtime::host::Deterministic;
use skep_runtime::{LoadError, Verified, Vm};

/// `--engine`
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum EngineName {
    /// The interpreter
    Interp,
    /// Machine code for this processor
    Jit,
}

impl EngineName {
    /// A machine of this engine.
    pub fn machine(self, verified: Verified, host: Box<Deterministic>) -> Result<Vm, LoadError> {
        match self {
            EngineName::Interp => Vm::new(verified, host),
            EngineName::Jit => Vm::compiled(verified, host),
        }
    }
}
