//! Random C programs mean the same everywhere: natively, as clang's object in our virtual machine,
//! as ours there at every version of the instruction set and level of optimisation, and, of every
//! sixteenth, as ours in the kernel.
//!
//! `SKEP_PROGRAMS=1000..5000` moves the range of seeds, `SKEP_JOBS` is the number of threads, and
//! `SKEP_CLANG=N` gives clang's object of every Nth batch a turn. A failure names a seed and a file
//! that holds its program. `SKEP_LEDGER=FILE` keeps a list of the batches without a difference: a run
//! that is ended is taken up again where it was.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use skep_runtime::kernel::Kernel;
use skep_stdlib::isa::Cpu;
use skep_tests::engines::{self, Refusal};
use skep_tests::generate::program;
use skep_tests::native;
use skep_tests::tools::{self, CLANG, Need};

/// Calls of each program.
const CALLS: usize = 16;

/// Programs that are compiled natively at once: starting a compiler is the expensive part.
const BATCH: u64 = 50;

/// One of so many programs is run in the kernel.
const IN_KERNEL: u64 = 16;

/// How our compiler is asked; a seed decides.
const BUILDS: [(Cpu, u8); 6] =
    [(Cpu::V3, 2), (Cpu::V1, 2), (Cpu::V4, 2), (Cpu::V2, 1), (Cpu::V3, 0), (Cpu::V4, 1)];

/// How many programs went through each engine.
#[derive(Default)]
struct Counts {
    tried: AtomicUsize,
    ours: AtomicUsize,
    clang: AtomicUsize,
    kernel: AtomicUsize,
    refused: AtomicUsize,
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
#[allow(clippy::print_stderr)]
fn random_programs_mean_the_same() {
    if tools::check(&[Need::Clang]).is_err() {
        return;
    }
    let range = std::env::var("SKEP_PROGRAMS").unwrap_or_else(|_| "100000..100100".to_string());
    let (from, to) = range.split_once("..").expect("`SKEP_PROGRAMS` is a range");
    let (from, to): (u64, u64) = (from.parse().expect("a number"), to.parse().expect("a number"));
    let (next, failures, counts) = (AtomicU64::new(from), Mutex::new(Vec::new()), Counts::default());
    let ledger = Ledger::open();
    std::thread::scope(|scope| {
        for _ in 0..number("SKEP_JOBS", 2) {
            scope.spawn(|| {
                loop {
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    if first >= to {
                        return;
                    }
                    if ledger.done.contains(&first) {
                        continue;
                    }
                    match batch(first, to.min(first + BATCH), &counts) {
                        Ok(()) => ledger.add(first),
                        Err(found) => {
                            eprintln!("{}", found.join("\n"));
                            failures.lock().expect("no thread panics with it").extend(found);
                        }
                    }
                }
            });
        }
    });
    let of = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let (tried, ours) = (of(&counts.tried), of(&counts.ours));
    eprintln!(
        "{tried} programs: {ours} compiled by us, {} by clang, {} ran in the kernel, {} it refused",
        of(&counts.clang),
        of(&counts.kernel),
        of(&counts.refused)
    );
    let failures = failures.into_inner().expect("no thread panics with it");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert!(ours * 2 >= tried, "only {ours} of {tried} programs became machine code");
}

/// The first seeds of the batches that are done, of earlier runs too.
struct Ledger {
    path: Option<PathBuf>,
    done: BTreeSet<u64>,
    writing: Mutex<()>,
}

impl Ledger {
    fn open() -> Ledger {
        let path = std::env::var_os("SKEP_LEDGER").map(PathBuf::from);
        let text = path.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        Ledger {
            path,
            done: text.lines().filter_map(|line| line.parse().ok()).collect(),
            writing: Mutex::new(()),
        }
    }

    fn add(&self, first: u64) {
        let Some(path) = &self.path else { return };
        let _one = self.writing.lock().expect("no thread panics with it");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| writeln!(file, "{first}")).expect("the ledger can be written to");
    }
}

fn scratch() -> PathBuf {
    let folder = tools::root().join("target/random").join(std::process::id().to_string());
    std::fs::create_dir_all(&folder).expect("the target directory can be written to");
    folder
}

/// Compares the programs of some seeds; yields what differs.
fn batch(first: u64, end: u64, counts: &Counts) -> Result<(), Vec<String>> {
    let programs: Vec<(String, String)> = (first..end)
        .map(|seed| {
            let name = format!("p{seed}");
            let text = program::function(&name, seed);
            (name, text)
        })
        .collect();
    let names: Vec<String> = programs.iter().map(|(name, _)| name.clone()).collect();
    let texts: Vec<&str> = programs.iter().map(|(_, text)| text.as_str()).collect();
    let arguments = native::arguments(CALLS);
    let source = scratch().join(format!("random{first}.c"));
    let level = if (first / BATCH).is_multiple_of(2) { "-O0" } else { "-O1" };
    let right = std::fs::write(&source, format!("{}{}", program::PREAMBLE, texts.concat()))
        .map_err(|error| error.to_string())
        .and_then(|()| native::run(CLANG, &[level], &source, &names, &arguments))
        .map_err(|error| vec![format!("{}: {error}", source.display())])?;
    let right = |index: usize| &right[index * CALLS..(index + 1) * CALLS];

    let mut failures = Vec::new();
    if (first / BATCH).is_multiple_of(number("SKEP_CLANG", 1)) {
        failures.extend(by_clang(first, &programs, &arguments, right, counts));
    }
    for (index, (name, text)) in programs.iter().enumerate() {
        count(&counts.tried);
        if let Err(error) = by_us(first + index as u64, name, text, &arguments, right(index), counts) {
            let file = scratch().join(format!("{name}.c"));
            // The program is printed too if it cannot be kept.
            let kept = std::fs::write(&file, format!("{}{text}", program::PREAMBLE));
            let place = kept.map_or_else(|_| text.clone(), |()| file.display().to_string());
            failures.push(format!("seed {name}, {error}: {place}"));
        }
    }
    for file in ["c", "main.c", "out", "bpf.c", "bpf.o"] {
        // What is left is in the way of nothing.
        let _ = std::fs::remove_file(source.with_extension(file));
    }
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}

