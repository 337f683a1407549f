//! AST to BPF ELF object: sema, SSA IR, optimiser, code generator, BTF.

pub mod hir;
pub mod ir;
pub mod types;
