//! The verifier against the kernel's own: the tables of verifier tests of two kernels, as kernels of
//! three versions judged them.
//!
//! Each case is a program as raw instructions with the kinds of its maps. A case that the kernel
//! rejects and we accept is a false accept: none is allowed but those listed with a reason. The
//! share of equal verdicts may only grow.
#![allow(clippy::print_stderr)]

mod common;

use std::collections::BTreeMap;

use common::cases::{self, Case};
use serde_json::Value;
use skep_runtime::verify::{Options, verify_program};
use skep_stdlib::features::{Kernel, Target};

/// A table as one kernel judged it.
struct Judged {
    /// The kernel whose source the table is from.
    table: &'static str,
    /// The kernel that judged it.
    kernel: Kernel,
    /// Equal verdicts of all compared cases, in tenths of a percent. Raise it when more agree.
    floor: usize,
    /// Cases that the kernel rejects and we accept, each with its reason.
    false_accepts: &'static [(&'static str, &'static str)],
}

const JUDGED: &[Judged] = &[
    Judged { table: "6.1", kernel: Kernel(6, 18), floor: 996, false_accepts: &[] },
    Judged { table: "6.1", kernel: Kernel(6, 1), floor: 970, false_accepts: OLDER },
    Judged { table: "6.12", kernel: Kernel(6, 18), floor: 990, false_accepts: &[] },
    Judged { table: "6.12", kernel: Kernel(6, 12), floor: 990, false_accepts: &[] },
];

/// Safe programs that kernel 6.1 rejects, because it could prove less than those after it.
#[rustfmt::skip]
const OLDER: &[(&str, &str)] = &[
    ("bounds_mix_sign_unsign.c: bounds checks mixing signed and unsigned, variant 10",
        "signed bounds were not derived from unsigned ones across zero"),
    ("loops1.c: bounded loop, start in the middle",
        "an edge back by falling through was refused before the walk"),
    ("map_ptr.c: bpf_map_ptr: read non-existent field rejected",
        "the structure of maps began with another field"),
    ("spill_fill.c: Spill a u32 const scalar.  Refill as u16.  Offset to skb->data",
        "a part of a spilled number was unknown when filled"),
    ("spill_fill.c: Spill u32 const scalars.  Refill as u64.  Offset to skb->data",
        "two spilled numbers side by side were unknown when filled as one"),
];

/// The verdicts of all cases, counted.
#[derive(Default)]
struct Tally {
    same: usize,
    compared: usize,
    skipped: BTreeMap<&'static str, usize>,
    /// Cases we accept and the kernel does not, with its words.
    false_accepts: BTreeMap<String, String>,
    /// How often each rule of ours rejects what the kernel accepts, with the first cases.
    false_rejects: BTreeMap<String, Vec<String>>,
}

impl Tally {
    fn count(&mut self, case: &Value, verdict: &Value, options: &Options) {
        let options = Options { aligned: cases::is_strict(case), ..options.clone() };
        let rejection = match cases::build(case) {
            Case::Skipped(why) => {
                *self.skipped.entry(why).or_default() += 1;
                return;
            }
            Case::Malformed => Some("not instructions".to_owned()),
            Case::Image(image) => verify_program(&image, 0, &options).0.err().map(|report| {
                let words = report.cause.message();
                format!("{} {words}", report.cause.rule().code)
            }),
        };
        if verdict["k_errno"] == 1 && verdict["k_log"] == "" {
            *self.skipped.entry("of a type that the judge loads no programs of").or_default() += 1;
            return;
        }
        self.compared += 1;
        let name = format!("{}: {}", case["src"].as_str().unwrap(), case["descr"].as_str().unwrap());
        match (verdict["k_verdict"].as_str().unwrap() == "accept", rejection) {
            (true, None) | (false, Some(_)) => self.same += 1,
            (false, None) => {
                let log = verdict["k_log"].as_str().unwrap_or_default();
                let words = log.lines().find(|line| !line.starts_with("processed")).unwrap_or_default();
                self.false_accepts.insert(name, words.to_owned());
            }
            (true, Some(why)) => self.false_rejects.entry(why).or_default().push(name),
        }
    }
}

/// Judges a table as the kernel did; what went wrong, if anything.
fn judge(judged: &Judged) -> Result<(), String> {
    let Some(oracles) = common::oracles() else { return Ok(()) };
    let (table, kernel) = (judged.table, judged.kernel);
    let cases = common::table(&oracles.join(format!("test_verifier-{table}.jsonl.gz")));
    let name = format!("test_verifier-{table}-on-kernel-{kernel}.jsonl.gz");
    let verdicts = common::table(&oracles.join(name));
    assert_eq!(cases.len(), verdicts.len());
    let target = Target { kernel, ..Target::default() };
    let options = Options { target, btf: common::vmlinux(), ..Options::default() };
    let mut tally = Tally::default();
    for (case, verdict) in cases.iter().zip(&verdicts) {
        assert_eq!(case["descr"], verdict["descr"]);
        tally.count(case, verdict, &options);
    }
    eprintln!(
        "table {table} on kernel {kernel}: {} of {} verdicts are the kernel's; skipped: {:?}",
        tally.same, tally.compared, tally.skipped
    );
    for (why, names) in &tally.false_rejects {
        eprintln!("rejected, but safe: {:3} {why}: {}", names.len(), names.join("; "));
    }
    for (name, words) in &tally.false_accepts {
        eprintln!("accepted, but unsafe: {name}: {words}");
    }
    let known = |name: &str| judged.false_accepts.iter().any(|row| row.0 == name);
    let new: Vec<_> = tally.false_accepts.keys().filter(|name| !known(name)).collect();
    let gone = |row: &&(&str, &str)| !tally.false_accepts.contains_key(row.0);
    let gone: Vec<_> = judged.false_accepts.iter().filter(gone).collect();
    let share = tally.same * 1000 / tally.compared;
    match () {
        () if !new.is_empty() => Err(format!("{table} on {kernel}: {} false accepts: {new:#?}", new.len())),
        () if !gone.is_empty() => {
            Err(format!("{table} on {kernel}: no longer accepted, to be taken off the list: {gone:#?}"))
        }
        () if share < judged.floor => {
            Err(format!("{table} on {kernel}: {share} of 1000 verdicts are equal, not {}", judged.floor))
        }
        () => Ok(()),
    }
}

#[test]
fn the_verdicts_of_kernels() {
    if !common::have(&[common::Need::Gzip]) {
        return;
    }
    let wrong: Vec<String> = JUDGED.iter().filter_map(|judged| judge(judged).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
