//! Debian's kernels under QEMU judge our objects as clang-19's: the programs of the kernel tree, of
//! all types, also of those that a host refuses whoever compiled them.
//!
//! Emulated kernels are slow: CI boots them when asked to (`.ci/run --vm`), for a sample of the files;
//! `SKEP_FULL=1` looks at all of them, `SKEP_ONLY=NAME` at those whose names hold it.

use std::path::PathBuf;

use skep_tests::both::{self, Objects, Tally};
use skep_tests::tools::corpora::{Corpus, corpora};
use skep_tests::tools::{self, Need, vm};

/// One of so many files is looked at when not all are.
const STEP: usize = 20;

/// Programs that a kernel takes from clang and not from us, each with its cause.
const REFUSED: &[(&str, &str)] = &[
    // It returns what `bpf_timer_test` returns, which clang inlines; what a global function returns is unknown.
    ("timer/test2", "the result of a call that clang inlines"),
];

#[test]
#[allow(clippy::print_stderr)]
fn kernels_judge_our_objects_as_clangs() {
    if !tools::have(&[Need::Vm, Need::Clang, Need::KernelTree, Need::Vmlinux, Need::Libbpf, Need::Libelf]) {
        return;
    }
    let mut wrong = Vec::new();
    for version in vm::KERNELS.iter().rev() {
        for corpus in corpora() {
            let tally = look(version, &corpus).unwrap_or_else(|error| panic!("{version}: {error}"));
            eprintln!("{}", tally.report(&format!("{version}, {}", corpus.name)));
            wrong.extend(tally.news(REFUSED, &[]));
            let lost = tally.refused.len() * 100;
            assert!(lost <= tally.programs.max(200), "{}: {:#?}", corpus.name, tally.refused);
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// Compiles the files of a corpus and has a machine load the objects.
fn look(version: &str, corpus: &Corpus) -> Result<Tally, String> {
    let files = corpus.sample(if corpus.files.len() > STEP { STEP } else { 4 });
    let found = both::each(&files, |file| both::objects(corpus, file));
    let paths = |objects: &Objects| -> Vec<PathBuf> {
        match objects {
            Objects::Both(theirs, ours) => vec![theirs.clone(), ours.clone()],
            Objects::NotByClang | Objects::NotByUs(_) => Vec::new(),
        }
    };
    let list: Vec<PathBuf> = found.iter().flat_map(paths).collect();
    let mut verdicts = vm::verdicts(version, &list)?.into_iter();
    let mut tally = Tally::default();
    for (file, objects) in files.iter().zip(&found) {
        match objects {
            Objects::Both(..) => {
                let (Some(theirs), Some(ours)) = (verdicts.next(), verdicts.next()) else {
                    return Err("verdicts are missing".into());
                };
                tally.add(file, theirs, ours);
            }
            Objects::NotByClang | Objects::NotByUs(_) => tally.add_uncompiled(file, objects),
        }
    }
    for ours in list.iter().skip(1).step_by(2) {
        // It is in the way of nothing.
        let _ = std::fs::remove_file(ours);
    }
    Ok(tally)
}
