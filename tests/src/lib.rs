//! What the test suites share: finding tools and corpora, and the cases in files.

pub mod case;
pub mod generate;
pub mod tools;

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}
