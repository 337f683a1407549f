//! Whatever the kernel takes from clang-19 it takes from us: all public programs of the kernel tree, loaded one by
//! one through libbpf. Those that say what they return are run.
//!
//! All, because what a change of the optimiser makes the kernel refuse is one program in hundreds: a sample misses
//! it. `SKEP_ONLY=NAME` looks at the files whose names hold it.

use skep_tests::both::{self, Tally};
use skep_tests::tools::corpora::{Corpus, corpora};
use skep_tests::tools::loader;
use skep_tests::tools::{self, Need};

/// What clang is asked for. The kernel takes from it for one version what it refuses for another: we lose neither.
const CPUS: [&str; 2] = [both::CPU, "v1"];

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
        for (cpu, tally) in CPUS.iter().zip(look(&corpus)) {
            eprintln!("{}", tally.report(&format!("{}, clang for {cpu}", corpus.name)));
            wrong.extend(tally.news(REFUSED, NOT_COMPILED));
            // At least 99%, with or without a cause that is known; of a few programs, all but two.
            let lost = tally.refused.len() * 100;
            assert!(lost <= tally.programs.max(200), "{}: {:#?}", corpus.name, tally.refused);
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// Compiles and loads the files of a corpus: a tally for each of [`CPUS`].
fn look(corpus: &Corpus) -> [Tally; 2] {
    let files = corpus.sample(1);
    let found = both::each(&files, |file| both::verdicts(corpus, file, CPUS));
    let mut tallies = [Tally::default(), Tally::default()];
    for (file, judged) in files.iter().zip(found) {
        for (tally, verdicts) in tallies.iter_mut().zip(judged) {
            tally.add(file, verdicts);
        }
    }
    tallies
}
