//! The verifier against the kernel's own: the tables of verifier tests of two kernels, as kernels of
//! three versions judged them.
//!
//! Each case is a program as raw instructions with the kinds of its maps. Every difference is a row here
//! with its cause.
#![allow(clippy::print_stderr)]

mod common;

use std::collections::BTreeMap;

use common::agreement::{ACCEPTED, Agreement, Difference};
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
    /// Cases that are judged differently.
    differences: &'static [Difference],
}

const JUDGED: &[Judged] = &[
    Judged { table: "6.1", kernel: Kernel(6, 18), differences: &[] },
    Judged { table: "6.1", kernel: Kernel(6, 12), differences: TYPES },
    Judged { table: "6.1", kernel: Kernel(6, 1), differences: OLDER },
    Judged { table: "6.12", kernel: Kernel(6, 18), differences: &[] },
    Judged { table: "6.12", kernel: Kernel(6, 12), differences: &[] },
];

/// What depends on the structures of the kernel, of which we have those of the newest.
const TYPES: &[Difference] = &[(
    "map_ptr.c: bpf_map_ptr: read non-existent field rejected",
    ACCEPTED,
    "the structure of maps began with another field",
)];

/// What kernel 6.1 judged differently: it could prove less than those after it, and took what they refuse.
#[rustfmt::skip]
const OLDER: &[Difference] = &[
    TYPES[0],
    ("bounds_mix_sign_unsign.c: bounds checks mixing signed and unsigned, variant 10", ACCEPTED,
        "signed bounds were not derived from unsigned ones across zero"),
    ("btf_ctx_access.c: btf_ctx_access accept", "V0106", "four bytes of an address were taken for the address"),
    ("d_path.c: d_path accept", "V0106", "the same"),
];

/// What of a table was not compared, and why.
type Skipped = BTreeMap<&'static str, usize>;

fn compare(case: &Value, verdict: &Value, options: &Options, found: &mut Agreement, skipped: &mut Skipped) {
    let place = format!("{}: {}", case["src"].as_str().unwrap(), case["descr"].as_str().unwrap());
    let log = verdict["k_log"].as_str().unwrap_or_default();
    let refused = (verdict["k_verdict"].as_str().unwrap() != "accept").then_some(log);
    let why = match (cases::build(case), verdict["k_errno"].as_i64()) {
        (Case::Skipped(why), _) => why,
        (_, Some(EPERM)) if log.is_empty() => "of a type that the judge loads no programs of",
        (_, Some(EBADF)) => "with a map that the judge has not",
        (Case::Malformed, _) => {
            assert!(refused.is_some(), "{place}: not instructions");
            return;
        }
        (Case::Image(image), _) => {
            let options = Options { aligned: cases::is_strict(case), ..options.clone() };
            return found.count(place, refused, verify_program(&image, 0, &options).0);
        }
    };
    *skipped.entry(why).or_default() += 1;
}

/// The kernel lets nobody load such programs.
const EPERM: i64 = 1;

/// No map was made.
const EBADF: i64 = 9;

/// Judges a table as the kernel did; what differs from what is known to.
fn judge(judged: &Judged) -> Result<(), String> {
    let Some(oracles) = common::oracles() else { return Ok(()) };
    let (table, kernel) = (judged.table, judged.kernel);
    let cases = common::table(&oracles.join(format!("test_verifier-{table}.jsonl.gz")));
    let name = format!("test_verifier-{table}-on-kernel-{kernel}");
    let verdicts = common::table(&oracles.join(format!("{name}.jsonl.gz")));
    assert_eq!(cases.len(), verdicts.len());
    let target = Target { kernel, ..Target::default() };
    let options = Options { target, btf: common::vmlinux(), ..Options::default() };
    let (mut found, mut skipped) = (Agreement::default(), Skipped::new());
    for (case, verdict) in cases.iter().zip(&verdicts) {
        assert_eq!(case["descr"], verdict["descr"]);
        compare(case, verdict, &options, &mut found, &mut skipped);
    }
    found.print(&name);
    eprintln!("skipped: {skipped:?}");
    let of = |wrong| format!("{name}:\n{wrong}");
    // Messages change from kernel to kernel, and we have those of the newest.
    let words = if kernel == Target::default().kernel {
        found.against_listing(&name, true, |_| true)
    } else {
        Ok(())
    };
    found.against(judged.differences, |_| true).and(words).map_err(of)
}

#[test]
fn the_verdicts_of_kernels() {
    if !common::have(&[common::Need::Gzip]) {
        return;
    }
    // The first that is wrong is enough: most of the others would be wrong for the same reason.
    if let Some(wrong) = JUDGED.iter().find_map(|judged| judge(judged).err()) {
        panic!("{wrong}");
    }
}
