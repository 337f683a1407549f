//! Loads, verifies and runs BPF objects: maps, helpers, BTF, verifier, interpreter.
