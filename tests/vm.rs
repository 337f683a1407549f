//! Debian's kernels under QEMU judge our objects as clang-19's, and as our verifier foresees: the programs
//! of the kernel tree, of all types, also of those that a host refuses whoever compiled them.
//!
//! Emulated kernels are slow: CI boots them when asked to (`.ci/run --vm`), for a sample of the files;
//! `SKEP_FULL=1` looks at all of them, `SKEP_ONLY=NAME` at those whose names hold it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use skep_runtime::Object;
use skep_runtime::object::LinkOptions;
use skep_runtime::verify::{self, Options};
use skep_stdlib::btf::Btf;
use skep_stdlib::features::{Kernel, Target};

use skep_tests::both::{self, Pair, Tally};
use skep_tests::tools::corpora::{Corpus, corpora};
use skep_tests::tools::loader::Verdict;
use skep_tests::tools::{self, Need, vm};

/// One of so many files is looked at when not all are.
const STEP: usize = 20;

/// What compiles the kernel's programs with both compilers, and boots kernels that judge them.
const NEEDS: &[Need] =
    &[Need::Vm, Need::Clang, Need::KernelTree, Need::Vmlinux, Need::Libbpf, Need::Stubs, Need::Libelf];

/// Programs that a kernel takes from clang and not from us, each with its cause.
const REFUSED: &[(&str, &str)] = &[
    // It returns what `bpf_timer_test` returns, which clang inlines; what a global function returns is unknown.
    ("timer/test2", "the result of a call that clang inlines"),
];

#[test]
#[allow(clippy::print_stderr)]
fn kernels_judge_our_objects_as_clangs() {
    if !tools::have(NEEDS) {
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
    let paths = |pair: &Pair| -> Vec<PathBuf> {
        match pair {
            Pair::Both(theirs, ours) => vec![theirs.clone(), ours.clone()],
            Pair::NotByClang | Pair::NotByUs(_) => Vec::new(),
        }
    };
    let list: Vec<PathBuf> = found.iter().flat_map(paths).collect();
    let mut verdicts = vm::verdicts(version, &list)?.into_iter();
    let mut tally = Tally::default();
    for (file, pair) in files.iter().zip(found) {
        let mut next = || verdicts.next().ok_or("verdicts are missing");
        let judged = match pair {
            Pair::NotByClang => Pair::NotByClang,
            Pair::NotByUs(said) => Pair::NotByUs(said),
            Pair::Both(..) => Pair::Both(next()?, next()?),
        };
        tally.add(file, judged);
    }
    for ours in list.iter().skip(1).step_by(2) {
        // It is in the way of nothing.
        let _ = std::fs::remove_file(ours);
    }
    Ok(tally)
}

/// Programs that our verifier judges otherwise than the kernel of this version, each with its cause.
const FORESEEN_WRONG: &[(&str, &str, &str)] = &[
    ("6.1", "dynptr_fail/dynptr_overwrite_unref", DYNPTRS),
    ("6.1", "dynptr_fail/dynptr_invalidate_slice_failure", DYNPTRS),
    ("6.1", "dynptr_fail/invalid_data_slices", DYNPTRS),
    ("6.1", "dynptr_fail/dynptr_pruning_overwrite", DYNPTRS),
    ("6.1", "dynptr_fail/dynptr_pruning_type_confusion", DYNPTRS),
    ("6.1", "dynptr_fail/dynptr_var_off_overwrite", DYNPTRS),
    ("6.1", "dynptr_fail/dynptr_partial_slot_invalidate", DYNPTRS),
];

/// What kernels check of dynamic pointers since 6.3 is asked of all.
const DYNPTRS: &str = "kernels before 6.3 let dynamic pointers be overwritten";

/// What was foreseen of clang's objects.
#[derive(Default)]
struct Foresight {
    /// Programs that the kernel's verifier judged, and ours.
    judged: usize,
    /// Of these, those that both refuse.
    refused: usize,
    /// Objects that do not link with this kernel's types, each with what was said.
    unlinked: Vec<String>,
    /// Programs that are judged otherwise, and what was said.
    wrong: Vec<(String, String)>,
}

#[test]
#[allow(clippy::print_stderr)]
fn kernels_judge_as_our_verifier_foresees() {
    if !tools::have(NEEDS) {
        return;
    }
    let mut news = Vec::new();
    for version in vm::KERNELS.iter().rev() {
        let kernel = Kernel::parse(version).expect("a version");
        let btf = vm::types(version).unwrap_or_else(|error| panic!("{version}: {error}"));
        let btf = Some(Arc::new(Btf::parse(btf).expect("a kernel's own types")));
        let target = Target { kernel, ..Target::default() };
        let options = Options { target, btf, ..Options::default() };
        for corpus in corpora() {
            let found =
                foresee(version, &corpus, &options).unwrap_or_else(|error| panic!("{version}: {error}"));
            eprintln!(
                "{version}, {}: of {} programs {} are judged as foreseen, {} of them refused; {} objects do not link",
                corpus.name,
                found.judged,
                found.judged - found.wrong.len(),
                found.refused,
                found.unlinked.len()
            );
            let known = |name: &str| FORESEEN_WRONG.iter().any(|row| row.0 == *version && row.1 == name);
            news.extend(
                found
                    .wrong
                    .into_iter()
                    .filter(|(name, _)| !known(name))
                    .map(|(n, s)| format!("{version} {n}: {s}")),
            );
        }
    }
    assert!(news.is_empty(), "{} differences:\n{}", news.len(), news.join("\n"));
}

/// Judges clang's objects of a corpus, and has a machine judge them.
fn foresee(version: &str, corpus: &Corpus, options: &Options) -> Result<Foresight, String> {
    let files = corpus.sample(if corpus.files.len() > STEP { STEP } else { 4 });
    let objects: Vec<PathBuf> =
        both::each(&files, |file| both::clang(corpus, file, both::CPU)).into_iter().flatten().collect();
    let verdicts = vm::verdicts(version, &objects)?;
    let mut found = Foresight::default();
    for (path, theirs) in objects.iter().zip(verdicts) {
        let Ok(theirs) = theirs else { continue };
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = name.split_once('-').map_or(&*name, |(_, name)| name);
        if let Err(said) = compare(path, name, &theirs, options, &mut found) {
            found.unlinked.push(format!("{name}: {said}"));
        }
    }
    Ok(found)
}

/// Compares the verdicts on the programs of an object.
fn compare(
    path: &Path,
    name: &str,
    theirs: &BTreeMap<String, Verdict>,
    options: &Options,
    found: &mut Foresight,
) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let link = LinkOptions { target_btf: options.btf.clone(), ..LinkOptions::default() };
    let image =
        Object::parse(&bytes).and_then(|object| object.link(&link)).map_err(|error| error.to_string())?;
    for (index, program) in image.programs.iter().enumerate() {
        // What did not get to the kernel's verifier was not judged by it.
        let Some(verdict) = theirs.get(&program.name).filter(|verdict| verdict.walked > 0) else { continue };
        let ours = verify::verify_program(&image, index, options).0;
        found.judged += 1;
        let said = match (verdict.error, ours) {
            (0, Err(report)) => {
                format!("refused by us: {} {}", report.cause.rule().code, report.cause.message())
            }
            (1.., Ok(())) => format!("accepted by us: {}", verdict.said),
            (1.., Err(_)) => {
                found.refused += 1;
                continue;
            }
            _ => continue,
        };
        found.wrong.push((format!("{name}/{}", program.name), said));
    }
    Ok(())
}
