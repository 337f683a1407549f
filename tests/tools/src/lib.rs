//! The real components that tests compare with, and the corpora that are not in the repository.
//!
//! A test names what it needs. Missing, it is skipped by name, unless the environment variable
//! `REQUIRE` lists it (as CI does: `REQUIRE=clang,bpftool,kernel`): then it fails.
//!
//! This is a crate of its own, without dependencies, so that the tests of `syntax` and `runtime` can
//! share it as a dev-dependency without building the other side of the toolchain.

pub mod corpora;
pub mod cpio;
pub mod loader;
pub mod mutate;
pub mod random;
pub mod vm;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// The clang that judges.
pub const CLANG: &str = "clang-19";

/// The disassembler that judges.
pub const OBJDUMP: &str = "llvm-objdump-19";

/// The assembler that judges encodings of other machines.
pub const LLVM_MC: &str = "llvm-mc-19";

/// The reader of ELF files that judges.
pub const READELF: &str = "llvm-readelf-19";

/// Prints the types of BTF as C.
pub const PAHOLE: &str = "pahole";

/// Knows clang's warnings; Debian installs it with clang but not into the search path.
pub const DIAGTOOL: &str = "/usr/lib/llvm-19/bin/diagtool";

macro_rules! needs {
    ($($(#[$doc:meta])* $variant:ident $name:literal $is_met:expr;)*) => {
        /// Something outside the repository that a test needs.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Need { $($(#[$doc])* $variant,)* }

        impl Need {
            /// All needs.
            pub const ALL: &[Need] = &[$(Need::$variant),*];

            /// As in `REQUIRE` and in the headers of cases.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Need::$variant => $name,)*
                }
            }

            fn look(self) -> bool {
                match self {
                    $(Need::$variant => $is_met,)*
                }
            }
        }
    };
}

needs! {
    /// `clang-19` with the BPF target.
    Clang "clang" runs(CLANG);
    /// `bpftool`.
    Bpftool "bpftool" runs(&bpftool());
    /// `llvm-objdump-19`.
    Objdump "objdump" runs(OBJDUMP);
    /// `llvm-mc-19`.
    LlvmMc "llvm-mc" runs(LLVM_MC);
    /// `diagtool` of clang-19, which lists its warnings.
    Diagtool "diagtool" Path::new(DIAGTOOL).exists();
    /// `make`.
    Make "make" runs("make");
    /// `ninja`.
    Ninja "ninja" runs("ninja");
    /// A kernel source tree with the Makefiles of its tools, and Python, which they call.
    KernelMake "kernel-make" runs("python3")
        && kernel_tree().is_some_and(|tree| tree.join("tools/scripts/Makefile.include").exists());
    /// `gzip`.
    Gzip "gzip" runs("gzip");
    /// libbpf's headers in `/usr/include/bpf`.
    Libbpf "libbpf" Path::new("/usr/include/bpf/bpf_helpers.h").exists();
    /// `gnu/stubs-32.h` of the C library, which its headers include where no machine of 64 bits is named, as for
    /// BPF: without it clang compiles three of four programs of a kernel tree.
    Stubs "stubs" cfg!(not(target_arch = "x86_64"))
        || Path::new("/usr/include/x86_64-linux-gnu/gnu/stubs-32.h").exists();
    /// A C compiler for this machine, and the libraries that libbpf is made of.
    Libelf "libelf" runs("cc") && Path::new("/usr/include/libelf.h").exists();
    /// The right to load programs into the running kernel, and its BTF; an emulator passes on no such call.
    Kernel "kernel" is_root() && Path::new(KERNEL_BTF).exists() && !is_emulated();
    /// The running kernel's types as C: `SKEP_VMLINUX`, or what bpftool prints.
    Vmlinux "vmlinux" vmlinux().is_some();
    /// The seed programs: `SKEP_SEEDS`, or `shared/seeds` near the repository.
    Seeds "seeds" seeds().is_some();
    /// A kernel source tree with the BPF selftests: `SKEP_KERNEL_TREE`, or Debian's
    /// `linux-source-6.12` unpacked by CI.
    KernelTree "kernel-tree" kernel_tree().is_some();
    /// QEMU, a busybox without libraries, and Debian's kernels of every version, in `SKEP_KERNELS`.
    Vm "vm" runs(vm::QEMU) && Path::new(vm::BUSYBOX).exists() && vm::KERNELS.iter().all(|version| vm::kernel(version).is_some());
    /// `pahole`, which reads BTF.
    Pahole "pahole" runs(PAHOLE);
    /// `llvm-readelf-19`.
    Readelf "readelf" runs(READELF);
    /// Recorded verdicts of a kernel and conformance cases: `SKEP_ORACLES`, or `shared/oracles`.
    Oracles "oracles" oracles().is_some();
    /// Larger programs with their input: `SKEP_WORKLOADS`, or `shared/workloads`.
    Workloads "workloads" workloads().is_some();
}

