//! The verifier as it is for users without capabilities, against what the kernel's own tests expect of
//! them: the tables of verifier tests of two kernels, and the annotated programs of the selftests.
//!
//! A case is tried so if its type is one that everybody may load. What the table expects of a user
//! without capabilities is what it expects of all, where it does not say. Every difference is a row here
//! with its cause.
#![allow(clippy::print_stderr)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::agreement::{Agreement, Difference};
use common::cases::{self, Case};
use serde_json::Value;
use skep_runtime::verify::{Options, verify_program};
use skep_stdlib::capabilities::Capabilities;
use skep_stdlib::features::{Kernel, Target};
use skep_stdlib::programs::ProgType;
use skep_test_tools::corpora::selftests;
use skep_test_tools::{self as tools, Need};

/// A table, and the kernel whose source it is from.
struct Table {
    name: &'static str,
    kernel: Kernel,
    differences: &'static [Difference],
}

const TABLES: &[Table] = &[
    Table { name: "6.1", kernel: Kernel(6, 1), differences: &[] },
    Table { name: "6.12", kernel: Kernel(6, 12), differences: &[] },
];

/// What is verified for.
fn options(kernel: Kernel) -> Options {
    let target = Target { kernel, ..Target::default() };
    Options { target, btf: common::vmlinux(), user: Capabilities::NONE, ..Options::default() }
}

/// What the kernel's test expects of a user without capabilities: the log, if it is to be refused.
fn expected(case: &Value) -> Option<&str> {
    let of = |own: &str, all: &str| match case[own].as_str() {
        None | Some("undef") => case[all].as_str(),
        own => own,
    };
    (of("result_unpriv", "result") == Some("reject"))
        .then(|| of("errstr_unpriv", "errstr").unwrap_or_default())
}

fn is_loadable(case: &Value) -> bool {
    let ty = case["prog_type"].as_u64();
    [ProgType::SocketFilter, ProgType::CgroupSkb].iter().any(|loadable| ty == Some(*loadable as u64))
}

fn judge(table: &Table) -> Result<(), String> {
    let Some(oracles) = common::oracles() else { return Ok(()) };
    let name = format!("test_verifier-{}-unprivileged", table.name);
    let cases = common::table(&oracles.join(format!("test_verifier-{}.jsonl.gz", table.name)));
    let mut found = Agreement::default();
    for case in cases.iter().filter(|case| is_loadable(case)) {
        let place = format!("{}: {}", case["src"].as_str().unwrap(), case["descr"].as_str().unwrap());
        match cases::build(case) {
            Case::Skipped(why) => eprintln!("skipped: {place}: {why}"),
            Case::Malformed => assert!(expected(case).is_some(), "{place}: not instructions"),
            Case::Image(image) => {
                let options = Options { aligned: cases::is_strict(case), ..options(table.kernel) };
                let ours = verify_program(&image, 0, &options).0;
                found.count(place, expected(case), ours);
            }
        }
    }
    found.print(&name);
    found.against(table.differences, |_| true).map_err(|wrong| format!("{name}:\n{wrong}"))
}

/// `BPF_F_STRICT_ALIGNMENT`.
const STRICT_ALIGNMENT: u64 = 1 << 0;

/// What the selftests expect otherwise.
const SELFTESTS: &[Difference] = &[];

/// Which share of the files is compiled when not all are.
const STEP: usize = 6;

#[test]
fn the_selftests() {
    let needs = [Need::Oracles, Need::Clang, Need::KernelTree, Need::Vmlinux, Need::Gzip];
    if !tools::have(&needs) {
        return;
    }
    let (Some(oracles), Some(corpus)) = (tools::oracles(), selftests()) else { return };
    let records = common::table(&oracles.join("selftests-6.12-clang19-on-kernel-6.12.jsonl.gz"));
    let mut objects: BTreeMap<&str, BTreeMap<&str, &Value>> = BTreeMap::new();
    for record in records.iter().filter(|record| record["expect_unpriv"].is_string()) {
        let (object, program) = (record["obj"].as_str().unwrap(), record["prog"].as_str().unwrap());
        objects.entry(object.trim_end_matches(".o")).or_default().insert(program, record);
    }
    let all = std::env::var("SKEP_SELFTESTS").is_ok_and(|wanted| wanted == "all");
    let (mut found, mut seen) = (Agreement::default(), BTreeSet::new());
    for (name, records) in objects.iter().step_by(if all { 1 } else { STEP }) {
        let Some(bytes) = common::selftests::compile(&corpus, name) else { continue };
        let Ok(image) = common::try_link(&bytes) else { continue };
        seen.insert(*name);
        for (index, program) in image.programs.iter().enumerate() {
            let Some(record) = records.get(program.name.as_str()) else { continue };
            let refused = (record["expect_unpriv"] == "fail").then_some("");
            let flags = record["flags"].as_u64().unwrap_or(0);
            let options = Options { aligned: flags & STRICT_ALIGNMENT != 0, ..options(Kernel(6, 12)) };
            found.count(
                format!("{name}/{}", program.name),
                refused,
                verify_program(&image, index, &options).0,
            );
        }
    }
    found.print("selftests-6.12-unprivileged");
    let judged = |name: &str| name.split_once('/').is_some_and(|(object, _)| seen.contains(object));
    found.against(SELFTESTS, judged).unwrap();
}

#[test]
fn the_tables_of_kernels() {
    if !common::have(&[common::Need::Gzip]) {
        return;
    }
    let wrong: Vec<String> = TABLES.iter().filter_map(|table| judge(table).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
