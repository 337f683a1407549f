//! AST to BPF ELF object: sema, SSA IR, optimiser, code generator, BTF.
