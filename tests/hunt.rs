//! Random programs that aim at the verifier, judged by ours and by the running kernel's.
//!
//! What we accept the kernel must accept. `SKEP_ROUNDS` sets how many programs there are, `SKEP_SEED` where
//! the random numbers begin; with `SKEP_BOTH` the kernel is also asked about what we refuse, which is
//! printed and is no failure. Bytes of programs judged differently are kept; `SKEP_INPUT=FILE` prints what both
//! have to say of one.
#![allow(clippy::print_stderr)]
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use skep_runtime::kernel::Kernel;
use skep_runtime::verify::{Options, verify_program};
use skep_tests::generate::{Random, bytecode};
use skep_tests::tools::{self, Need};

/// Random programs in CI.
const ROUNDS: usize = 2_000;

/// Why the kernel may refuse what we accept: a part of its words, and the reason.
const EXPLAINED: &[(&str, &str)] = &[(
    "verifier bug: No program to jit",
    "it removes a callback that no path enters, and then looks for it",
)];

/// Differences by the words of who refuses: how many, and one of the programs.
type Found = BTreeMap<String, (usize, String)>;

fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn options() -> Options {
    Options { limit: 50_000, ..Options::default() }
}

/// Prints both verdicts on one program.
fn look(bytes: &[u8], kernel: &Kernel) {
    let image = bytecode::image(bytes, true);
    eprintln!("{:?}", verify_program(&image, 0, &options()));
    eprintln!("{}", kernel.judge(&image.programs[0], 2).unwrap_or_else(|error| error.log));
}

#[test]
fn the_kernel_accepts_what_we_accept() {
    if !tools::have(&[Need::Kernel]) {
        return;
    }
    let kernel = Kernel::prepare(&bytecode::image(&[], true)).expect("the maps can be made");
    if let Some(path) = std::env::var_os("SKEP_INPUT") {
        return look(&std::fs::read(path).expect("readable"), &kernel);
    }
    let both = std::env::var_os("SKEP_BOTH").is_some();
    let mut random = Random::new(number("SKEP_SEED", 1) as u64);
    let (mut accepted, mut wrong, mut refused) = (0, Found::new(), Found::new());
    let rounds = number("SKEP_ROUNDS", ROUNDS);
    for round in 0..rounds {
        let bytes: Vec<u8> = (0..20 + random.below(180)).map(|_| random.bits() as u8).collect();
        let image = bytecode::image(&bytes, true);
        let program = &image.programs[0];
        let ours = verify_program(&image, 0, &options()).0;
        accepted += usize::from(ours.is_ok());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("hunt-{round}"));
        let keep = || std::fs::write(&path, &bytes).expect("writable");
        let listing =
            || program.code.iter().map(|(slot, insn)| format!("{slot}: {insn}\n")).collect::<String>();
        match ours {
            Ok(()) if kernel.judge(program, 0).is_err() => {
                if let Err(error) = kernel.judge(program, 1) {
                    let mut lines = error.log.lines().rev();
                    let words = lines.find(|line| !line.is_empty() && !line.starts_with("processed"));
                    let words = words.unwrap_or_default().to_owned();
                    if EXPLAINED.iter().any(|row| words.contains(row.0)) {
                        continue;
                    }
                    let (count, text) = wrong.entry(words).or_insert((0, String::new()));
                    *count += 1;
                    *text = format!("{}\n{}", path.display(), listing());
                    keep();
                }
            }
            Err(report) if both && kernel.judge(program, 0).is_ok() => {
                let words = format!("{} {}", report.cause.rule().code, report.cause.message());
                let text = format!("at {}, {}\n{}", report.slot, path.display(), listing());
                keep();
                refused.entry(words).or_insert((0, text)).0 += 1;
            }
            Ok(()) | Err(_) => {}
        }
    }
    eprintln!("{rounds} programs, {accepted} accepted");
    for (words, (count, text)) in &refused {
        eprintln!("the kernel accepts {count}: {words}, {text}");
    }
    for (words, (count, text)) in &wrong {
        eprintln!("the kernel refuses {count}: {words}\n{text}");
    }
    assert!(wrong.is_empty(), "{} kinds of false accepts", wrong.len());
}
