//! The checks of `skep_tests::check` on a bounded number of inputs: the same ones every time.
//!
//! `tests/fuzz` runs them without end; an input that it finds goes into `suite/fuzz`, which is run here
//! first. `SKEP_ROUNDS` sets another number of rounds, `SKEP_SEED` where random programs begin.

use std::path::PathBuf;

use skep_compiler::{Options, compile};
use skep_driver::io::{DiskFiles, EMBEDDED};
use skep_runtime::Object;
use skep_syntax::{Session, pp};
use skep_tests::check;
use skep_tests::generate::Random;
use skep_tests::root;

fn rounds(usual: usize) -> usize {
    std::env::var("SKEP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}

fn seed(usual: u64) -> u64 {
    std::env::var("SKEP_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(usual)
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths
}

/// C, right and wrong.
fn sources() -> Vec<Vec<u8>> {
    let paths = files("examples", "c").into_iter().chain(files("tests/suite/errors", "c"));
    paths.map(|path| std::fs::read(path).expect("readable")).collect()
}

fn objects() -> Vec<Vec<u8>> {
    let object = |path: PathBuf| {
        let files = DiskFiles::default();
        let options = pp::Options {
            system_dirs: vec![EMBEDDED.into()],
            macros: vec![pp::MacroOption::Define("__TARGET_ARCH_x86".into())],
            ..pp::Options::default()
        };
        let mut cx = Session::new(&files, options);
        let compiled = compile(&mut cx, &path.to_string_lossy(), &Options::default(), &mut |_, _| {});
        compiled.expect("examples compile").object
    };
    files("examples", "c").into_iter().map(object).collect()
}

/// One of the inputs, damaged: bytes changed, pieces taken out, doubled, or put in from another.
fn damaged(random: &mut Random, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = random.pick(inputs).clone();
    for _ in 0..1 + random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        let end = (at + 1 + random.below(24)).min(bytes.len());
        match random.below(5) {
            0 => bytes[at] = random.bits() as u8,
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            3 => bytes.truncate(at),
            _ => {
                let other = random.pick(inputs);
                let from = random.below(other.len().max(1)).min(other.len());
                let piece = other[from..(from + 32).min(other.len())].to_vec();
                bytes.splice(at..end, piece);
            }
        }
    }
    bytes
}

/// Runs a check on what was found before and on damaged inputs; says which input fails.
fn run(name: &str, usual: usize, inputs: &[Vec<u8>]) {
    let (_, check) = check::CHECKS.iter().find(|(known, _)| *known == name).expect("a check of that name");
    let folder = root().join("tests/suite/fuzz").join(name);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        check(&std::fs::read(entry.path()).expect("readable"));
    }
    let mut random = Random::new(1);
    for round in 0..rounds(usual) {
        let bytes = damaged(&mut random, inputs);
        kept(name, round, &bytes, *check);
    }
}

/// What a check says of these bytes, which are written to a file if it panics.
fn kept<T>(name: &str, round: usize, bytes: &[u8], check: fn(&[u8]) -> T) -> T {
    std::panic::catch_unwind(|| check(bytes)).unwrap_or_else(|panic| {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{round}"));
        std::fs::write(&path, bytes).expect("writable");
        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        panic!("round {round}, {}: {text}", path.display());
    })
}

#[test]
fn pp() {
    run("pp", 400, &sources());
}

#[test]
fn parse() {
    run("parse", 300, &sources());
}

#[test]
fn compiled() {
    run("compile", 150, &sources());
}

#[test]
fn object() {
    run("object", 500, &objects());
}

#[test]
fn btf() {
    let section = |bytes: Vec<u8>| {
        let object = Object::parse(&bytes).expect("our own");
        object.section_bytes(".BTF").map(<[u8]>::to_vec).unwrap_or_default()
    };
    run("btf", 2_000, &objects().into_iter().map(section).collect::<Vec<_>>());
}

#[test]
#[allow(clippy::print_stderr)]
fn accepted_never_faults() {
    let mut random = Random::new(seed(7));
    let mut accepted = 0;
    let count = rounds(3_000);
    for round in 0..count {
        let bytes: Vec<u8> = (0..20 + random.below(180)).map(|_| random.bits() as u8).collect();
        accepted += usize::from(kept("accepted_never_faults", round, &bytes, check::accept_and_run));
    }
    eprintln!("{accepted} of {count} accepted");
    // A generator of which nothing is accepted tests nothing.
    assert!(accepted * 5 > count, "{accepted} of {count} accepted");
}
