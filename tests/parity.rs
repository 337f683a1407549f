//! The kernel's verdict on each program of our objects is that on clang-19's: public programs of the
//! kernel tree, loaded one by one through libbpf. Those that say what they return are run.
//!
//! CI looks at a sample; `SKEP_FULL=1` at all files, which wants a release build, and checks that the
//! list of differences is complete and not too long. `SKEP_ONLY=NAME` looks at the files whose names
//! hold it.

use skep_tests::both::{self, Objects, Tally};
use skep_tests::tools::corpora::{Corpus, corpora};
use skep_tests::tools::loader;
use skep_tests::tools::{self, Need};

/// One of so many files is looked at when not all are.
const STEP: usize = 40;

/// Programs that the kernel takes from clang and not from us, each with its cause.
const REFUSED: &[(&str, &str)] = &[];

/// Files that clang compiles and we do not, each with its cause.
const NOT_COMPILED: &[(&str, &str)] = &[];

#[test]
#[allow(clippy::print_stderr)]
fn the_kernel_judges_our_objects_as_clangs() {
    let needs =
        [Need::Clang, Need::KernelTree, Need::Vmlinux, Need::Libbpf, Need::Stubs, Need::Libelf, Need::Kernel];
    if !tools::have(&needs) {
        return;
    }
    assert!(loader::loader().is_some(), "the loader does not compile");
    let mut wrong = Vec::new();
    for corpus in corpora() {
        let tally = look(&corpus);
        eprintln!("{}", tally.report(corpus.name));
        wrong.extend(tally.news(REFUSED, NOT_COMPILED));
        // At least 99%, with or without a cause that is known; of a few programs, all but two.
        let lost = tally.refused.len() * 100;
        assert!(lost <= tally.programs.max(200), "{}: {:#?}", corpus.name, tally.refused);
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// Compiles and loads the files of a corpus.
fn look(corpus: &Corpus) -> Tally {
    let files = corpus.sample(if corpus.files.len() > STEP { STEP } else { 4 });
    let found = both::each(&files, |file| {
        let objects = both::objects(corpus, file);
        let Objects::Both(theirs, ours) = &objects else { return Err(objects) };
        let verdicts = (loader::verdicts(theirs), loader::verdicts(ours));
        // It is in the way of nothing.
        let _ = std::fs::remove_file(ours);
        Ok(verdicts)
    });
    let mut tally = Tally::default();
    for (file, found) in files.iter().zip(found) {
        match found {
            Ok((theirs, ours)) => tally.add(file, theirs, ours),
            Err(objects) => tally.add_uncompiled(file, &objects),
        }
    }
    tally
}
