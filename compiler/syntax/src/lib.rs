//! C text to AST: source map, preprocessor, LALRPOP grammar, diagnostics.
