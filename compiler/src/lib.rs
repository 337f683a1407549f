//! AST to BPF ELF object: sema, SSA IR, optimiser, code generator, BTF.

pub mod btf;
pub mod codegen;
pub mod hir;
pub mod ir;
pub mod lower;
pub mod object;
pub mod opt;
pub mod sections;
pub mod sema;
pub mod types;
