//! The `skep` command: everything is in the library, so that tests can call it.

use std::process::ExitCode;

/// A compiler makes and drops many small tables: an allocator that is quick at that saves a tenth of its time.
#[cfg(not(target_family = "wasm"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    skep_driver::main_on_terminal()
}
