//! The verifier against the kernel's own: the annotated programs of the kernel's selftests, as
//! clang compiles them and kernels 6.12 and 6.18 judged them.
//!
//! Only every [`STEP`]th file is compiled, unless `SKEP_SELFTESTS=all` asks for all of them. A
//! program that the kernel rejects and we accept is a false accept: none is allowed but those
//! listed with a reason. The share of equal verdicts may only grow.
#![allow(clippy::print_stderr)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use skep_runtime::verify::{Options, verify_program};
use skep_stdlib::features::{Kernel, Target};
use skep_test_tools::corpora::selftests;
use skep_test_tools::{self as tools, Need};

/// Which share of the files is compiled when not all are.
const STEP: usize = 12;

/// A kernel, and equal verdicts of all compared programs, in tenths of a percent: of every file, of the share.
type Row = (&'static str, (usize, usize));

const KERNELS: [Row; 2] = [("6.12", (985, 940)), ("6.18", (990, 940))];

/// Programs that this kernel rejects and we accept, each with its reason.
const FALSE_ACCEPTS: &[(&str, &str, &str)] = &[
    ("6.12", "iters_task_failure/iter_css_lock_and_unlock", "that kernel was built without error injection"),
    ("6.12", "iters_task_failure/iter_tasks_lock_and_unlock", "the same"),
    ("6.12", "verifier_global_subprogs/arg_tag_ctx_fmod_ret", "the same"),
    (
        "6.12",
        "verifier_map_ptr/read_non_existent_field_rejected",
        "the types are those of the running kernel",
    ),
];

/// `BPF_F_STRICT_ALIGNMENT`.
const STRICT_ALIGNMENT: u64 = 1 << 0;

/// The verdicts of all programs, counted.
#[derive(Default)]
struct Tally {
    same: usize,
    compared: usize,
    /// Instructions walked.
    insns: u64,
    /// Objects that did not link, and why.
    unlinked: BTreeMap<String, String>,
    /// Programs we accept and the kernel does not, with its words.
    false_accepts: BTreeMap<String, String>,
    /// How often each rule of ours rejects what the kernel accepts, with the programs.
    false_rejects: BTreeMap<String, Vec<String>>,
}

impl Tally {
    /// Judges all programs of an object.
    fn object(&mut self, name: &str, bytes: &[u8], verdicts: &BTreeMap<&str, &Value>, kernel: Kernel) {
        let image = match common::try_link(bytes) {
            Ok(image) => image,
            Err(why) => {
                self.unlinked.insert(name.to_owned(), why);
                return;
            }
        };
        let target = Target { kernel, ..Target::default() };
        let options = Options { btf: common::vmlinux(), target, ..Options::default() };
        for (index, program) in image.programs.iter().enumerate() {
            let Some(record) = verdicts.get(program.name.as_str()) else { continue };
            let accepted = match record["verdict"].as_str() {
                Some("ok") => true,
                Some("reject") => false,
                _ => continue,
            };
            let flags = record["flags"].as_u64().unwrap_or(0);
            let options = Options { aligned: flags & STRICT_ALIGNMENT != 0, ..options.clone() };
            let (result, stats) = verify_program(&image, index, &options);
            self.insns += u64::from(stats.insns);
            self.compared += 1;
            let place = format!("{name}/{}", program.name);
            match (accepted, result) {
                (true, Ok(())) | (false, Err(_)) => self.same += 1,
                (false, Ok(())) => {
                    let log = record["log"].as_str().unwrap_or_default();
                    let mut lines = log.lines().rev().filter(|line| !line.starts_with("processed"));
                    self.false_accepts.insert(place, lines.next().unwrap_or_default().to_owned());
                }
                (true, Err(report)) => {
                    let why = format!("{} {}", report.cause.rule().code, report.cause.message());
                    self.false_rejects.entry(why).or_default().push(format!("{place}:{}", report.slot));
                }
            }
        }
    }

    fn print(&self) {
        eprintln!("{} of {} verdicts are the kernel's; {} insns", self.same, self.compared, self.insns);
        for (name, why) in &self.unlinked {
            eprintln!("not linked: {name}: {why}");
        }
        let mut rejects: Vec<_> = self.false_rejects.iter().collect();
        rejects.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
        for (why, names) in rejects {
            eprintln!("rejected, but safe: {:3} {why}: {}", names.len(), names.join(" "));
        }
        for (name, words) in &self.false_accepts {
            eprintln!("accepted, but unsafe: {name}: {words}");
        }
    }
}

#[test]
fn the_verdicts_of_kernel_6_12() {
    compare(KERNELS[0]);
}

#[test]
fn the_verdicts_of_kernel_6_18() {
    compare(KERNELS[1]);
}

fn compare((kernel, floor): Row) {
    let needs = [Need::Oracles, Need::Clang, Need::KernelTree, Need::Vmlinux, Need::Gzip];
    if !tools::have(&needs) {
        return;
    }
    let (Some(oracles), Some(corpus)) = (tools::oracles(), selftests()) else { return };
    let records = common::table(&oracles.join(format!("selftests-6.12-clang19-on-kernel-{kernel}.jsonl.gz")));
    let mut objects: BTreeMap<&str, BTreeMap<&str, &Value>> = BTreeMap::new();
    for record in &records {
        let (object, program) = (record["obj"].as_str().unwrap(), record["prog"].as_str().unwrap());
        objects.entry(object.trim_end_matches(".o")).or_default().insert(program, record);
    }
    let wanted = std::env::var("SKEP_SELFTESTS").unwrap_or_default();
    let all = wanted == "all";
    let mut tally = Tally::default();
    let mut seen = BTreeSet::new();
    for (at, (name, verdicts)) in objects.iter().enumerate() {
        if (all || at % STEP == 0 || wanted == *name)
            && let Some(bytes) = common::selftests::compile(&corpus, name)
        {
            seen.insert(*name);
            tally.object(name, &bytes, verdicts, Kernel::parse(kernel).unwrap());
        }
    }
    tally.print();
    let known = |name: &str| FALSE_ACCEPTS.iter().any(|row| (row.0, row.1) == (kernel, name));
    let new: Vec<_> = tally.false_accepts.keys().filter(|name| !known(name)).collect();
    assert!(new.is_empty(), "{} false accepts: {new:#?}", new.len());
    let judged = |name: &str| name.split_once('/').is_some_and(|(object, _)| seen.contains(object));
    let gone = |row: &&(&str, &str, &str)| {
        row.0 == kernel && judged(row.1) && !tally.false_accepts.contains_key(row.1)
    };
    let gone: Vec<_> = FALSE_ACCEPTS.iter().filter(gone).collect();
    assert!(gone.is_empty(), "no longer accepted, to be taken off the list: {gone:#?}");
    let share = tally.same * 1000 / tally.compared.max(1);
    let floor = if all { floor.0 } else { floor.1 };
    assert!(share >= floor, "{share} of 1000 verdicts are the kernel's; they were {floor}");
}
