//! The verifier against the kernel's own: the annotated programs of the kernel's selftests, as
//! clang compiles them and kernel 6.18 judged them.
//!
//! Only every [`STEP`]th file is compiled, unless `SKEP_SELFTESTS=all` asks for all of them. A
//! program that the kernel rejects and we accept is a false accept: none is allowed but those
//! listed with a reason. The share of equal verdicts may only grow.
#![allow(clippy::print_stderr)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use skep_runtime::object::LinkOptions;
use skep_runtime::verify::{Options, verify_program};
use skep_runtime::{Image, Object};
use skep_test_tools::corpora::{Corpus, selftests};
use skep_test_tools::{self as tools, Need};

/// Which share of the files is compiled when not all are.
const STEP: usize = 12;

/// Equal verdicts of all compared programs, in tenths of a percent: of every file, of the share.
const FLOOR: (usize, usize) = (990, 940);

/// Programs that the kernel rejects and we accept, each with its reason.
#[rustfmt::skip]
const FALSE_ACCEPTS: &[(&str, &str)] = &[
    ("dummy_st_ops_fail/test_unsupported_field_sleepable",
        "which members of an interface may sleep is known to the interface's module alone"),
    ("verifier_direct_packet_access/packet_access_test17_pruning_alignment",
        "loaded with the flag for strict alignment, which is no mode of ours"),
];

/// The object of a selftest, compiled as the kernel's build does; none if it does not compile.
fn compile(corpus: &Corpus, name: &str) -> Option<Vec<u8>> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("selftests");
    std::fs::create_dir_all(&directory).unwrap();
    let output = directory.join(format!("{name}.o"));
    if !output.exists() {
        let file = corpus.files.iter().find(|file| file.file_stem().is_some_and(|stem| stem == name))?;
        let mut command = Command::new(tools::CLANG);
        command.args(["-g", "-O2", "-target", "bpf", "-mcpu=v3", "-w", "-c"]).args(corpus.flags());
        command.arg(file).arg("-o").arg(&output);
        let result = command.output().unwrap();
        if !result.status.success() {
            eprintln!(
                "{name}: {}",
                String::from_utf8_lossy(&result.stderr).lines().next().unwrap_or_default()
            );
            return None;
        }
    }
    std::fs::read(output).ok()
}

fn link(bytes: &[u8]) -> Result<Image, String> {
    let options = LinkOptions { target_btf: common::vmlinux(), ..LinkOptions::default() };
    let object = Object::parse(bytes).map_err(|error| error.to_string())?;
    object.link(&options).map_err(|error| error.to_string())
}

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
    fn object(&mut self, name: &str, bytes: &[u8], verdicts: &BTreeMap<&str, &Value>) {
        let image = match link(bytes) {
            Ok(image) => image,
            Err(why) => {
                self.unlinked.insert(name.to_owned(), why);
                return;
            }
        };
        let options = Options { btf: common::vmlinux(), ..Options::default() };
        for (index, program) in image.programs.iter().enumerate() {
            let Some(record) = verdicts.get(program.name.as_str()) else { continue };
            let accepted = match record["verdict"].as_str() {
                Some("ok") => true,
                Some("reject") => false,
                _ => continue,
            };
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
fn the_verdicts_of_kernel_6_18() {
    let needs = [Need::Oracles, Need::Clang, Need::KernelTree, Need::Vmlinux, Need::Gzip];
    if !tools::have(&needs) {
        return;
    }
    let (Some(oracles), Some(corpus)) = (tools::oracles(), selftests()) else { return };
    let records = common::table(&oracles.join("selftests-6.12-clang19-on-kernel-6.18.jsonl.gz"));
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
            && let Some(bytes) = compile(&corpus, name)
        {
            seen.insert(*name);
            tally.object(name, &bytes, verdicts);
        }
    }
    tally.print();
    let known = |name: &str| FALSE_ACCEPTS.iter().any(|row| row.0 == name);
    let new: Vec<_> = tally.false_accepts.keys().filter(|name| !known(name)).collect();
    assert!(new.is_empty(), "{} false accepts: {new:#?}", new.len());
    let judged = |name: &str| name.split_once('/').is_some_and(|(object, _)| seen.contains(object));
    let gone = |row: &&(&str, &str)| judged(row.0) && !tally.false_accepts.contains_key(row.0);
    let gone: Vec<_> = FALSE_ACCEPTS.iter().filter(gone).collect();
    assert!(gone.is_empty(), "no longer accepted, to be taken off the list: {gone:#?}");
    let share = tally.same * 1000 / tally.compared.max(1);
    let floor = if all { FLOOR.0 } else { FLOOR.1 };
    assert!(share >= floor, "{share} of 1000 verdicts are the kernel's; they were {floor}");
}
