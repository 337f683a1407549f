//! What the benchmarks share: the binary they measure, and their output.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The binary to ship (`cargo static`) if it was built, else the one that `cargo build --release` made.
/// Says which. `SKEP_BINARY` names another.
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("SKEP_BINARY") {
        return named.into();
    }
    let own = std::env::current_exe().expect("this program has a path");
    let release = own.parent().and_then(Path::parent).expect("a target directory");
    let target = release.parent().expect("a target directory");
    let shipped = format!("{}-unknown-linux-gnu/release/skep", std::env::consts::ARCH);
    let found = [target.join(shipped), release.join("skep")].into_iter().find(|binary| binary.exists());
    let binary = found.expect("build it first: `cargo static` or `cargo build --release`");
    report(&format!("measuring {}", binary.strip_prefix(target).unwrap_or(&binary).display()));
    binary
}

/// The object that a compiler makes of a source in this mode; `None` when it makes none. The scratch directory
/// holds it meanwhile.
pub fn compile(
    compiler: &[String],
    mode: &[&str],
    source: &Path,
    flags: &[String],
    scratch: &Path,
) -> Option<Vec<u8>> {
    let out = scratch.join("out.o");
    let (program, first) = compiler.split_first()?;
    let status = Command::new(program)
        .args(first)
        .args(["-target", "bpf", "-g", "-D__TARGET_ARCH_x86"])
        .args(mode)
        .args(["-I", "/usr/include/x86_64-linux-gnu"])
        .args(flags)
        .arg("-c")
        .arg(source)
        .arg("-o")
        .arg(&out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.ok().filter(|status| status.success()).and_then(|_| std::fs::read(&out).ok())
}

/// The one in the middle; there is at least one.
pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// What one thing takes with us and with the compiler beside us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// What it is.
    pub name: String,
    /// Instructions, bytes, whatever is compared.
    pub ours: u64,
    /// As much of theirs.
    pub theirs: u64,
}

impl Row {
    /// Ours as a multiple of theirs. Nothing counts as one, so that ratios to nothing exist.
    pub fn ratio(&self) -> f64 {
        self.ours.max(1) as f64 / self.theirs.max(1) as f64
    }
}

/// Prints the total, the geometric mean, the spread and the worst of some rows. Returns the mean.
pub fn compare(what: &str, rows: &[Row], worst: usize) -> f64 {
    if rows.is_empty() {
        report(&format!("  {what}: nothing to compare"));
        return 1.0;
    }
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by(|a, b| b.ratio().total_cmp(&a.ratio()));
    let logs: f64 = rows.iter().map(|row| row.ratio().ln()).sum();
    let mean = (logs / rows.len() as f64).exp();
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum::<u64>().max(1) as f64;
    let at = |percent: usize| sorted[(sorted.len() - 1) * (100 - percent) / 100].ratio();
    report(&format!(
        "  {what}: geometric mean {mean:.3}, total {:.3} of {}; least {:.2}, 10% {:.2}, half {:.2}, 90% {:.2}, \
         most {:.2}; {} above 1.10",
        sum(|row| row.ours) / sum(|row| row.theirs),
        rows.len(),
        at(0),
        at(10),
        at(50),
        at(90),
        at(100),
        rows.iter().filter(|row| row.ratio() > 1.10).count(),
    ));
    for row in sorted.iter().take(worst) {
        report(&format!("    {:.3} ({} for {}) {}", row.ratio(), row.ours, row.theirs, row.name));
    }
    mean
}

/// Prints a line of results.
#[allow(clippy::print_stdout)]
pub fn report(line: &str) {
    println!("{line}");
}