/// The running kernel's types.
pub const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

impl Need {
    /// Is it there? Looked up once.
    pub fn is_met(self) -> bool {
        static KNOWN: Mutex<BTreeMap<Need, bool>> = Mutex::new(BTreeMap::new());
        let known = KNOWN.lock().ok().and_then(|known| known.get(&self).copied());
        known.unwrap_or_else(|| {
            let met = self.look();
            if let Ok(mut known) = KNOWN.lock() {
                known.insert(self, met);
            }
            met
        })
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

/// Whether all needs are met; says so if not, for tests that then return.
#[allow(clippy::print_stderr)]
pub fn have(needs: &[Need]) -> bool {
    match check(needs) {
        Ok(()) => true,
        Err(missing) => {
            eprintln!("skipped: no {}", missing.name());
            false
        }
    }
}

/// Whether all of a corpus is asked for (`SKEP_FULL=1`), where tests otherwise take a share of it.
pub fn full() -> bool {
    std::env::var_os("SKEP_FULL").is_some()
}

/// Debian installs it outside the usual search path.
pub fn bpftool() -> String {
    let sbin = "/usr/sbin/bpftool";
    if Path::new(sbin).exists() { sbin.into() } else { "bpftool".into() }
}

/// clang's own headers.
pub fn clang_headers() -> Option<PathBuf> {
    let output = Command::new(CLANG).arg("-print-resource-dir").output().ok()?;
    let directory = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then(|| Path::new(&directory).join("include"))
}

/// The seed programs in libbpf's dialect.
pub const SEEDS: [&str; 9] = [
    "drop_icmp",
    "drop_icmp_unchecked",
    "execve_count",
    "execve_perf",
    "hash_values",
    "kprobe_blk",
    "sched_tracer",
    "tp_openat_args",
    "trace_openat",
];

/// The directory of the seed programs.
pub fn seeds() -> Option<PathBuf> {
    place("SKEP_SEEDS", &["../shared/seeds", "../../shared/seeds"])
}

/// The directory of recorded verdicts.
pub fn oracles() -> Option<PathBuf> {
    place("SKEP_ORACLES", &["../shared/oracles", "../../shared/oracles"])
}

/// The directory of the larger programs.
pub fn workloads() -> Option<PathBuf> {
    place("SKEP_WORKLOADS", &["../shared/workloads", "../../shared/workloads"])
}

/// The root of a kernel source tree.
pub fn kernel_tree() -> Option<PathBuf> {
    let near = "linux/linux-source-6.12";
    place("SKEP_KERNEL_TREE", &["target/linux-source-6.12", &format!("../{near}"), &format!("../../{near}")])
}

/// The directory of a `vmlinux.h` with sched_ext, which Debian's kernels do not have: `SKEP_SCX_HEADERS`,
/// or where CI copies the one that a public crate carries.
pub fn sched_ext_headers() -> Option<PathBuf> {
    place("SKEP_SCX_HEADERS", &["target/sched-ext"])
}

/// A full `vmlinux.h`: dumped from the running kernel's BTF, once for each kernel.
pub fn vmlinux() -> Option<PathBuf> {
    static HEADER: OnceLock<Option<PathBuf>> = OnceLock::new();
    HEADER.get_or_init(|| place("SKEP_VMLINUX", &[]).or_else(dump_vmlinux)).clone()
}

fn dump_vmlinux() -> Option<PathBuf> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let folder = root().join("target/test-headers").join(release.trim());
    let header = folder.join("vmlinux.h");
    if header.exists() {
        return Some(header);
    }
    let args = ["btf", "dump", "file", KERNEL_BTF, "format", "c"];
    let output = Command::new(bpftool()).args(args).stderr(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    std::fs::create_dir_all(&folder).ok()?;
    // Other test processes may be at the same: whoever renames last wins, with the same bytes.
    let neighbour = folder.join(format!("vmlinux.h.{}", std::process::id()));
    std::fs::write(&neighbour, output.stdout).ok()?;
    std::fs::rename(&neighbour, &header).ok()?;
    Some(header)
}

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default()
}

/// What the variable names, or the first of the usual places that is there.
fn place(variable: &str, usual: &[&str]) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let places = named.into_iter().chain(usual.iter().map(|place| root().join(place)));
    places.into_iter().find(|path| path.exists())
}

/// Can the program be started?
pub fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Does an emulator run this, which has no system calls of BPF? The programs it starts are of another machine.
fn is_emulated() -> bool {
    let output = Command::new("uname").arg("-m").output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() != std::env::consts::ARCH)
}

fn is_root() -> bool {
    // Without a libc dependency: the effective user id is the second number of this line.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    line.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
}
