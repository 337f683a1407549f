//! CPU time of whole compiles, ours and clang's, side by side: `cargo bench -p skep-tests`.
//!
//! Prints ratios only: the machine may be slow or busy, both compilers suffer alike. Times are user
//! plus system time of the child processes, measured in interleaved rounds. Every compile is one of a
//! clean build: there is no object yet. (To replace one makes a journalling file system write the new
//! one out first, which takes more or less of either compiler's time as the disk is busy or not.)

use std::path::Path;
use std::process::{Command, Stdio};

use skep_tests::bench::{binary, median, report};
use skep_tests::tools::{self, Need};

/// Rounds, each of which runs every command some times.
const ROUNDS: u32 = 7;

struct Case {
    name: &'static str,
    seed: &'static str,
    /// Includes the full `vmlinux.h` of the running kernel.
    full_vmlinux: bool,
    /// Ours is repeated more often than clang, because it is below the clock's resolution.
    repeat: u32,
    goal: f64,
}

const CASES: &[Case] = &[
    Case {
        name: "execve_count.bpf.c with the full vmlinux.h",
        seed: "execve_count",
        full_vmlinux: true,
        repeat: 5,
        goal: 5.0,
    },
    Case { name: "drop_icmp.bpf.c", seed: "drop_icmp", full_vmlinux: false, repeat: 200, goal: 20.0 },
];

fn main() {
    if let Err(missing) = tools::check(&[Need::Clang, Need::Bpftool, Need::Seeds, Need::Kernel]) {
        report(&format!("not measured: no {}", missing.name()));
        return;
    }
    let skep = binary();
    let scratch = std::env::temp_dir().join(format!("skep-bench-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a scratch directory");
    let args = ["btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c"];
    let header = Command::new(tools::bpftool()).args(args).output().expect("bpftool runs").stdout;
    std::fs::write(scratch.join("vmlinux.h"), header).expect("a header");
    for case in CASES {
        let source = tools::seeds().expect("the seeds").join(format!("{}.bpf.c", case.seed));
        let commands = [clang(case, &source, &scratch), ours(&skep, case, &source, &scratch)];
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (command, times) in commands.iter().zip(&mut times) {
                let repeat = if command[0] == "clang-19" { 1 + case.repeat / 10 } else { case.repeat };
                times.push(cpu_time(command, repeat) / f64::from(repeat));
            }
        }
        let [clang, ours] = times.map(median);
        report(&format!(
            "{}: {:.1} times faster than clang-19 (goal {})",
            case.name,
            clang / ours,
            case.goal
        ));
    }
    // The scratch directory is below the system's temporary one; leaving it behind is no failure.
    let _ = std::fs::remove_dir_all(scratch);
}

fn clang(case: &Case, source: &Path, scratch: &Path) -> Vec<String> {
    let mut command: Vec<String> =
        ["clang-19", "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-w", "-D__TARGET_ARCH_x86"]
            .map(Into::into)
            .into();
    command.extend(["-I".into(), "/usr/include/x86_64-linux-gnu".into()]);
    command.extend(include(case, scratch));
    command.extend(["-c".into(), text(source), "-o".into(), text(&scratch.join("clang.o"))]);
    command
}

fn ours(skep: &Path, case: &Case, source: &Path, scratch: &Path) -> Vec<String> {
    let mut command = vec![text(skep)];
    command
        .extend(["cc", "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-D__TARGET_ARCH_x86"].map(String::from));
    command.extend(include(case, scratch));
    command.extend(["-c".into(), text(source), "-o".into(), text(&scratch.join("skep.o"))]);
    command
}

fn include(case: &Case, scratch: &Path) -> Vec<String> {
    if case.full_vmlinux { vec!["-I".into(), text(scratch)] } else { Vec::new() }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Clock ticks of CPU time that so many runs of a command take.
fn cpu_time(command: &[String], repeat: u32) -> f64 {
    let before = children_ticks();
    let object = command.last().expect("a command ends with the name of its object");
    for _ in 0..repeat {
        // There is none before the first run.
        let _ = std::fs::remove_file(object);
        let status = Command::new(&command[0]).args(&command[1..]).stderr(Stdio::null()).status();
        assert!(status.is_ok_and(|status| status.success()), "{command:?} fails");
    }
    (children_ticks() - before) as f64
}

/// User and system time of all children so far (`cutime` and `cstime` of /proc/self/stat).
fn children_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let field =
        |n: usize| after_name.split_whitespace().nth(n).and_then(|text| text.parse().ok()).unwrap_or(0u64);
    field(13) + field(14)
}
