//! Where the corpora of the tests are, and how they are compiled.
//!
//! The corpora lie outside the repository: `skep_test_tools` finds them. `SKEP_FULL=1` takes all
//! selftests instead of a sample.
#![allow(dead_code, unused_imports)]

use skep_syntax::pp::{Files, MacroOption, Options, ReadError, Text};
pub use skep_test_tools::{self as tools, CLANG, Need, have};
use std::path::Path;

/// The disk.
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Text, ReadError> {
        match std::fs::read(path) {
            Ok(text) => Ok(text.into()),
            Err(_) => Err(ReadError::NotFound),
        }
    }

    fn identity(&self, path: &str) -> String {
        std::fs::canonicalize(path).map_or_else(|_| path.to_string(), |p| p.display().to_string())
    }
}

/// Whether clang is installed; says so if not.
pub fn have_clang() -> bool {
    have(&[Need::Clang])
}

/// Clang's own headers.
pub fn resource_dir() -> String {
    tools::clang_headers().expect("clang runs").display().to_string()
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
    if !have(&[Need::Seeds, Need::Vmlinux, Need::Clang]) {
        return None;
    }
    let (seeds, vmlinux) = (tools::seeds()?, tools::vmlinux()?);
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
    if !have(&[Need::KernelTree, Need::Vmlinux, Need::Clang]) {
        return None;
    }
    let (tree, vmlinux) = (tools::kernel_tree()?, tools::vmlinux()?);
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
    let full = tools::full();
    Some((options, all.into_iter().step_by(if full { 1 } else { 20 }).collect()))
}
