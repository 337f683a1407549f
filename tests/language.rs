//! The dialect, construct by construct: programs of `suite/language` say what they return, and return
//! it in the kernel, as both compilers make them. Those of `suite/language/beyond` clang-19 refuses.

use skep_tests::both::{self, Tally};
use skep_tests::tools::corpora::{Corpus, selftests, sources};
use skep_tests::tools::loader;
use skep_tests::tools::{self, Need};

/// At least so many programs.
const PROGRAMS: usize = 60;

#[test]
fn programs_return_what_they_say() {
    let Some((corpus, tally)) = look("tests/suite/language") else { return };
    let wrong = tally.news(&[], &[]);
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(tally.by_us, corpus.files.len(), "clang compiles all of them");
    assert!(tally.ran >= PROGRAMS, "{}", tally.report(corpus.name));
    assert_eq!(tally.ran, tally.programs, "some do not return what they say, from clang's object either");
}

#[test]
fn where_clang_is_weak_we_are_not() {
    let Some((corpus, tally)) = look("tests/suite/language/beyond") else { return };
    assert_eq!(tally.by_clang, 0, "clang-19 compiles some of them");
    for file in &corpus.files {
        let object = both::ours(&corpus, file).unwrap_or_else(|said| panic!("{}: {said}", file.display()));
        let verdicts = loader::verdicts(&object).unwrap_or_else(|said| panic!("{}: {said}", file.display()));
        for (name, verdict) in &verdicts {
            let run = verdict.run.filter(|run| run.got == Ok(run.wanted));
            assert!(run.is_some(), "{}, {name}: {verdict:?}", file.display());
        }
        // It is in the way of nothing.
        let _ = std::fs::remove_file(object);
    }
}

/// Compiles the files of a folder with both compilers and has the kernel load and run them.
fn look(folder: &str) -> Option<(Corpus, Tally)> {
    let needs =
        [Need::Clang, Need::Libbpf, Need::Stubs, Need::KernelTree, Need::Vmlinux, Need::Libelf, Need::Kernel];
    let headers = selftests().filter(|_| tools::have(&needs))?;
    let files = sources(&tools::root().join(folder), ".c");
    let corpus = Corpus { name: "language", files, ..headers };
    let mut tally = Tally::default();
    for file in &corpus.files {
        let [verdicts] = both::verdicts(&corpus, file, [both::CPU]);
        tally.add(file, verdicts);
    }
    Some((corpus, tally))
}
