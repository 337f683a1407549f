//! What the tests of this crate share: clang, the seed programs, packets.
#![allow(dead_code)]

pub mod agreement;
pub mod beside;
pub mod cases;
pub mod judged;
pub mod mutate;
pub mod selftests;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use skep_runtime::host::{Deterministic, Host};
use skep_runtime::object::LinkOptions;
use skep_runtime::verify;
use skep_runtime::vm::{Engine, Fault, FaultKind, Input, Outcome, RunError};
use skep_runtime::{Image, Object, Vm};
use skep_stdlib::btf::Btf;
use skep_stdlib::capabilities::{Capabilities, Capability};
pub use skep_test_tools::{self as tools, Need, have};

/// Where the kernel's verdicts and the conformance cases are.
pub fn oracles() -> Option<PathBuf> {
    have(&[Need::Oracles]).then(tools::oracles)?
}

/// Where the benchmark programs are.
pub fn workloads() -> Option<PathBuf> {
    have(&[Need::Workloads]).then(tools::workloads)?
}

/// The types of the running kernel.
pub fn vmlinux() -> Option<Arc<Btf>> {
    static BTF: OnceLock<Option<Arc<Btf>>> = OnceLock::new();
    BTF.get_or_init(|| {
        let bytes = std::fs::read(tools::KERNEL_BTF).ok()?;
        Some(Arc::new(Btf::parse(bytes).unwrap()))
    })
    .clone()
}

/// The lines of a compressed table.
pub fn table(path: &Path) -> Vec<serde_json::Value> {
    let output = Command::new("gzip").arg("-dc").arg(path).output().unwrap();
    assert!(output.status.success(), "{}", path.display());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A directory that no other test uses.
fn scratch(name: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let unique = format!("{}-{}-{name}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// Compiles C text with clang; none if clang is missing.
pub fn clang(name: &str, source: &str, flags: &[&str]) -> Option<Vec<u8>> {
    if !have(&[Need::Clang]) {
        return None;
    }
    let directory = scratch(name);
    let (input, output) = (directory.join("in.bpf.c"), directory.join("out.o"));
    std::fs::write(&input, source).unwrap();
    let mut command = Command::new(tools::CLANG);
    command.args(["-O2", "-g", "-target", "bpf", "-D__TARGET_ARCH_x86", "-I/usr/include/x86_64-linux-gnu"]);
    if source.contains("vmlinux.h") {
        command.arg("-I").arg(tools::vmlinux()?.parent()?);
    }
    command.args(flags).arg("-c").arg(&input).arg("-o").arg(&output);
    let result = command.output().unwrap();
    assert!(result.status.success(), "{name}: {}", String::from_utf8_lossy(&result.stderr));
    let bytes = std::fs::read(&output).unwrap();
    let _ = std::fs::remove_dir_all(directory);
    Some(bytes)
}

/// Compiles a seed program.
pub fn seed(name: &str) -> Option<Vec<u8>> {
    let seeds = have(&[Need::Seeds]).then(tools::seeds)??;
    let source = std::fs::read_to_string(seeds.join(name)).unwrap();
    clang(name, &source, &[])
}

/// Links against the running kernel's types.
pub fn link(bytes: &[u8]) -> Image {
    try_link(bytes).unwrap()
}

/// Links against the running kernel's types; or why that fails.
pub fn try_link(bytes: &[u8]) -> Result<Image, String> {
    let options = LinkOptions { target_btf: vmlinux(), ..LinkOptions::default() };
    let object = Object::parse(bytes).map_err(|error| error.to_string())?;
    object.link(&options).map_err(|error| error.to_string())
}

/// Programs with more slots are not verified by tests that run them.
const LARGE: u32 = 1024;

/// All engines that can run an image, in a deterministic world.
pub fn vm(image: Image) -> Engines {
    vm_in(image, Deterministic::default())
}

/// All engines that can run an image, each in a copy of this world.
pub fn vm_in(image: Image, host: impl Host + Clone + 'static) -> Engines {
    let options = verify::Options { btf: vmlinux(), limit: 20_000, ..verify::Options::default() };
    let is_small = image.programs.iter().all(|program| program.code.len() < LARGE);
    let proven = is_small.then(|| verify::verify(image.clone(), &options).ok()).flatten();
    let has_proof = proven.is_some();
    let host = || -> Box<dyn Host> { Box::new(host.clone()) };
    Engines { vms: Vm::every(&image, proven, &host).unwrap(), has_proof }
}

/// The plain interpreter, and all others, which must agree with it.
pub struct Engines {
    vms: Vec<Vm>,
    has_proof: bool,
}

impl Engines {
    /// Index of the program with this name.
    pub fn program(&self, name: &str) -> Option<usize> {
        self.vms[0].program(name)
    }

    /// Was everything verified?
    pub fn has_proof(&self) -> bool {
        self.has_proof
    }

    /// Runs the program in all of them.
    pub fn run(&mut self, program: usize, input: &Input) -> Result<Outcome, RunError> {
        let (first, others) = self.vms.split_first_mut().unwrap();
        let wanted = first.run(program, input);
        for vm in others {
            let name = vm.name();
            let found = vm.run(program, input);
            let (Ok(wanted), Ok(found)) = (&wanted, &found) else {
                assert_eq!(wanted.is_ok(), found.is_ok(), "{name}");
                continue;
            };
            let same = match (&wanted.result, &found.result) {
                (Ok(_), Ok(_)) => found.same_effects(wanted),
                // Compiled code notices an access outside of its region only where that is also
                // outside of the virtual machine's memory.
                (Err(Fault { kind: FaultKind::Access { .. }, .. }), _)
                    if name.ends_with("jit without proof") =>
                {
                    true
                }
                (Err(wanted), Err(found)) => wanted == found || wanted.kind == FaultKind::Budget,
                (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
            };
            assert!(same, "{name}: {found:#?}, but in the interpreter {wanted:#?}");
        }
        wanted
    }
}

/// An Ethernet frame with an IPv4 packet of this protocol.
pub fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x08, 0x00];
    let length = (20 + payload.len()) as u16;
    frame.extend([0x45, 0, (length >> 8) as u8, length as u8, 0, 0, 0, 0, 64, protocol, 0, 0]);
    frame.extend([10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend(payload);
    frame
}

/// What this process may do: a kernel asks it for the same.
pub fn user() -> Capabilities {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    let has = |number: u32| bits & (1 << number) != 0;
    // `CAP_SYS_ADMIN` stands for all of them.
    let ours = [(39, Capability::Bpf), (38, Capability::Perfmon), (12, Capability::NetAdmin)];
    match has(21) || ours.iter().all(|row| has(row.0)) {
        true => Capabilities::ALL,
        false => ours.iter().filter(|row| has(row.0)).fold(Capabilities::NONE, |user, row| user.with(row.1)),
    }
}
