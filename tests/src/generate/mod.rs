//! Generators of test inputs: the same seed gives the same input, everywhere.

pub mod bytecode;
pub mod program;

pub use skep_test_tools::random::Random;
