//! The `skep` command: everything is in the library, so that tests can call it.

use std::process::ExitCode;

fn main() -> ExitCode {
    skep_driver::main_on_terminal()
}
