//! The real components that tests compare with, and the corpora that are not in the repository.
//!
//! A test names what it needs. Missing, it is skipped by name, unless the environment variable
//! `REQUIRE` lists it (as CI does: `REQUIRE=clang,bpftool,kernel`): then it fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Something outside the repository that a test needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Need {
    /// `clang-19` with the BPF target.
    Clang,
    /// `bpftool`.
    Bpftool,
    /// `llvm-objdump-19`.
    Objdump,
    /// libbpf's headers in `/usr/include/bpf`.
    Libbpf,
    /// The right to load programs into the running kernel, and its BTF.
    Kernel,
    /// The seed programs: `SKEP_SEEDS`, or `../shared/seeds` beside the repository.
    Seeds,
    /// A kernel source tree with the BPF selftests: `SKEP_KERNEL_TREE`, or Debian's
    /// `linux-source-6.12` unpacked by CI.
    KernelTree,
}

impl Need {
    /// As in `REQUIRE` and in the headers of cases.
    pub const fn name(self) -> &'static str {
        match self {
            Need::Clang => "clang",
            Need::Bpftool => "bpftool",
            Need::Objdump => "objdump",
            Need::Libbpf => "libbpf",
            Need::Kernel => "kernel",
            Need::Seeds => "seeds",
            Need::KernelTree => "kernel-tree",
        }
    }

    /// All needs.
    pub const ALL: [Need; 7] = [
        Need::Clang,
        Need::Bpftool,
        Need::Objdump,
        Need::Libbpf,
        Need::Kernel,
        Need::Seeds,
        Need::KernelTree,
    ];

    /// Is it there?
    pub fn is_met(self) -> bool {
        match self {
            Need::Clang => runs("clang-19"),
            Need::Bpftool => runs(&bpftool()),
            Need::Objdump => runs("llvm-objdump-19"),
            Need::Libbpf => Path::new("/usr/include/bpf/bpf_helpers.h").exists(),
            Need::Kernel => is_root() && Path::new("/sys/kernel/btf/vmlinux").exists(),
            Need::Seeds => seeds().is_some(),
            Need::KernelTree => kernel_tree().is_some(),
        }
    }

    /// Must it be there?
    pub fn is_required(self) -> bool {
        let required = std::env::var("REQUIRE").unwrap_or_default();
        required.split(',').any(|name| name.trim() == self.name())
    }
}

/// `Ok` when all needs are met, else the first that is not. Panics when that one is required.
pub fn check(needs: &[Need]) -> Result<(), Need> {
    match needs.iter().copied().find(|need| !need.is_met()) {
        Some(need) if need.is_required() => panic!("`{}` is required but missing", need.name()),
        Some(need) => Err(need),
        None => Ok(()),
    }
}

/// Debian installs it outside the usual search path.
pub fn bpftool() -> String {
    let sbin = "/usr/sbin/bpftool";
    if Path::new(sbin).exists() { sbin.into() } else { "bpftool".into() }
}

/// The directory of the seed programs.
pub fn seeds() -> Option<PathBuf> {
    directory("SKEP_SEEDS", "../shared/seeds")
}

/// The root of a kernel source tree.
pub fn kernel_tree() -> Option<PathBuf> {
    directory("SKEP_KERNEL_TREE", "target/linux-source-6.12")
}

fn directory(variable: &str, default: &str) -> Option<PathBuf> {
    let path = match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => crate::root().join(default),
    };
    path.is_dir().then_some(path)
}

fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    // Without a libc dependency: the effective user id is the second number of this line.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    line.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
}
