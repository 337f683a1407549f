//! AArch64: the assembler, which any machine can test, and the templates.

pub mod asm;
pub mod encode;
#[cfg(target_arch = "aarch64")]
mod templates;

#[cfg(target_arch = "aarch64")]
pub use templates::*;

#[cfg(test)]
mod tests;
