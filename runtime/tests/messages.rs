//! The log of a walk against the kernel's: the texts that the kernel's selftests expect in the
//! verifier's log, looked for in ours.
//!
//! Of the annotated programs, as clang compiles them, those count of which kernel 6.12 said what was
//! expected. Only every [`STEP`]th file is compiled, unless `SKEP_FULL` asks for all. Two shares may
//! only grow: the texts of programs that must be refused, and all texts.
#![allow(clippy::print_stderr)]

mod common;

use common::selftests::{STRICT_ALIGNMENT, TEST_STATE_FREQ};
use std::collections::BTreeMap;

use serde_json::Value;
use skep_runtime::Image;
use skep_runtime::verify::Options;
use skep_runtime::verify::log::{Level, log};
use skep_stdlib::btf::{Btf, Kind, Type};
use skep_stdlib::features::{Kernel, Target};
use skep_test_tools::corpora::selftests;
use skep_test_tools::{self as tools, Need};

/// Which share of the files is compiled when not all are.
const STEP: usize = 12;

/// Texts that are found, in tenths of a percent, of refused programs and of all: of every file, of the share.
const FLOOR: [(usize, usize); 2] = [(970, 970), (970, 960)];

/// Begins the tag of a text; its number follows.
const TEXT: &str = "comment:test_expect_msg=";

/// The texts that a function's tags expect, in order.
fn expected(btf: &Btf, function: skep_stdlib::btf::TypeId) -> Vec<String> {
    let tags = btf.ids().filter(|&id| btf.kind(id) == Some(Kind::DeclTag)).filter_map(|tag| btf.ty(tag));
    let mut texts: Vec<(u32, String)> = tags
        .filter_map(|tag| match tag {
            Type::DeclTag { name, ty, component: None } if ty == function => {
                let (number, text) = name.strip_prefix(TEXT)?.split_once('=')?;
                Some((number.parse().ok()?, text.to_owned()))
            }
            _ => None,
        })
        .collect();
    texts.sort();
    texts.into_iter().map(|(_, text)| text).collect()
}

/// Is the text in the log? What stands between `{{` and `}}` in it is a regular expression: anything
/// within the line is taken for it.
fn holds(log: &str, text: &str) -> bool {
    let mut literals = text.split("{{").enumerate().map(|(at, part)| match at {
        0 => part,
        _ => part.split_once("}}").map_or("", |(_, rest)| rest),
    });
    let first = literals.next().unwrap_or_default();
    let rest: Vec<&str> = literals.collect();
    log.lines().any(|line| {
        line.match_indices(first).any(|(at, _)| {
            let mut after = &line[at + first.len()..];
            rest.iter()
                .all(|literal| after.find(literal).map(|at| after = &after[at + literal.len()..]).is_some())
        })
    })
}

/// Texts, counted.
#[derive(Default)]
struct Tally {
    found: usize,
    wanted: usize,
    /// What is missing, with what we say, and the programs.
    missing: BTreeMap<(String, String), Vec<String>>,
}

impl Tally {
    fn share(&self) -> usize {
        self.found * 1000 / self.wanted.max(1)
    }

    fn print(&self, what: &str) {
        eprintln!("{} of {} texts of {what} are found", self.found, self.wanted);
        let mut missing: Vec<_> = self.missing.iter().collect();
        missing.sort_by_key(|((_, ours), names)| (std::cmp::Reverse(names.len()), ours));
        for ((text, ours), names) in missing {
            eprintln!("{:3} wanted `{text}`\n    ours   `{ours}`: {}", names.len(), names.join(" "));
        }
    }
}

/// Looks for the texts of all programs of an object.
fn object(name: &str, image: &Image, verdicts: &BTreeMap<&str, &Value>, tallies: &mut [Tally; 2]) {
    let Some(btf) = image.btf.as_deref() else { return };
    let target = Target { kernel: Kernel::parse("6.12").unwrap(), ..Target::default() };
    let options = Options { btf: common::vmlinux(), target, ..Options::default() };
    for (index, program) in image.programs.iter().enumerate() {
        let Some(record) = verdicts.get(program.name.as_str()) else { continue };
        let function = program.functions.first().and_then(|function| function.btf_func);
        let Some(function) = function.filter(|_| record["msg_ok"] == 1) else { continue };
        let is_refused = record["verdict"] == "reject";
        let flags = record["flags"].as_u64().unwrap_or(0);
        let options = Options {
            eager: flags & TEST_STATE_FREQ != 0,
            aligned: flags & STRICT_ALIGNMENT != 0,
            ..options.clone()
        };
        let (result, log) = log(image, index, &options, Level::All);
        let ours = match result {
            Ok(()) => "(accepted)".to_owned(),
            Err(report) => report.cause.kernel_log().join("\n"),
        };
        for text in expected(btf, function) {
            let tally = &mut tallies[usize::from(!is_refused)];
            tally.wanted += 1;
            if holds(&log, &text) {
                tally.found += 1;
            } else {
                let place = format!("{name}/{}", program.name);
                tally.missing.entry((text, ours.clone())).or_default().push(place);
            }
        }
    }
}

#[test]
fn the_texts_that_selftests_expect() {
    let needs = [Need::Oracles, Need::Clang, Need::KernelTree, Need::Vmlinux, Need::Gzip];
    if !tools::have(&needs) {
        return;
    }
    let (Some(oracles), Some(corpus)) = (tools::oracles(), selftests()) else { return };
    let records = common::table(&oracles.join("selftests-6.12-clang19-on-kernel-6.12.jsonl.gz"));
    let mut objects: BTreeMap<&str, BTreeMap<&str, &Value>> = BTreeMap::new();
    for record in &records {
        let (object, program) = (record["obj"].as_str().unwrap(), record["prog"].as_str().unwrap());
        objects.entry(object.trim_end_matches(".o")).or_default().insert(program, record);
    }
    let all = tools::full();
    let mut tallies = <[Tally; 2]>::default();
    for (at, (name, verdicts)) in objects.iter().enumerate() {
        if (all || at % STEP == 0)
            && let Some(bytes) = common::selftests::compile(&corpus, name)
            && let Ok(image) = common::try_link(&bytes)
        {
            object(name, &image, verdicts, &mut tallies);
        }
    }
    let [refused, accepted] = &tallies;
    refused.print("programs that are refused");
    accepted.print("programs that are accepted");
    let both = Tally {
        found: refused.found + accepted.found,
        wanted: refused.wanted + accepted.wanted,
        ..Tally::default()
    };
    for (tally, floor) in [refused, &both].into_iter().zip(FLOOR) {
        let floor = if all { floor.0 } else { floor.1 };
        assert!(tally.share() >= floor, "{} of 1000 texts are found; they were {floor}", tally.share());
    }
}
