//! Code of both compilers side by side, function by function: `cargo bench -p skep-tests --bench code_size`.
//!
//! Prints, for each version of the instruction set and for `-Os`, and for each corpus, our slots of 8 bytes and bytes
//! of stack as ratios to clang-19's: total, geometric mean of the objects, and the worst. Every object counts that
//! both compilers make. `SKEP_CPU=v1` measures one version only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use object::read::elf::ElfFile64;
use object::{Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};
use skep_driver::measure;
use skep_stdlib::ByteOrder;
use skep_stdlib::isa;
use skep_tests::bench::{binary, report};
use skep_tests::tools::{self, Need};

/// Every so many of the kernel's selftests are measured; `SKEP_FULL=1` measures all.
const STEP: usize = 5;

/// How many of the worst are listed.
const WORST: usize = 10;

/// What both compilers are asked for.
const MODES: [[&str; 2]; 5] =
    [["-mcpu=v3", "-O2"], ["-mcpu=v1", "-O2"], ["-mcpu=v2", "-O2"], ["-mcpu=v4", "-O2"], ["-mcpu=v3", "-Os"]];

/// A source and what it needs.
struct Source {
    path: PathBuf,
    flags: Vec<String>,
}

/// Slots and stack of each function of an object.
type Functions = BTreeMap<String, Size>;

#[derive(Clone, Copy, Default)]
struct Size {
    slots: u64,
    stack: u64,
}

fn main() {
    if let Err(missing) = tools::check(&[Need::Clang, Need::Libbpf]) {
        report(&format!("not measured: no {}", missing.name()));
        return;
    }
    let skep = binary();
    let scratch = std::env::temp_dir().join(format!("skep-code-size-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a scratch directory");
    let only = std::env::var("SKEP_CPU").unwrap_or_default();
    for (mode, (name, sources)) in MODES.iter().flat_map(|mode| corpora().into_iter().map(move |c| (mode, c)))
    {
        if !mode[0].contains(&only) {
            continue;
        }
        let both: Vec<(String, Functions, Functions)> = sources
            .iter()
            .filter_map(|source| {
                let stem = source.path.file_stem()?.to_string_lossy().into_owned();
                let theirs = compile(&[tools::CLANG.into(), "-w".into()], mode, source, &scratch)?;
                let ours =
                    compile(&[skep.to_string_lossy().into_owned(), "cc".into()], mode, source, &scratch)?;
                Some((stem, ours, theirs))
            })
            .collect();
        let mode = mode.join(" ");
        report(&format!("{mode} {name}: {} of {} objects are made by both", both.len(), sources.len()));
        compare("slots", &both, |size| size.slots);
        compare("stack", &both, |size| size.stack);
    }
    // The scratch directory is below the system's temporary one; leaving it behind is no failure.
    let _ = std::fs::remove_dir_all(scratch);
}

/// The corpora that are here, by name.
fn corpora() -> Vec<(&'static str, Vec<Source>)> {
    let include = |dirs: &[PathBuf]| -> Vec<String> {
        dirs.iter().flat_map(|dir| ["-I".to_string(), dir.to_string_lossy().into_owned()]).collect()
    };
    let vmlinux: Vec<PathBuf> =
        tools::vmlinux().and_then(|file| Some(file.parent()?.to_path_buf())).into_iter().collect();
    let mut found = Vec::new();
    if let Some(dir) = tools::seeds() {
        found.push(("seeds", sources(&dir, ".bpf.c", &include(&vmlinux))));
    }
    if let Some(dir) = tools::workloads() {
        let mut flags = include(std::slice::from_ref(&dir));
        flags.push("-DTARGET_XDP".into());
        found.push(("workloads", sources(&dir, ".c", &flags)));
    }
    if let Some(selftests) = tools::corpora::selftests() {
        let flags = selftests.flags();
        let source = |path| Source { path, flags: flags.clone() };
        found.push(("selftests", selftests.sample(STEP).into_iter().map(source).collect()));
    }
    found
}

/// The files of a directory whose names end like this, in order.
fn sources(dir: &Path, end: &str, flags: &[String]) -> Vec<Source> {
    let entries = std::fs::read_dir(dir).expect("the corpus can be read");
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.to_string_lossy().ends_with(end));
    files.sort();
    files.into_iter().map(|path| Source { path, flags: flags.to_vec() }).collect()
}

/// The functions that a compiler makes of a source; `None` when it makes none.
fn compile(command: &[String], mode: &[&str], source: &Source, scratch: &Path) -> Option<Functions> {
    let out = scratch.join("out.o");
    let status = Command::new(&command[0])
        .args(&command[1..])
        .args(["-target", "bpf", "-g", "-D__TARGET_ARCH_x86"])
        .args(mode)
        .args(["-I", "/usr/include/x86_64-linux-gnu"])
        .args(&source.flags)
        .arg("-c")
        .arg(&source.path)
        .arg("-o")
        .arg(&out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let bytes = status.ok().filter(|status| status.success()).and_then(|_| std::fs::read(&out).ok())?;
    functions(&bytes)
}

/// Slots and stack of each function in an object file.
fn functions(bytes: &[u8]) -> Option<Functions> {
    let file = ElfFile64::<Endianness>::parse(bytes).ok()?;
    let mut found = Functions::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
        let section = file.section_by_index(symbol.section_index()?).ok()?;
        let start = usize::try_from(symbol.address()).ok()?;
        let end = start.checked_add(usize::try_from(symbol.size()).ok()?)?;
        let code = section.data().ok()?.get(start..end)?;
        let insns = isa::decode_program(code, ByteOrder::Little).ok()?;
        let size = Size { slots: symbol.size() / 8, stack: measure::stack(&insns) };
        found.insert(symbol.name().ok()?.to_string(), size);
    }
    (!found.is_empty()).then_some(found)
}

/// Prints the ratios of one measure.
fn compare(what: &str, both: &[(String, Functions, Functions)], of: impl Fn(&Size) -> u64) {
    let sum = |functions: &Functions| functions.values().map(&of).sum::<u64>();
    let (ours, theirs) = both.iter().fold((0, 0), |(a, b), (_, x, y)| (a + sum(x), b + sum(y)));
    let ratio = |ours: u64, theirs: u64| (ours.max(1)) as f64 / (theirs.max(1)) as f64;
    let logs: f64 = both.iter().map(|(_, x, y)| ratio(sum(x), sum(y)).ln()).sum();
    let mean = (logs / both.len().max(1) as f64).exp();
    report(&format!("  {what}: total {:.3}, geometric mean {mean:.3}", ratio(ours, theirs)));
    let mut worst: Vec<(u64, u64, String)> = Vec::new();
    for (file, x, y) in both {
        for (name, size) in x {
            if let Some(other) = y.get(name) {
                worst.push((of(size), of(other), format!("{file}:{name}")));
            }
        }
    }
    worst.retain(|&(ours, theirs, _)| ours > theirs);
    worst.sort_by(|a, b| ratio(b.0, b.1).total_cmp(&ratio(a.0, a.1)));
    report(&format!("  {} functions take more; the worst:", worst.len()));
    for (ours, theirs, name) in worst.iter().take(WORST) {
        report(&format!("    {:.3} ({ours} for {theirs}) {name}", ratio(*ours, *theirs)));
    }
}
