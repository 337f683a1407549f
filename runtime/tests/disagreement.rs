//! Where the verifier and the running kernel disagree: programs that the kernel takes, changed a
//! little, judged by both.
//!
//! What we accept the kernel must accept. `SKEP_ROUNDS` sets how many mutants there are of each
//! program, `SKEP_SEED` where the random numbers begin; with `SKEP_BOTH` the kernel is also asked
//! about what we reject, which is printed and is no failure.
#![allow(clippy::print_stderr)]
#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeMap;
use std::process::Command;

use common::cases::{self, Case};
use common::mutate::mutate;
use common::tools::random::Random;
use common::tools::{self, Need};
use skep_runtime::Image;
use skep_runtime::kernel::{Kernel, KernelError};
use skep_runtime::verify::{Options, verify_program};
use skep_stdlib::capabilities::Capabilities;

/// Mutants of each program.
const ROUNDS: usize = 1;

/// Programs with more slots take too long.
const LARGEST: u32 = 600;

/// Why the kernel may refuse what we accept: a part of its words, and the reason.
#[rustfmt::skip]
const EXPLAINED: &[(&str, &str)] = &[
    ("verifier bug", "the kernel says itself that it is wrong"),
];

fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// What came of the mutants.
#[derive(Default)]
struct Tally {
    tried: usize,
    accepted: usize,
    /// Accepted by us alone: the mutants, by the kernel's words.
    unsafe_ones: BTreeMap<String, Vec<String>>,
    /// Accepted by the kernel alone: of which programs, by our rule and words.
    refused: BTreeMap<String, Vec<String>>,
}

/// What the kernel says of the reason, if the verifier is who says it.
fn words(error: &KernelError) -> Option<&str> {
    let mut lines = error.log.lines().rev();
    lines.find(|line| !line.is_empty() && !line.starts_with("processed"))
}

impl Tally {
    /// Judges mutants of the image's program with this index.
    fn hunt(&mut self, name: &str, image: &Image, kernel: &Kernel, index: usize, random: &mut Random) {
        let user = common::user();
        let options = Options { btf: common::vmlinux(), limit: 50_000, user, ..Options::default() };
        let both = std::env::var_os("SKEP_BOTH").is_some();
        let mut image = image.clone();
        let original = image.programs[index].clone();
        for _ in 0..number("SKEP_ROUNDS", ROUNDS) {
            let Some(mutant) = mutate(&original, random) else { continue };
            self.tried += 1;
            image.programs[index] = mutant;
            let ours = verify_program(&image, index, &options).0;
            self.accepted += usize::from(ours.is_ok());
            if ours.is_err() && !both {
                continue;
            }
            let program = &image.programs[index];
            match (kernel.judge(program, 0), ours) {
                (Err(_), Ok(())) => {
                    let Err(error) = kernel.judge(program, 1) else { continue };
                    let Some(words) = words(&error) else { continue };
                    if EXPLAINED.iter().any(|row| words.contains(row.0)) {
                        continue;
                    }
                    let listing = program.code.iter().map(|(slot, insn)| format!("{slot}: {insn}\n"));
                    let text = format!("{name}\n{}", listing.collect::<String>());
                    self.unsafe_ones.entry(words.to_owned()).or_default().push(text);
                }
                (Ok(_), Err(report)) => {
                    let why = format!("{} {}", report.cause.rule().code, report.cause.message());
                    self.refused.entry(why).or_default().push(name.to_owned());
                }
                (Ok(_), Ok(())) | (Err(_), Err(_)) => {}
            }
        }
    }

    fn finish(&self) {
        eprintln!("{} mutants, {} accepted", self.tried, self.accepted);
        for (why, names) in &self.refused {
            eprintln!("refused, but safe: {:4} {why}: {}", names.len(), names[0]);
        }
        for (words, names) in &self.unsafe_ones {
            eprintln!("accepted, but unsafe: {:4} {words}: {}", names.len(), names[0]);
        }
        assert!(self.unsafe_ones.is_empty(), "{} kinds of false accepts", self.unsafe_ones.len());
    }
}

#[test]
fn mutants_of_the_table() {
    if !common::have(&[Need::Oracles, Need::Gzip, Need::Kernel]) {
        return;
    }
    let Some(oracles) = common::oracles() else { return };
    let mut random = Random::new(number("SKEP_SEED", 1) as u64);
    let mut tally = Tally::default();
    for table in ["6.1", "6.12"] {
        for case in common::table(&oracles.join(format!("test_verifier-{table}.jsonl.gz"))) {
            let Case::Image(image) = cases::build(&case) else { continue };
            // The kernel is not asked to be strict here.
            if image.programs[0].code.len() > LARGEST || cases::is_strict(&case) {
                continue;
            }
            // Only what is right can become nearly right.
            let Ok(kernel) = Kernel::prepare(&image) else { continue };
            if kernel.judge(&image.programs[0], 0).is_ok() {
                let name = case["descr"].as_str().unwrap_or_default();
                tally.hunt(name, &image, &kernel, 0, &mut random);
            }
        }
    }
    tally.finish();
}

/// The same for a user with `CAP_BPF` and without `CAP_PERFMON`: the test in a process without that.
#[test]
fn mutants_of_the_table_without_perfmon() {
    let needs = [Need::Oracles, Need::Gzip, Need::Kernel];
    if common::user() != Capabilities::ALL || !common::have(&needs) {
        return;
    }
    let mut command = Command::new("setpriv");
    command.arg("--bounding-set=-perfmon,-sys_admin").arg(std::env::current_exe().unwrap());
    let Ok(done) = command.args(["--exact", "mutants_of_the_table", "--nocapture"]).output() else { return };
    let said = String::from_utf8_lossy(&done.stderr);
    eprintln!("{said}");
    assert!(done.status.success(), "{said}");
}

/// Which share of the objects is taken unless `SKEP_FULL=1` asks for all.
const STEP: usize = 40;

#[test]
fn mutants_of_the_selftests() {
    if !tools::have(&[Need::Clang, Need::KernelTree, Need::Vmlinux, Need::Libbpf, Need::Stubs, Need::Kernel])
    {
        return;
    }
    let Some(corpus) = tools::corpora::selftests() else { return };
    let all = tools::full();
    let mut random = Random::new(number("SKEP_SEED", 1) as u64);
    let mut tally = Tally::default();
    for (at, name) in common::selftests::names(&corpus).iter().enumerate() {
        if !all && at % STEP != 0 {
            continue;
        }
        let Some(bytes) = common::selftests::compile(&corpus, name) else { continue };
        let Ok(image) = common::try_link(&bytes) else { continue };
        let Ok(kernel) = Kernel::prepare(&image) else { continue };
        for index in 0..image.programs.len() {
            let program = &image.programs[index];
            if program.code.len() <= LARGEST && kernel.judge(program, 0).is_ok() {
                let name = format!("{name}/{}", program.name);
                tally.hunt(&name, &image, &kernel, index, &mut random);
            }
        }
    }
    tally.finish();
}
