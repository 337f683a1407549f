//! Objects for big-endian machines beside clang-19's: types, CO-RE relocations, symbols, data, and
//! instructions that the disassembler reads.

mod common;

use std::collections::BTreeSet;

use common::{Done, SKEP, Scratch};
use skep_test_tools::{self as tools, Need};

/// The definitions of an object's BTF, each with its members, in no order.
fn types(place: &Scratch, object: &str) -> BTreeSet<String> {
    let done = place.run(&tools::bpftool(), &["btf", "dump", "file", object, "format", "c"], b"");
    assert_eq!(done.code, Some(0), "{object}: {}", done.err);
    // Types of the same name get numbers in the order of their ids, which is ours.
    let numbered = |text: &str| text.contains("___");
    done.out.split("\n\n").filter(|text| !numbered(text)).map(String::from).collect()
}

/// What the loader is asked about the target's types: `struct s::m (0:1)`, and the kind of question.
fn questions(listing: &str) -> BTreeSet<String> {
    let question = |line: &str| {
        let (_, text) = line.split_once("CO-RE ")?;
        let (kind, rest) = text.split_once(" [")?;
        Some(format!("{kind} {}", rest.split_once("] ")?.1))
    };
    listing.lines().filter_map(question).collect()
}

/// The bytes of a section as numbers, empty if there is none.
fn data(place: &Scratch, object: &str, section: &str) -> String {
    let done = place.run(tools::OBJDUMP, &["-s", "-j", section, object], b"");
    let words = |line: &str| line.split("  ").next().unwrap_or("").trim().to_owned();
    done.out.lines().filter(|line| line.starts_with(' ')).map(words).collect()
}

fn listing(place: &Scratch, object: &str) -> String {
    let done = place.run(tools::OBJDUMP, &["-dr", "--no-show-raw-insn", object], b"");
    assert_eq!(done.code, Some(0), "{object}: {}", done.err);
    assert!(!done.out.contains("<unknown>"), "{object}: {}", done.out);
    done.out
}

#[test]
fn objects_hold_what_clangs_hold() {
    if !tools::have(&[Need::Clang, Need::Bpftool, Need::Objdump, Need::KernelTree, Need::Vmlinux]) {
        return;
    }
    let Some(corpus) = tools::corpora::selftests() else { return };
    let place = Scratch::new(&[]);
    let flags = corpus.flags();
    let (mut compared, mut different) = (0, Vec::new());
    for file in corpus.sample(60) {
        let file = file.to_string_lossy();
        let line = |object: &'static str| {
            let base = ["-target", "bpfeb", "-mcpu=v3", "-O2", "-g", "-w"].into_iter();
            let line = base.chain(flags.iter().map(String::as_str));
            line.chain(["-c", &file, "-o", object]).map(String::from).collect::<Vec<String>>()
        };
        let run = |program: &str, first: &[&str], object: &'static str| -> Done {
            let line = line(object);
            let line: Vec<&str> = first.iter().copied().chain(line.iter().map(String::as_str)).collect();
            place.run(program, &line, b"")
        };
        if run(tools::CLANG, &[], "theirs.o").code != Some(0) {
            continue;
        }
        let done = run(SKEP, &["cc"], "ours.o");
        assert_eq!(done.code, Some(0), "{file}: {}", done.err);
        compared += 1;
        let (ours, theirs) = (listing(&place, "ours.o"), listing(&place, "theirs.o"));
        if types(&place, "ours.o") != types(&place, "theirs.o") {
            different.push(format!("{file}: types"));
        }
        if questions(&ours) != questions(&theirs) {
            different
                .push(format!("{file}: {:?}", questions(&ours).symmetric_difference(&questions(&theirs))));
        }
        for section in [".data", ".rodata", ".maps", "license"] {
            let (ours, theirs) = (data(&place, "ours.o", section), data(&place, "theirs.o", section));
            // What clang copies local arrays from has no name; we store numbers.
            let copied_from = section == ".rodata" && ours.is_empty();
            if ours != theirs && !copied_from {
                different.push(format!("{file}: {section}"));
            }
        }
    }
    assert!(compared >= 8, "only {compared} files");
    // A tenth: what only the optimiser decides, such as a question asked twice.
    assert!(different.len() * 10 <= compared, "{compared} compared:\n{}", different.join("\n"));
}

#[test]
fn they_are_verified_but_not_run() {
    let place = Scratch::new(&[(
        "p.bpf.c",
        b"#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n\
          SEC(\"xdp\") int p(struct xdp_md *ctx)\n{\n\tchar *at = (char *)(long)ctx->data, *end = (char *)(long)ctx->data_end;\n\
          \treturn at + 2 <= end ? *(short *)at : XDP_PASS;\n}\nchar L[] SEC(\"license\") = \"GPL\";\n",
    )]);
    assert_eq!(place.skep(&["build", "--endian", "eb", "p.bpf.c", "-o", "p.o"]).code, Some(0));
    assert!(place.skep(&["verify", "p.o"]).out.contains("p: safe"));
    let done = place.skep(&["run", "p.o", "--pkt", "0102"]);
    assert_ne!(done.code, Some(0));
    assert!(done.err.contains("big-endian programs cannot be run here"), "{}", done.err);
}
