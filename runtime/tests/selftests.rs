//! The verifier against the kernel's own: the annotated programs of the kernel's selftests, as
//! clang compiles them and kernels 6.12 and 6.18 judged them.
//!
//! Only every [`STEP`]th file is compiled, unless `SKEP_FULL=1` asks for all of them. Every
//! difference is a row here with its cause.
#![allow(clippy::print_stderr)]

mod common;

use common::selftests::STRICT_ALIGNMENT;
use std::collections::{BTreeMap, BTreeSet};

use common::agreement::{ACCEPTED, Agreement, Difference};
use serde_json::Value;
use skep_runtime::verify::{Options, verify_program};
use skep_stdlib::features::{Kernel, Target};
use skep_test_tools::corpora::selftests;
use skep_test_tools::{self as tools, Need};

/// Which share of the files is compiled when not all are.
const STEP: usize = 12;

/// What kernel 6.12 and we judge differently.
#[rustfmt::skip]
const ON_6_12: &[Difference] = &[
    ("iters_task_failure/iter_css_lock_and_unlock", ACCEPTED, "that kernel was built without error injection"),
    ("iters_task_failure/iter_tasks_lock_and_unlock", ACCEPTED, "the same"),
    ("verifier_global_subprogs/arg_tag_ctx_fmod_ret", ACCEPTED, "the same"),
    ("verifier_map_ptr/read_non_existent_field_rejected", ACCEPTED, "the types are those of the running kernel"),
    ("verifier_bpf_fastcall/cumulative_stack_depth", "V0506", "stack of calls that keep registers counts"),
];

/// What kernel 6.18 and we judge differently.
#[rustfmt::skip]
const ON_6_18: &[Difference] = &[
    ("verifier_bpf_fastcall/cumulative_stack_depth", "V0506", "stack of calls that keep registers counts"),
];

/// What came of it.
#[derive(Default)]
struct Tally {
    found: Agreement,
    /// Objects that did not link, and why.
    unlinked: BTreeMap<String, String>,
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
            let log = record["log"].as_str().unwrap_or_default();
            let refused = match record["verdict"].as_str() {
                Some("ok") => None,
                Some("reject") => Some(log),
                _ => continue,
            };
            let flags = record["flags"].as_u64().unwrap_or(0);
            let options = Options { aligned: flags & STRICT_ALIGNMENT != 0, ..options.clone() };
            let ours = verify_program(&image, index, &options).0;
            self.found.count(format!("{name}/{}", program.name), refused, ours);
        }
    }
}

#[test]
fn the_verdicts_of_kernel_6_12() {
    compare("6.12", ON_6_12);
}

#[test]
fn the_verdicts_of_kernel_6_18() {
    compare("6.18", ON_6_18);
}

fn compare(kernel: &str, differences: &[Difference]) {
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
    let all = tools::full();
    let only = std::env::var("SKEP_ONLY").ok();
    let mut tally = Tally::default();
    let mut seen = BTreeSet::new();
    for (at, (name, verdicts)) in objects.iter().enumerate() {
        if only.as_deref().map_or(all || at % STEP == 0, |only| name.contains(only))
            && let Some(bytes) = common::selftests::compile(&corpus, name)
        {
            seen.insert(*name);
            tally.object(name, &bytes, verdicts, Kernel::parse(kernel).unwrap());
        }
    }
    for (name, why) in &tally.unlinked {
        eprintln!("not linked: {name}: {why}");
    }
    let listing = format!("selftests-6.12-on-kernel-{kernel}");
    tally.found.print(&listing);
    let judged = |name: &str| name.split_once('/').is_some_and(|(object, _)| seen.contains(object));
    let mut wrong: Vec<String> = tally.found.against(differences, judged).err().into_iter().collect();
    wrong.extend(tally.found.against_listing(&listing, all, judged).err());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
