//! What verifying takes beside what it takes the kernel, program by program, in turn:
//! `cargo bench -p skep-tests --bench verify`.
//!
//! The kernel's selftests, as clang compiles them; those programs count that both accept. The kernel's time is
//! what its log says that verifying took, ours that of the same work, the least of [`ROUNDS`] each. Prints
//! nanoseconds and ratios, and the same of the instructions that were walked: how many programs take exactly as
//! many, and which are farthest from it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use skep_runtime::kernel::Kernel;
use skep_runtime::object::LinkOptions;
use skep_runtime::verify::{Options, verify_program};
use skep_runtime::{Image, Object};
use skep_stdlib::btf::Btf;
use skep_tests::bench::{Row, compare, report};
use skep_tests::tools::{self, Need};

/// Every so many of the selftests are measured; `SKEP_FULL=1` measures all.
const STEP: usize = 8;

/// How often each program is verified by each.
const ROUNDS: usize = 5;

/// How many of the slowest are listed.
const SLOWEST: usize = 10;

/// Asks the kernel for statistics.
const STATISTICS: u32 = 4;

fn main() {
    let needs = [Need::Clang, Need::Libbpf, Need::Stubs, Need::Vmlinux, Need::KernelTree, Need::Kernel];
    if let Err(missing) = tools::check(&needs) {
        report(&format!("not measured: no {}", missing.name()));
        return;
    }
    let selftests = tools::corpora::selftests().expect("the tree and the header were asked for");
    let bytes = std::fs::read(tools::KERNEL_BTF).expect("the kernel was asked for");
    let btf = Arc::new(Btf::parse(bytes).expect("the kernel's types"));
    let out = std::env::temp_dir().join(format!("skep-verify-{}.o", std::process::id()));
    let (mut times, mut insns) = (Vec::new(), Vec::new());
    for source in selftests.sample(STEP) {
        let mut clang = Command::new(tools::CLANG);
        clang.args(["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-w", "-c"]).args(selftests.flags());
        let compiled = clang.arg(&source).arg("-o").arg(&out).output().is_ok_and(|it| it.status.success());
        let options = LinkOptions { target_btf: Some(btf.clone()), ..LinkOptions::default() };
        let bytes = std::fs::read(&out).unwrap_or_default();
        let image = Object::parse(&bytes).and_then(|object| object.link(&options));
        if let (true, Ok(image)) = (compiled, image) {
            measure(&source, &image, &btf, &mut times, &mut insns);
        }
    }
    // It lies in the system's temporary directory; leaving it behind is no failure.
    let _ = std::fs::remove_file(out);
    compare("ours to the kernel's time (goal 0.5)", &times, SLOWEST);
    compare("our instructions to the kernel's (goal 1)", &insns, SLOWEST);
    let same = insns.iter().filter(|row| row.ours == row.theirs).count();
    report(&format!("  the same number for {same} of {}", insns.len()));
}

/// Adds the programs of an image that both accept.
fn measure(source: &Path, image: &Image, btf: &Arc<Btf>, times: &mut Vec<Row>, insns: &mut Vec<Row>) {
    let Ok(kernel) = Kernel::prepare(image) else { return };
    let options = Options { btf: Some(btf.clone()), ..Options::default() };
    'programs: for (index, program) in image.programs.iter().enumerate() {
        let (mut ours, mut theirs) = (u64::MAX, u64::MAX);
        let mut walked = (0, 0);
        for _ in 0..ROUNDS {
            let log = kernel.judge(program, STATISTICS);
            let Some((time, there)) = log.ok().and_then(|log| Some((nanoseconds(&log)?, processed(&log)?)))
            else {
                continue 'programs;
            };
            let start = Instant::now();
            let (verdict, stats) = verify_program(image, index, &options);
            let time_here = start.elapsed().as_nanos() as u64;
            if verdict.is_err() {
                continue 'programs;
            }
            (ours, theirs) = (ours.min(time_here), theirs.min(time));
            walked = (stats.insns.into(), there);
        }
        let file = source.file_stem().unwrap_or_default().to_string_lossy();
        let name = format!("{file}/{}", program.name);
        insns.push(Row { name: name.clone(), ours: walked.0, theirs: walked.1 });
        times.push(Row { name, ours, theirs });
    }
}

/// How many instructions the log says were walked.
fn processed(log: &str) -> Option<u64> {
    let line = log.lines().find_map(|line| line.strip_prefix("processed "))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What the log says that verifying took.
fn nanoseconds(log: &str) -> Option<u64> {
    let line = log.lines().find_map(|line| line.strip_prefix("verification time "))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()?.max(1) * 1000)
}
