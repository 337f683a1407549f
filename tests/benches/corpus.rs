//! Compile time and memory over the kernel's selftests, ours and clang's, side by side:
//! `cargo bench -p skep-tests --bench corpus`.
//!
//! Prints ratios only, once with headers read as far as they are needed and once with headers read whole: the
//! geometric mean, the distribution, and the slowest. CPU time is user plus system time of the compiler; memory
//! is its largest resident set. Each file is compiled [`ROUNDS`] times by each, in turn; the least counts.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::resource::{Usage, UsageWho, getrusage};
use skep_tests::bench::{binary, report};
use skep_tests::tools::{self, Need};

/// Every so many of the selftests are measured; `SKEP_FULL=1` measures all.
const STEP: usize = 8;

/// How often each compiler compiles a file.
const ROUNDS: usize = 3;

/// How many of the slowest are listed.
const SLOWEST: usize = 5;

/// The first argument of a run that measures one command: what a process has used is only known of all of its
/// children together.
const MEASURE: &str = "--measure";

/// What a compile takes: seconds, and KiB.
#[derive(Clone, Copy)]
struct Cost {
    seconds: f64,
    memory: f64,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, first, command @ ..] = &args[..]
        && first == MEASURE
    {
        measure_here(command);
        return;
    }
    if let Err(missing) =
        tools::check(&[Need::Clang, Need::Libbpf, Need::Stubs, Need::Vmlinux, Need::KernelTree])
    {
        report(&format!("not measured: no {}", missing.name()));
        return;
    }
    let skep = binary().to_string_lossy().into_owned();
    let clang = [tools::CLANG.to_string(), "-w".into()];
    let lazy = [skep.clone(), "cc".into(), "-w".into()];
    let eager = [skep, "cc".into(), "-w".into(), "-fno-lazy-headers".into()];
    let out = std::env::temp_dir().join(format!("skep-corpus-{}.o", std::process::id()));
    let selftests = tools::corpora::selftests().expect("the tree and the header were asked for");
    let mut flags = selftests.flags();
    flags.extend(["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-c"].map(Into::into));
    let sources = selftests.sample(STEP);
    let mut rows = Vec::new();
    for source in &sources {
        let costs = [&clang[..], &lazy[..], &eager[..]].map(|compiler| cost(compiler, source, &flags, &out));
        if let [Some(clang), Some(lazy), Some(eager)] = costs {
            rows.push((source, clang, lazy, eager));
        }
    }
    // It lies in the system's temporary directory; leaving it behind is no failure.
    let _ = std::fs::remove_file(out);
    report(&format!("{} of {} files are compiled by both", rows.len(), sources.len()));
    let time = |a: Cost, b: Cost| a.seconds / b.seconds;
    let memory = |a: Cost, b: Cost| b.memory / a.memory;
    let lazy =
        |of: &dyn Fn(Cost, Cost) -> f64| rows.iter().map(|row| (row.0.as_path(), of(row.1, row.2))).collect();
    let eager =
        |of: &dyn Fn(Cost, Cost) -> f64| rows.iter().map(|row| (row.0.as_path(), of(row.1, row.3))).collect();
    distribution("times faster than clang-19 (goal 10)", lazy(&time), false);
    distribution("times faster than clang-19 with whole headers (goal 5)", eager(&time), false);
    distribution("of clang-19's memory (goal 1)", lazy(&memory), true);
    distribution("of clang-19's memory with whole headers (goal 1)", eager(&memory), true);
}

/// The least that compiling a file takes; `None` when it fails.
fn cost(compiler: &[String], source: &Path, flags: &[String], out: &Path) -> Option<Cost> {
    let own = std::env::current_exe().ok()?;
    let mut least: Option<Cost> = None;
    for _ in 0..ROUNDS {
        let output = Command::new(&own)
            .arg(MEASURE)
            .args(compiler)
            .args(flags)
            .args([source, Path::new("-o"), out])
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut numbers = text.split_whitespace().map_while(|number| number.parse::<f64>().ok());
        let (seconds, memory) = (numbers.next()?, numbers.next()?);
        let before = least.unwrap_or(Cost { seconds, memory });
        least = Some(Cost { seconds: seconds.min(before.seconds), memory: memory.min(before.memory) });
    }
    least
}

/// Runs a command and prints what it took; nothing when it fails.
fn measure_here(command: &[String]) {
    let [program, args @ ..] = command else { return };
    let status = Command::new(program).args(args).stderr(Stdio::null()).status();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN);
    if let (Ok(status), Ok(usage)) = (status, usage)
        && status.success()
    {
        report(&format!("{} {}", seconds(&usage), usage.max_rss()));
    }
}

fn seconds(usage: &Usage) -> f64 {
    let times = [usage.user_time(), usage.system_time()];
    times.iter().map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6).sum()
}

/// Prints the mean and the spread of some ratios; `high` says that a high one is a bad one.
fn distribution(what: &str, mut ratios: Vec<(&Path, f64)>, high: bool) {
    ratios.sort_by(|a, b| a.1.total_cmp(&b.1));
    let at = |part: usize| ratios.get((ratios.len() * part / 100).min(ratios.len().saturating_sub(1)));
    let mean = (ratios.iter().map(|(_, ratio)| ratio.ln()).sum::<f64>() / ratios.len().max(1) as f64).exp();
    let spread: Vec<String> = [0, 10, 50, 90, 100]
        .iter()
        .filter_map(|&part| Some(format!("{part}%: {:.2}", at(part)?.1)))
        .collect();
    report(&format!("{mean:.2} {what}; {}", spread.join(", ")));
    if high {
        ratios.reverse();
    }
    for (path, ratio) in ratios.iter().take(SLOWEST) {
        report(&format!("    {ratio:.2} {}", path.file_name().unwrap_or_default().to_string_lossy()));
    }
}
