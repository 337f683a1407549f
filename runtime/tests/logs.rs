//! The log of a walk beside the running kernel's: line by line, for the kernel's selftests as clang
//! compiles them.
//!
//! In both the numbers of ids are left out, and addresses; in the kernel's also what ours leaves out (the
//! liveness of registers and slots). Every [`STEP`]th file is compiled, unless `SKEP_FULL` asks for all.
//! The shares of programs and lines that are the same may only grow. With `SKEP_LOGS` both logs of each
//! program are put into that directory.
#![allow(clippy::print_stderr)]
#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;

use skep_runtime::Image;
use skep_runtime::kernel::Kernel;
use skep_runtime::verify::log::{Level, log};
use skep_runtime::verify::{Options, verify_program};
use skep_stdlib::features::Kernel as Version;
use skep_test_tools::corpora::selftests;
use skep_test_tools::{self as tools, Need};

/// Which share of the files is compiled when not all are.
const STEP: usize = 12;

/// Programs with the same log and lines before the first difference, in tenths of a percent: of every
/// file, of the share.
const FLOOR: [(usize, usize); 2] = [(850, 840), (640, 860)];

/// Programs that take more instructions have logs that are as long.
const MOST: u32 = 5_000;

/// What the kernel says of prototypes that it does not need, of members that it tries, of loops.
const NOISE: &[&str] = &[
    "arg#",
    "Global function",
    "cannot access ptr member",
    "SCC ",
    "R1 is not a scalar",
    "Expected an initialized",
];

/// The lines of a log as they are compared: an instruction, and what it did in one of its own.
fn lines(log: &str) -> Vec<String> {
    let is_instruction =
        |line: &str| line.split_once(": (").is_some_and(|(slot, _)| slot.parse::<u32>().is_ok());
    let parts = log.lines().flat_map(|line| match line.split_once(" ; ").or_else(|| line.split_once(" ;")) {
        Some((insn, values)) if is_instruction(line) => [insn, values],
        _ => [line, ""],
    });
    parts.filter_map(line).collect()
}

/// A line as it is compared; none for one that is not.
fn line(line: &str) -> Option<String> {
    // The number of the instruction before which it is said.
    let line = match line.split_once(": ") {
        Some((slot, values))
            if slot.parse::<u32>().is_ok() && !values.starts_with('(') && values != "safe" =>
        {
            values
        }
        _ => line,
    };
    let is_left_out = line.is_empty()
        || line.starts_with("verification time")
        || line.starts_with("Live regs")
        || line.starts_with("  ")
        || NOISE.iter().any(|start| line.starts_with(start))
        || line.starts_with('(')
        || line.starts_with("processed");
    let mut rest = line.trim_end();
    let mut text = String::new();
    // Numbers after these, and what is loaded.
    if let Some(at) = rest.find("(18) r").and_then(|at| Some(at + rest[at..].find('=')?)) {
        let end = rest[at..].find(';').map_or(rest.len(), |end| at + end);
        text.push_str(&rest[..at]);
        rest = &rest[end..];
    }
    while let Some(at) = rest.find("id=").or_else(|| rest.find("refs=")) {
        let at = at + rest[at..].find('=').unwrap_or(0) + 1;
        text.push_str(&rest[..at]);
        // Locks are among what is held.
        let is_list = text.ends_with("refs=");
        rest = rest[at..].trim_start_matches(|c: char| c.is_ascii_digit() || c == ',' && is_list);
    }
    text.push_str(rest);
    // What the kernel calls so is something else.
    text = text.replace(",dynptr_id=", "");
    // Loaders choose the names of data sections.
    while let Some(at) = text.find("map=.").or_else(|| text.find("map=data,")) {
        let end = text[at..].find(',').map_or(text.len(), |end| at + end + 1);
        text.replace_range(at..end, "");
    }
    (!is_left_out).then_some(text)
}

#[derive(Default)]
struct Tally {
    programs: usize,
    same: usize,
    lines: usize,
    same_lines: usize,
    /// The first difference of each program that has one.
    differences: BTreeMap<String, Vec<String>>,
}

impl Tally {
    fn compare(&mut self, name: &str, ours: &str, theirs: &str) {
        let (ours, theirs) = (lines(ours), lines(theirs));
        let same = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
        self.programs += 1;
        self.lines += theirs.len();
        self.same_lines += same;
        if same == theirs.len() && same == ours.len() {
            self.same += 1;
            return;
        }
        let around = |lines: &[String]| {
            let end = (same + 3).min(lines.len());
            lines.get(same.saturating_sub(1)..end).unwrap_or_default().join("\n      ")
        };
        let text = format!("  kernel: {}\n    ours: {}", around(&theirs), around(&ours));
        self.differences.entry(name.to_owned()).or_default().push(text);
    }

    fn object(&mut self, name: &str, image: &Image) {
        let Ok(kernel) = Kernel::prepare(image) else { return };
        let options = Options { btf: common::vmlinux(), ..Options::default() };
        for (index, program) in image.programs.iter().enumerate() {
            let (verdict, stats) = verify_program(image, index, &options);
            if verdict.is_ok()
                && stats.insns <= MOST
                && let Ok(theirs) = kernel.judge(program, 2 | 4)
            {
                let ours = log(image, index, &options, Level::All).1;
                if let Some(directory) = std::env::var_os("SKEP_LOGS").map(PathBuf::from) {
                    for (whose, log) in [("ours", &ours), ("kernel", &theirs)] {
                        std::fs::write(directory.join(format!("{name}.{}.{whose}", program.name)), log)
                            .unwrap();
                    }
                }
                self.compare(&format!("{name}/{}", program.name), &ours, &theirs);
            }
        }
    }
}

#[test]
fn logs_are_the_kernels() {
    let needs = [Need::Clang, Need::KernelTree, Need::Vmlinux, Need::Kernel];
    if !tools::have(&needs) {
        return;
    }
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    if Version::parse(&release) != Some(Version::LATEST) {
        return eprintln!("skipped: the running kernel is not {}", Version::LATEST);
    }
    let Some(corpus) = selftests() else { return };
    let all = tools::full();
    let mut tally = Tally::default();
    for source in corpus.sample(STEP) {
        let name = source.file_stem().unwrap_or_default().to_string_lossy();
        if let Some(bytes) = common::selftests::compile(&corpus, &name)
            && let Ok(image) = common::try_link(&bytes)
        {
            tally.object(&name, &image);
        }
    }
    for (name, texts) in &tally.differences {
        eprintln!("{name}\n{}", texts.join("\n"));
    }
    eprintln!("{} of {} logs, {} of {} lines", tally.same, tally.programs, tally.same_lines, tally.lines);
    for ((same, of), floor) in
        [(tally.same, tally.programs), (tally.same_lines, tally.lines)].into_iter().zip(FLOOR)
    {
        let floor = if all { floor.0 } else { floor.1 };
        assert!(same * 1000 / of.max(1) >= floor, "{same} of {of}: it was {floor} of 1000");
    }
}
