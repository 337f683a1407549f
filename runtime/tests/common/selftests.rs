//! The kernel's selftests, as clang compiles them.
#![allow(clippy::print_stderr)]

use std::path::Path;
use std::process::Command;

use super::tools::{self, corpora::Corpus};

/// In the flags with which a selftest wants to be loaded: every access must be aligned
/// (`BPF_F_STRICT_ALIGNMENT`).
pub const STRICT_ALIGNMENT: u64 = 1 << 0;
/// A state is kept wherever one may be (`BPF_F_TEST_STATE_FREQ`).
pub const TEST_STATE_FREQ: u64 = 1 << 3;

/// The names of the programs' files, in order.
pub fn names(corpus: &Corpus) -> Vec<String> {
    let stem = |file: &std::path::PathBuf| Some(file.file_stem()?.to_str()?.to_owned());
    corpus.files.iter().filter_map(stem).collect()
}

/// The object of a selftest, compiled as the kernel's build does; none if it does not compile.
pub fn compile(corpus: &Corpus, name: &str) -> Option<Vec<u8>> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("selftests");
    std::fs::create_dir_all(&directory).unwrap();
    let output = directory.join(format!("{name}.o"));
    if !output.exists() {
        let file = corpus.files.iter().find(|file| file.file_stem().is_some_and(|stem| stem == name))?;
        let mut command = Command::new(tools::CLANG);
        command.args(["-g", "-O2", "-target", "bpf", "-mcpu=v3", "-w", "-c"]).args(corpus.flags());
        command.arg(file).arg("-o").arg(&output);
        let result = command.output().unwrap();
        if !result.status.success() {
            eprintln!(
                "{name}: {}",
                String::from_utf8_lossy(&result.stderr).lines().next().unwrap_or_default()
            );
            return None;
        }
    }
    std::fs::read(output).ok()
}
