//! Tools that read objects take ours wherever they take clang-19's: libbpf's linker, whose output is a
//! fixed point, skeletons, disassemblers, and what prints types. The files are public programs.
//!
//! CI looks at a sample; `SKEP_FULL=1` at all files, `SKEP_ONLY=NAME` at those whose names hold it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use skep_tests::both::{self, Pair};
use skep_tests::tools::corpora::corpora;
use skep_tests::tools::{self, Need, OBJDUMP, PAHOLE, READELF};

/// One of so many files is looked at when not all are.
const STEP: usize = 40;

/// A tool, and what it is asked to do with an object; an error is what it said.
type Consumer = (&'static str, fn(&Path) -> Result<(), String>);

const CONSUMERS: [Consumer; 6] = [
    ("disassembly with source", |object| quiet(Command::new(OBJDUMP).arg("-S").arg(object))),
    ("sections and symbols", |object| quiet(Command::new(READELF).arg("-a").arg(object))),
    ("types", |object| quiet(Command::new(tools::bpftool()).args(["btf", "dump", "file"]).arg(object))),
    ("types as C", |object| quiet(Command::new(PAHOLE).args(["-F", "btf"]).arg(object))),
    ("linked three times", linked),
    ("a skeleton", |object| quiet(Command::new(tools::bpftool()).args(["gen", "skeleton"]).arg(object))),
];

#[test]
#[allow(clippy::print_stderr)]
fn tools_take_our_objects_as_clangs() {
    let needs = [Need::Clang, Need::KernelTree, Need::Vmlinux, Need::Libbpf, Need::Stubs, Need::Bpftool];
    if !tools::have(&needs) || !tools::have(&[Need::Objdump, Need::Readelf, Need::Pahole]) {
        return;
    }
    let mut wrong = Vec::new();
    for corpus in corpora() {
        let files = corpus.sample(if corpus.files.len() > STEP { STEP } else { 4 });
        let found = both::each(&files, |file| {
            let Pair::Both(theirs, ours) = both::objects(&corpus, file) else { return Vec::new() };
            let judged = CONSUMERS.map(|(what, take)| (what, take(&theirs).is_ok(), take(&ours)));
            // It is in the way of nothing.
            let _ = std::fs::remove_file(ours);
            judged.into()
        });
        let mut taken: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
        for (file, judged) in files.iter().zip(found) {
            for (what, theirs, ours) in judged {
                let counts = taken.entry(what).or_default();
                counts[0] += usize::from(theirs);
                counts[1] += usize::from(ours.is_ok());
                if let Some(said) = ours.err().filter(|_| theirs) {
                    wrong.push(format!("{}: {what}: {said}", file.display()));
                }
            }
        }
        for (what, [theirs, ours]) in taken {
            eprintln!("{}: {what}: {theirs} objects of clang, {ours} of ours", corpus.name);
        }
    }
    assert!(wrong.is_empty(), "{} are not taken:\n{}", wrong.len(), wrong.join("\n"));
}

/// The tool succeeds and has nothing to say about it.
fn quiet(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && said.trim().is_empty() {
        return Ok(());
    }
    Err(format!("{}: {}", output.status, said.trim()))
}

/// libbpf's linker takes the object, and its own output without changing it again.
fn linked(object: &Path) -> Result<(), String> {
    let steps: [PathBuf; 3] = ["1.linked", "2.linked", "3.linked"].map(|end| object.with_extension(end));
    let mut from = object;
    let mut result = Ok(());
    for to in &steps {
        let link = Command::new(tools::bpftool()).args(["gen", "object"]).arg(to).arg(from).output();
        let link = link.map_err(|error| error.to_string())?;
        if !link.status.success() {
            result = Err(String::from_utf8_lossy(&link.stderr).trim().to_string());
            break;
        }
        from = to;
    }
    if result.is_ok() {
        let [second, third] = [&steps[1], &steps[2]].map(|path| std::fs::read(path).ok());
        result = if second.is_some() && second == third { Ok(()) } else { Err("no fixed point".into()) };
    }
    for step in steps {
        // It is in the way of nothing.
        let _ = std::fs::remove_file(step);
    }
    result
}
