//! CPU time of the optimiser and the code generator: `cargo bench -p skep-tests --bench back_end`.
//!
//! Every program of the kernel's corpora is read once; then its typed tree is lowered, optimised and made into code
//! [`ROUNDS`] times in this process, and the fastest round counts. Prints microseconds of CPU for each slot of 8
//! bytes: of all programs together, their spread, the slowest, each pass, and what a function of some 200 slots
//! takes. Times are the thread's own, so that other work on the machine matters little; how fast the machine is
//! matters much, so clang is measured in the same run: what it takes for the same source after its front end.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use skep_compiler::{Options, codegen, compile, lower, opt, sections};
use skep_driver::cc::args;
use skep_driver::compile::HOST_DIRS;
use skep_driver::io::{DiskFiles, EMBEDDED};
use skep_stdlib::isa::{Cpu, Insn};
use skep_syntax::Session;
use skep_tests::bench::report;
use skep_tests::tools::{self, Need};

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Every so many of the programs are measured; `SKEP_FULL=1` measures all.
const STEP: usize = 8;

/// How often each is made into code, unless `SKEP_ROUNDS` says otherwise.
const ROUNDS: usize = 5;

/// How many of the slowest programs are listed, and of the passes.
const SLOWEST: usize = 5;
const PASSES: usize = 24;

/// Functions of this many slots are reported by themselves: their objects hold nothing else.
const MEDIUM: std::ops::RangeInclusive<usize> = 150..=250;

/// What a program took, in microseconds.
struct Cost {
    name: String,
    slots: usize,
    functions: usize,
    total: f64,
    parts: BTreeMap<&'static str, f64>,
    /// Clang's, for the same source, if it is here.
    clang: Option<f64>,
}

impl Cost {
    fn each(&self) -> f64 {
        self.total / self.slots as f64
    }
}

fn main() {
    if let Err(missing) = tools::check(&[Need::Libbpf, Need::Vmlinux, Need::KernelTree]) {
        report(&format!("not measured: no {}", missing.name()));
        return;
    }
    let rounds = std::env::var("SKEP_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let mut costs = Vec::new();
    for corpus in tools::corpora::corpora() {
        let flags = corpus.flags();
        let sources = corpus.sample(STEP);
        costs.extend(sources.iter().filter_map(|source| cost(source, &flags, rounds)));
    }
    let slots: usize = costs.iter().map(|cost| cost.slots).sum();
    let total: f64 = costs.iter().map(|cost| cost.total).sum();
    report(&format!(
        "{} programs, {slots} slots: {:.2} us for each slot (goal 5)",
        costs.len(),
        total / slots as f64
    ));
    costs.sort_by(|a, b| a.each().total_cmp(&b.each()));
    let spread = [0, 10, 50, 90, 100].map(|percent| {
        let each = costs.get((costs.len().saturating_sub(1)) * percent / 100).map_or(0.0, Cost::each);
        format!("{percent}%: {each:.1}")
    });
    report(&format!("  spread of the programs: {}", spread.join(", ")));
    for cost in costs.iter().rev().take(SLOWEST) {
        report(&format!("    {:.1} us for each of {} slots: {}", cost.each(), cost.slots, cost.name));
    }
    medium(&costs);
    beside_clang("of all programs", costs.iter());
    beside_clang("of programs of 500 slots and more", costs.iter().filter(|cost| cost.slots >= 500));
    let mut parts: BTreeMap<&str, f64> = BTreeMap::new();
    for (part, time) in costs.iter().flat_map(|cost| &cost.parts) {
        *parts.entry(part).or_default() += time;
    }
    let all: f64 = parts.values().sum();
    let mut parts: Vec<(&str, f64)> = parts.into_iter().collect();
    parts.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (part, time) in parts.into_iter().take(PASSES) {
        report(&format!(
            "  {part:12} {:6.3} us for each slot, {:4.1}%",
            total / slots as f64 * time / all,
            100.0 * time / all
        ));
    }
}

/// What clang takes for the programs that it was measured with, for each of our slots, and our share of that.
fn beside_clang<'a>(which: &str, costs: impl Iterator<Item = &'a Cost>) {
    let (mut slots, mut ours, mut theirs) = (0, 0.0, 0.0);
    for (cost, clang) in costs.filter_map(|cost| Some((cost, cost.clang?))) {
        slots += cost.slots;
        ours += cost.total;
        theirs += clang;
    }
    if slots > 0 {
        report(&format!(
            "  clang after its front end: {:.0} us for each slot {which}, {:.1} times ours (goal 10)",
            theirs / slots as f64,
            theirs / ours
        ));
    }
}

