//! What the benchmarks share: the binary they measure, and their output.

use std::path::{Path, PathBuf};

/// The binary to ship (`cargo static`) if it was built, else the one that `cargo build --release` made.
/// Says which.
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    let release = own.parent().and_then(Path::parent).expect("a target directory");
    let target = release.parent().expect("a target directory");
    let shipped = format!("{}-unknown-linux-gnu/release/skep", std::env::consts::ARCH);
    let found = [target.join(shipped), release.join("skep")].into_iter().find(|binary| binary.exists());
    let binary = found.expect("build it first: `cargo static` or `cargo build --release`");
    report(&format!("measuring {}", binary.strip_prefix(target).unwrap_or(&binary).display()));
    binary
}

/// Prints a line of results.
#[allow(clippy::print_stdout)]
pub fn report(line: &str) {
    println!("{line}");
}
