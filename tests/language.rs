//! The dialect, construct by construct: programs of `suite/language` say what they return, and return
//! it in the kernel, as both compilers make them.

use skep_tests::both::{self, Objects, Tally};
use skep_tests::tools::corpora::{Corpus, selftests, sources};
use skep_tests::tools::loader;
use skep_tests::tools::{self, Need};

/// At least so many programs.
const PROGRAMS: usize = 60;

#[test]
fn programs_return_what_they_say() {
    let needs = [Need::Clang, Need::Libbpf, Need::KernelTree, Need::Vmlinux, Need::Libelf, Need::Kernel];
    let Some(headers) = selftests().filter(|_| tools::have(&needs)) else { return };
    let files = sources(&tools::root().join("tests/suite/language"), ".c");
    let corpus = Corpus { name: "language", files, ..headers };
    let mut tally = Tally::default();
    for file in &corpus.files {
        match both::objects(&corpus, file) {
            Objects::Both(theirs, ours) => {
                tally.add(file, loader::verdicts(&theirs), loader::verdicts(&ours));
                // It is in the way of nothing.
                let _ = std::fs::remove_file(ours);
            }
            objects => tally.add_uncompiled(file, &objects),
        }
    }
    let wrong = tally.news(&[], &[]);
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(tally.by_us, corpus.files.len(), "clang compiles all of them");
    assert!(tally.ran >= PROGRAMS, "{}", tally.report(corpus.name));
    assert_eq!(tally.ran, tally.programs, "some do not return what they say, from clang's object either");
}