/// Microseconds of CPU that clang takes for a source more than for its syntax alone; the least of two runs.
fn clang(source: &Path, flags: &[String]) -> Option<f64> {
    let run = |what: &[&str]| -> Option<f64> {
        let before = children();
        let mut command = Command::new(tools::CLANG);
        command.args(["-w", "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-D__TARGET_ARCH_x86"]);
        command.args(flags).args(["-I", "/usr/include/x86_64-linux-gnu"]).args(what).arg(source);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
        status.success().then(|| children() - before)
    };
    let least = |what: &[&str]| Some(run(what)?.min(run(what)?));
    Some(least(&["-c", "-o", "/dev/null"])? - least(&["-fsyntax-only"])?)
}

/// Microseconds of CPU of all children so far.
fn children() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system says what was used");
    (usage.user_time() + usage.system_time()).num_microseconds() as f64
}

/// Objects of one function of about 200 slots.
fn medium(costs: &[Cost]) {
    let mut times: Vec<f64> = costs
        .iter()
        .filter(|cost| cost.functions == 1 && MEDIUM.contains(&cost.slots))
        .map(|cost| cost.each() * 200.0 / 1000.0)
        .collect();
    times.sort_by(f64::total_cmp);
    if let (Some(median), Some(most)) = (times.get(times.len() / 2), times.last()) {
        let count = times.len();
        report(&format!(
            "  one function of 200 slots: {median:.2} ms, at most {most:.2}, of {count} (goal 1)"
        ));
    }
}

/// What making code of a source takes; `None` when it does not compile.
fn cost(source: &Path, flags: &[String], rounds: usize) -> Option<Cost> {
    let mut words = flags.to_vec();
    words.extend(["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-c", "-w"].map(Into::into));
    let main = source.to_string_lossy().into_owned();
    let (files, mut options) = (DiskFiles::default(), args::parse(&words).pp);
    options.system_dirs.extend([EMBEDDED, HOST_DIRS[0], HOST_DIRS[1]].map(Into::into));
    let mut session = Session::new(&files, options);
    let options = Options { check: false, ..Options::default() };
    let compiled = compile(&mut session, &main, &options, &mut |_, _| {}).ok()?;
    let mut made = Cost {
        name: name(source),
        slots: 0,
        functions: 0,
        total: f64::MAX,
        parts: BTreeMap::new(),
        clang: None,
    };
    for round in 0..=rounds {
        let lowered = lower::Options { big_endian: false, without: &[] };
        let mut ir = lower::lower(&compiled.hir, &session.names, lowered);
        // To look at the clock after each pass takes time itself: only the last round does.
        let (mut parts, begin) = (BTreeMap::new(), now());
        let mut last = begin;
        let mut ran = |part: &'static str| {
            if round == rounds {
                let time = now();
                *parts.entry(part).or_default() += time - last;
                last = time;
            }
        };
        let options = opt::Options { cpu: 3, check: false, ..opt::Options::default() };
        opt::run(&mut ir, &options, &mut |pass, _, _| ran(pass));
        sections::place_variables(&compiled.hir, &mut ir, &session.names);
        let options = codegen::Options { cpu: Cpu::V3, big_endian: false, check: false };
        let code = codegen::generate(&ir, &options, &mut Vec::new(), &mut ran);
        let total = now() - begin;
        match round == rounds {
            true => made.parts = parts,
            false => made.total = made.total.min(total),
        }
        made.slots = code.functions.iter().flat_map(|func| &func.insns).map(Insn::slots).sum();
        made.functions = code.functions.len();
    }
    if tools::have(&[Need::Clang]) {
        made.clang = clang(source, flags);
    }
    Some(made).filter(|made| made.slots > 0)
}

fn name(source: &Path) -> String {
    source.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Microseconds of CPU that this thread has used.
fn now() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the system has such a clock");
    time.tv_sec() as f64 * 1e6 + time.tv_nsec() as f64 / 1e3
}
