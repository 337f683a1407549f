//! In place of `jit` where there is no compiler: no machine code can be made, so none is ever run.

use super::{Env, Fault, Input};
use crate::helpers::HelperTable;
use crate::object::{LoadError, Place};
use crate::verify::Verified;

/// Compiled programs: there are none.
pub enum Jit {}

impl Jit {
    /// Is there a compiler for this machine?
    pub const IS_HERE: bool = false;

    /// Says that there is no compiler.
    pub fn compile(
        _verified: &Verified,
        _helpers: &HelperTable,
        _env: &Env,
        _seed: Option<u64>,
    ) -> Result<Jit, LoadError> {
        Err(LoadError::unsupported(Place::File(0), "compiling programs for this machine"))
    }

    /// Never called.
    pub fn run(
        &mut self,
        _env: &mut Env,
        _helpers: &HelperTable,
        _program: usize,
        _args: [u64; 5],
        _input: &Input,
    ) -> Result<u64, Fault> {
        match *self {}
    }

    /// Never called.
    pub fn run_timers(&mut self, _env: &mut Env, _helpers: &HelperTable, _budget: u64) -> Result<(), Fault> {
        match *self {}
    }

    /// Never called.
    pub fn is_blinded(&self) -> bool {
        match *self {}
    }
}