/// Our object of one program.
fn by_us(
    seed: u64,
    name: &str,
    text: &str,
    arguments: &[(u64, u64)],
    right: &[u64],
    counts: &Counts,
) -> Result<(), String> {
    let names = [name.to_string()];
    let text = engines::programs(&format!("{}{text}", program::PREAMBLE), &names);
    let (cpu, level) = BUILDS[(seed % BUILDS.len() as u64) as usize];
    let build = format!("{cpu:?} -O{level}");
    let object = match engines::ours(&text, cpu, level) {
        Ok(object) => object,
        Err(Refusal::Limit(_)) => return Ok(()),
        Err(Refusal::Error(error)) => return Err(format!("{build}: {error}")),
    };
    let image = engines::link(&object)?;
    count(&counts.ours);
    if seed.is_multiple_of(IN_KERNEL) && tools::have(&[Need::Kernel]) {
        let mut kernel = Kernel::prepare(&image).map_err(|error| error.to_string())?;
        if kernel.load_program(0, 0).is_ok() {
            count(&counts.kernel);
            let results = engines::calls(&mut kernel, 0, arguments);
            engines::against(results, right, arguments)
                .map_err(|error| format!("{build} in the kernel: {error}"))?;
        } else {
            count(&counts.refused);
        }
    }
    for result in engines::interpret(image, &names, arguments)? {
        engines::against(result, right, arguments).map_err(|error| format!("{build}: {error}"))?;
    }
    Ok(())
}

/// clang's object of all programs but those that it refuses.
fn by_clang<'a>(
    first: u64,
    programs: &[(String, String)],
    arguments: &[(u64, u64)],
    right: impl Fn(usize) -> &'a [u64],
    counts: &Counts,
) -> Vec<String> {
    let source = scratch().join(format!("random{first}.bpf.c"));
    let mut refused = BTreeSet::new();
    for _ in 0..8 {
        let kept: Vec<&(String, String)> =
            programs.iter().filter(|(name, _)| !refused.contains(name)).collect();
        let names: Vec<String> = kept.iter().map(|(name, _)| name.clone()).collect();
        let texts: Vec<&str> = kept.iter().map(|(_, text)| text.as_str()).collect();
        let text = engines::programs(&format!("{}{}", program::PREAMBLE, texts.concat()), &names);
        if std::fs::write(&source, &text).is_err() {
            return vec![format!("{} cannot be written", source.display())];
        }
        let object = match engines::clang(&source) {
            Ok(object) => object,
            Err(error) => {
                let before = refused.len();
                refused.extend(named(&error, &text));
                if refused.len() == before {
                    return vec![format!("clang: {error}")];
                }
                continue;
            }
        };
        let results =
            match engines::link(&object).and_then(|image| engines::interpret(image, &names, arguments)) {
                Ok(results) => results,
                Err(error) => return vec![format!("clang's object of {}: {error}", source.display())],
            };
        let mut failures = Vec::new();
        for (name, result) in names.iter().zip(results) {
            count(&counts.clang);
            let index = programs.iter().position(|(of, _)| of == name).unwrap_or(0);
            if let Err(error) = engines::against(result, right(index), arguments) {
                failures.push(format!("seed {name}, clang's object: {error}"));
            }
        }
        return failures;
    }
    Vec::new()
}

/// The programs at the lines that clang complains of.
fn named(error: &str, text: &str) -> BTreeSet<String> {
    let lines: Vec<&str> = text.lines().collect();
    let name_of = |line: &str| {
        let function = || Some(line.strip_prefix("u64 ")?.split_once("(u64 a")?.0.to_string());
        let entry = || Some(line.strip_prefix("ENTRY(")?.strip_suffix(')')?.to_string());
        function().or_else(entry)
    };
    let number = |said: &str| -> Option<usize> {
        let (_, rest) = said.split_once(".bpf.c:")?;
        rest.split(':').next()?.parse().ok()
    };
    let owner = |number: usize| {
        // The function that the line is in starts above; a helper is followed by its program.
        let at = number.min(lines.len()).checked_sub(1)?;
        let start =
            (0..=at).rev().find(|&at| lines[at].starts_with("static ") || name_of(lines[at]).is_some())?;
        lines[start..].iter().find_map(|line| name_of(line))
    };
    let errors = error.lines().filter(|said| said.contains("error:"));
    errors.filter_map(number).filter_map(owner).collect()
}
