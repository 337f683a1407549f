//! What the README and the book show is what the command does.
//!
//! Every `$ skep ...` line of a code block, every `skep ...` in backquotes, and the README's cargo
//! command is run in a directory with the examples and the files that the text supposes; the lines
//! below a command must come out in their order. Numbers of instructions may differ.

mod common;

use std::path::PathBuf;

use common::{Done, Scratch};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a loader prints of a program that the kernel refuses.
const LOG: &str = "libbpf: prog 'drop_udp': BPF program load failed: Permission denied
libbpf: prog 'drop_udp': -- BEGIN PROG LOAD LOG --
0: (61) r6 = *(u32 *)(r1 +4)
invalid access to packet, off=0 size=4, R1(id=0,off=0,r=0)
processed 1 insns
";

/// A capture with one short packet.
fn capture() -> Vec<u8> {
    let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    for word in [0u32, 0, 65535, 1, 1, 0, 14, 14] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6]);
    bytes
}

/// The directory in which the reader stands.
fn place() -> Scratch {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for entry in std::fs::read_dir(root().join("examples")).expect("readable").flatten() {
        let name = format!("examples/{}", entry.file_name().to_string_lossy());
        files.push((name, std::fs::read(entry.path()).expect("readable")));
    }
    let example = |name: &str| std::fs::read(root().join(name)).expect("readable");
    files.push(("no_ping.bpf.c".into(), example("tests/suite/book/no_ping.bpf.c")));
    files.push(("x.bpf.c".into(), example("examples/drop_udp.bpf.c")));
    files.push(("lib.bpf.c".into(), b"int shared;\n".to_vec()));
    files.push((
        "other.bpf.c".into(),
        b"__attribute__((section(\"xdp\"))) int drop_udp(void *c) { return 1; }\n".to_vec(),
    ));
    files.push(("prog.bpf.c".into(), example("examples/hello.bpf.c")));
    files.push(("FILE".into(), example("examples/drop_udp.in.hex")));
    files.push(("traffic.pcap".into(), capture()));
    files.push(("kernel.log".into(), LOG.as_bytes().to_vec()));
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_slice())).collect();
    let place = Scratch::new(&files);
    assert_eq!(place.skep(&["build", "x.bpf.c"]).code, Some(0));
    for name in ["lib", "other"] {
        assert_eq!(place.skep(&["build", &format!("{name}.bpf.c")]).code, Some(0));
    }
    place
}

/// A command line and the lines shown below it.
#[derive(Debug)]
struct Shown {
    document: String,
    line: String,
    output: Vec<String>,
}

fn shown(document: &str, text: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    let mut in_block = false;
    let mut open = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            (in_block, open) = (!in_block, false);
            continue;
        }
        let command = line.strip_prefix("$ skep ").filter(|_| in_block);
        let command = command.or_else(|| line.strip_prefix("    cargo run --release -- "));
        if let Some(command) = command {
            found.push(Shown { document: document.into(), line: command.into(), output: Vec::new() });
            open = in_block;
        } else if open && let Some(shown) = found.last_mut() {
            shown.output.push(line.trim_end().to_owned());
        } else if !in_block {
            for code in line.split('`').skip(1).step_by(2) {
                // Without a file, a command or flag is only named.
                let has_file = |rest: &str| rest.split(' ').skip(1).any(|word| !word.starts_with('-'));
                let words = code.strip_prefix("skep ").filter(|rest| has_file(rest) && !rest.contains("..."));
                let output = Vec::new();
                found.extend(words.map(|line| Shown {
                    document: document.into(),
                    line: line.into(),
                    output,
                }));
            }
        }
    }
    found
}

/// Splits at blanks; quotes keep blanks together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            ('\'', None) => quote = Some(c),
            ('\'', Some(_)) => quote = None,
            (' ', None) => words.push(String::new()),
            (c, _) => words.last_mut().expect("there is one").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Without the digits before `instructions`.
fn without_counts(line: &str) -> String {
    match line.split_once(" instructions") {
        Some((before, after)) => {
            format!("{} instructions{after}", before.trim_end_matches(|c: char| c.is_ascii_digit()))
        }
        None => line.trim_end().to_owned(),
    }
}

fn check(shown: &Shown, done: &Done) -> Result<(), String> {
    let fails = shown.output.iter().any(|line| line.starts_with("error"));
    if done.code != Some(i32::from(fails)) {
        return Err(format!("exit code {:?}", done.code));
    }
    let printed = format!("{}{}", done.out, done.err);
    let mut lines = printed.lines().map(without_counts);
    for expected in shown.output.iter().filter(|line| !line.is_empty()) {
        if !lines.any(|line| line == without_counts(expected)) {
            return Err(format!("does not print (in this place) `{expected}`"));
        }
    }
    Ok(())
}

#[test]
fn commands_do_what_the_text_shows() {
    let mut documents = vec![root().join("README.md")];
    let pages = std::fs::read_dir(root().join("book/src")).expect("readable").flatten();
    documents
        .extend(pages.map(|page| page.path()).filter(|path| path.extension().is_some_and(|e| e == "md")));
    documents.sort();
    let place = place();
    let mut wrong = Vec::new();
    let mut count = 0;
    for document in documents {
        let text = std::fs::read_to_string(&document).expect("readable");
        for shown in shown(&document.display().to_string(), &text) {
            count += 1;
            let words = words(&shown.line);
            let mut args: Vec<&str> = words.iter().map(String::as_str).collect();
            if args.last().is_some_and(|word| word.starts_with('<')) {
                // Redirected input is empty here anyway.
                args.pop();
            }
            let done = place.skep(&args);
            if let Err(why) = check(&shown, &done) {
                wrong.push(format!(
                    "{}: `skep {}` {why}:\n{}{}",
                    shown.document, shown.line, done.out, done.err
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 15, "only {count} commands found");
}
