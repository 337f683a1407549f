//! C test cases that have the same results everywhere: natively, as clang's object in the
//! interpreter, as ours in the interpreter at every version of the instruction set, and as ours in
//! the kernel, with the verifier's consent.
//!
//! `suite/torture/*.c` are families of functions `u64 NAME(u64 a, u64 b)`; every function is a case
//! and becomes a program of its own. A family is compiled and run once for all its cases.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Failed, Trial};
use skep_runtime::Image;
use skep_runtime::kernel::Kernel;
use skep_runtime::verify;
use skep_stdlib::isa::Cpu;
use skep_tests::family::{Family, expand};
use skep_tests::tools::{self, CLANG, Need};
use skep_tests::{engines, native, root};

/// Calls of each case.
const CALLS: usize = 16;

/// What every family may use.
const PRELUDE: &str = "prelude.h";

/// How our compiler is asked, and whether the kernel runs the result.
const BUILDS: [(Cpu, u8, bool); 4] =
    [(Cpu::V1, 2, false), (Cpu::V2, 1, false), (Cpu::V3, 2, true), (Cpu::V4, 2, true)];

/// One trial for each case.
pub fn trials() -> Vec<Trial> {
    let folder = root().join("tests/suite/torture");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "c"));
    files.sort();
    let mut families: Vec<Vec<Trial>> = files.iter().map(|path| trials_of(path)).collect();
    // Neighbours are of different families, for threads that run neighbours do not wait.
    let longest = families.iter().map(Vec::len).max().unwrap_or(0);
    let mut trials = Vec::new();
    families.iter_mut().for_each(|family| family.reverse());
    for _ in 0..longest {
        trials.extend(families.iter_mut().filter_map(Vec::pop));
    }
    trials
}

/// The results of a family: what is wrong with each case, or with all of them.
type Results = Result<Vec<Result<(), String>>, String>;

fn trials_of(path: &Path) -> Vec<Trial> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let family = match expand(&text) {
        Ok(family) => family,
        Err(error) => {
            return vec![Trial::test(format!("torture::{stem}"), move || Err(Failed::from(error)))];
        }
    };
    let missing = tools::check(&[Need::Clang]).is_err();
    let names = family.cases.clone();
    let shared = Arc::new((stem.clone(), family, OnceLock::<Results>::new()));
    let trial = |(index, name): (usize, String)| {
        let shared = Arc::clone(&shared);
        let run = move || {
            let (stem, family, results) = &*shared;
            match results.get_or_init(|| judge(stem, family)) {
                Ok(cases) => cases[index].clone().map_err(Failed::from),
                Err(error) => Err(Failed::from(error)),
            }
        };
        Trial::test(format!("torture::{stem}::{name}"), run).with_ignored_flag(missing)
    };
    names.into_iter().enumerate().map(trial).collect()
}

/// Runs all cases everywhere.
fn judge(stem: &str, family: &Family) -> Results {
    let scratch = root().join("target/torture");
    std::fs::create_dir_all(&scratch).map_err(|error| error.to_string())?;
    let prelude = std::fs::read_to_string(root().join("tests/suite/torture").join(PRELUDE))
        .map_err(|error| error.to_string())?;
    let plain = format!("{prelude}{}", family.text);
    let text = engines::programs(&plain, &family.cases);
    let (source, of_programs) = (scratch.join(format!("{stem}.c")), scratch.join(format!("{stem}.bpf.c")));
    std::fs::write(&source, plain).map_err(|error| error.to_string())?;
    std::fs::write(&of_programs, &text).map_err(|error| error.to_string())?;

    let arguments = native::arguments(CALLS);
    let right = native::run(CLANG, &["-O1"], &source, &family.cases, &arguments)?;
    let mut verdicts: Vec<Result<(), String>> = vec![Ok(()); family.cases.len()];
    let mut compare = |engine: &str, results: engines::Results| {
        for (index, result) in results.into_iter().enumerate() {
            let wanted = &right[index * CALLS..(index + 1) * CALLS];
            if let (Err(failure), Ok(())) = (engines::against(result, wanted, &arguments), &verdicts[index]) {
                verdicts[index] = Err(format!("{engine}: {failure}"));
            }
        }
    };
    let clang = engines::link(&engines::clang(&of_programs)?)?;
    compare("clang's object", engines::interpret(clang, &family.cases, &arguments)?);
    for (cpu, level, in_kernel) in BUILDS {
        let build = format!("our object at {cpu:?}, -O{level}");
        let object = engines::ours(&text, cpu, level).map_err(engines::Refusal::text)?;
        let image = engines::link(&object)?;
        if in_kernel && tools::have(&[Need::Kernel]) {
            compare(&format!("{build} in the kernel"), in_the_kernel(&image, &family.cases, &arguments)?);
        }
        compare(&build, engines::interpret(image, &family.cases, &arguments)?);
    }
    Ok(verdicts)
}

/// The results of each case in the kernel. Our verifier must accept what the kernel accepts.
fn in_the_kernel(
    image: &Image,
    cases: &[String],
    arguments: &[(u64, u64)],
) -> Result<engines::Results, String> {
    let mut kernel = Kernel::prepare(image).map_err(|error| error.to_string())?;
    let run = |case: &String| {
        let name = engines::program_of(case);
        let index = image.programs.iter().position(|program| program.name == name);
        let index = index.ok_or("its program is missing")?;
        kernel.load_program(index, 0).map_err(|error| tail(&error.to_string()))?;
        let (verdict, _) = verify::verify_program(image, index, &verify::Options::default());
        verdict.map_err(|report| format!("our verifier: {}: {}", report.slot, report.cause.message()))?;
        engines::calls(&mut kernel, index, arguments)
    };
    Ok(cases.iter().map(run).collect())
}

/// The end of a verifier's log says what is wrong.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
