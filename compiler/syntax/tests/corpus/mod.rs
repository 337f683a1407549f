//! Where the corpora of the tests are, and how they are compiled.
//!
//! The corpora lie outside the repository: `SKEP_SEEDS`, `SKEP_KERNEL_TREE` (kernel sources, for the
//! BPF selftests) and `SKEP_VMLINUX` (a full vmlinux.h) say where; what is absent is skipped by name,
//! unless `REQUIRE` lists it. `SKEP_FULL=1` takes all selftests instead of a sample.

use skep_syntax::pp::{Files, MacroOption, Options, ReadError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// The clang that judges.
pub const CLANG: &str = "clang-19";

/// The disk.
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, ReadError> {
        match std::fs::read(path) {
            Ok(text) => Ok(text.into()),
            Err(_) => Err(ReadError::NotFound),
        }
    }

    fn identity(&self, path: &str) -> String {
        std::fs::canonicalize(path).map_or_else(|_| path.to_string(), |p| p.display().to_string())
    }
}

/// Says that a test is skipped for want of `what`; fails if `REQUIRE` lists it.
#[allow(clippy::print_stderr)]
pub fn skip(what: &str) {
    let required = std::env::var("REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|r| r == what), "`{what}` is required but missing");
    eprintln!("skipped: no {what}");
}

/// Whether clang is installed; says so if not.
pub fn have_clang() -> bool {
    let found = Command::new(CLANG).arg("--version").output().is_ok_and(|o| o.status.success());
    if !found {
        skip("clang");
    }
    found
}

/// A place named by a variable, or its usual place beside the repository.
pub fn place(variable: &str, fallback: &str, what: &str) -> Option<PathBuf> {
    let path = match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(fallback),
    };
    if path.exists() {
        return Some(path);
    }
    skip(what);
    None
}

/// Clang's own headers.
pub fn resource_dir() -> String {
    let out = Command::new(CLANG).arg("-print-resource-dir").output().expect("clang runs");
    format!("{}/include", String::from_utf8_lossy(&out.stdout).trim())
}

/// The C files of a directory, sorted.
pub fn c_files(dir: &Path) -> Vec<String> {
    let mut list: Vec<String> = std::fs::read_dir(dir)
        .expect("a directory")
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "c"))
        .map(|p| p.display().to_string())
        .collect();
    list.sort();
    list
}

/// The seed programs and the options they are compiled with.
pub fn seeds() -> Option<(Options, Vec<String>)> {
    let seeds = place("SKEP_SEEDS", "../shared/seeds", "seeds")?;
    let vmlinux = place("SKEP_VMLINUX", "../vmlinux.h", "vmlinux.h")?;
    let options = Options {
        include_dirs: vec![vmlinux.parent().expect("a file").display().to_string()],
        system_dirs: vec![resource_dir()],
        after_dirs: vec!["/usr/include".into(), format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH)],
        macros: vec![MacroOption::Define("__TARGET_ARCH_x86".into())],
        ..Options::default()
    };
    Some((options, c_files(&seeds).into_iter().filter(|f| !f.ends_with("bcc_execve.c")).collect()))
}

/// The kernel's BPF selftests (a sample, or all if `SKEP_FULL` is set) and their options.
pub fn selftests() -> Option<(Options, Vec<String>)> {
    let tree = place("SKEP_KERNEL_TREE", "../linux/linux-source-6.12", "kernel-tree")?;
    let vmlinux = place("SKEP_VMLINUX", "../vmlinux.h", "vmlinux.h")?;
    let at = |dir: &str| tree.join(dir).display().to_string();
    let selftests = at("tools/testing/selftests/bpf");
    // bpf_helper_defs.h is generated in the kernel tree; libbpf's packaged copy stands in for it.
    let options = Options {
        include_dirs: vec![
            vmlinux.parent().expect("a file").display().to_string(),
            selftests.clone(),
            at("tools/lib"),
            at("tools/include/uapi"),
            at("tools/testing/selftests"),
        ],
        system_dirs: vec![resource_dir()],
        after_dirs: vec![
            "/usr/include".into(),
            "/usr/include/bpf".into(),
            format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH),
        ],
        macros: vec![MacroOption::Define("__TARGET_ARCH_x86".into())],
        ..Options::default()
    };
    let all = c_files(&Path::new(&selftests).join("progs"));
    let full = std::env::var_os("SKEP_FULL").is_some();
    Some((options, all.into_iter().step_by(if full { 1 } else { 20 }).collect()))
}
