//! What our code guarantees the kernel's verifier: source that looks right is accepted, at every level and every
//! version of the instruction set, by the kernel and by our verifier.
//!
//! `suite/guarantees/*.c` are programs, one trial for each; a file is about one of the fourteen guarantees of
//! `skep_compiler::opt` and is compiled once for all its programs. Programs that a header lists as `refused`
//! are refused when clang compiles them, clang-19 if none is named, with the flags that follow: they show that the
//! trap is real. Where no clang falls in, `shown_by` names the test of the compiler that forbids the shape.
//! Without optimisation most of clang's are refused, and all of ours are accepted.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Failed, Trial};
use skep_compiler::{Options, compile};
use skep_driver::io::{DiskFiles, EMBEDDED};
use skep_runtime::kernel::Kernel;
use skep_runtime::object::LinkOptions;
use skep_runtime::verify;
use skep_runtime::{Image, Object};
use skep_stdlib::isa::Cpu;
use skep_syntax::diag::Style;
use skep_syntax::{Session, pp};
use skep_tests::tools::{self, CLANG, Need};
use skep_tests::{case, native, root};

/// What every case may use.
const PRELUDE: &str = "prelude.h";

/// How many guarantees there are.
const GUARANTEES: u32 = 14;

/// At least so many programs.
const PROGRAMS: usize = 40;

/// At least so many of them are refused when clang compiles them.
const TRAPS: usize = 40;

/// How the programs are compiled.
const BUILDS: [(Cpu, u8); 6] =
    [(Cpu::V1, 2), (Cpu::V2, 2), (Cpu::V3, 2), (Cpu::V4, 2), (Cpu::V3, 0), (Cpu::V3, 1)];

/// One trial for each program, and one for the list.
pub fn trials() -> Vec<Trial> {
    let folder = root().join("tests/suite/guarantees");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    files.sort();
    let mut trials = Vec::new();
    let (mut about, mut traps) = (Vec::new(), 0);
    for path in &files {
        let (header, found) = trials_of(path);
        trials.extend(found);
        let Some(header) = header else { continue };
        if !header.refused.is_empty() || header.shown_by.as_deref().is_some_and(is_test) {
            about.extend(header.guarantee);
        }
        traps += header.refused.len();
    }
    let programs = trials.len();
    trials.push(Trial::test("guarantees::without_optimisation", move || Ok(without_optimisation(&files)?)));
    trials.push(Trial::test("guarantees::all", move || {
        let missing: Vec<u32> = (1..=GUARANTEES).filter(|number| !about.contains(number)).collect();
        match (missing.as_slice(), programs >= PROGRAMS && traps >= TRAPS) {
            ([], true) => Ok(()),
            _ => Err(format!("{programs} programs, {traps} traps; none about {missing:?}").into()),
        }
    }));
    trials
}

/// Is this the place of a test, `FILE::NAME`?
fn is_test(place: &str) -> bool {
    place.split_once("::").is_some_and(|(file, name)| {
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
        text.contains(&format!("fn {name}()"))
    })
}

/// What is wrong with each program of a file, or with all of them.
type Results = Result<Vec<(String, Result<(), String>)>, String>;

fn trials_of(path: &Path) -> (Option<case::Header>, Vec<Trial>) {
    let stem = stem(path);
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let header = match case::header(&text) {
        Ok(header) => header,
        Err(error) => {
            return (
                None,
                vec![Trial::test(format!("guarantees::{stem}"), move || Err(Failed::from(error)))],
            );
        }
    };
    let names: Vec<String> = text.lines().filter_map(program_of).map(str::to_owned).collect();
    let shared = Arc::new((stem.clone(), text, header.refused.clone(), OnceLock::<Results>::new()));
    let trial = |name: String| {
        let shared = Arc::clone(&shared);
        let wanted = name.clone();
        let run = move || {
            let (stem, text, refused, results) = &*shared;
            let results = results.get_or_init(|| judge(stem, text, refused));
            let programs = results.as_ref().map_err(Failed::from)?;
            let found = programs.iter().find(|(name, _)| *name == wanted);
            let verdict =
                found.map_or_else(|| Err("its program is missing".into()), |(_, verdict)| verdict.clone());
            verdict.map_err(Failed::from)
        };
        Trial::test(format!("guarantees::{stem}::{name}"), run)
    };
    let trials = names.into_iter().map(trial).collect();
    (Some(header), trials)
}

/// clang's programs, compiled without optimisation, are refused: nothing of that is what we compare with, but
/// who debugs a program wants to load it.
fn without_optimisation(files: &[PathBuf]) -> Result<(), String> {
    if !tools::have(&[Need::Clang]) {
        return Ok(());
    }
    let mut refused = 0;
    for path in files {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let image = link(&clangs(CLANG, &source(&format!("{}.O0", stem(path)), &text)?, &["-O0"])?)?;
        let is_refused =
            |index: &usize| verify::verify_program(&image, *index, &verify::Options::default()).0.is_err();
        refused += (0..image.programs.len()).filter(is_refused).count();
    }
    match refused >= PROGRAMS {
        true => Ok(()),
        false => Err(format!("only {refused} of clang's programs are refused at -O0")),
    }
}

/// Writes a program with what every case may use to the scratch directory.
fn source(stem: &str, text: &str) -> Result<PathBuf, String> {
    let prelude = std::fs::read_to_string(root().join("tests/suite/guarantees").join(PRELUDE))
        .map_err(|error| error.to_string())?;
    let scratch = root().join("target/guarantees");
    std::fs::create_dir_all(&scratch).map_err(|error| error.to_string())?;
    let source = scratch.join(format!("{stem}.bpf.c"));
    std::fs::write(&source, format!("{prelude}{text}")).map_err(|error| error.to_string())?;
    Ok(source)
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The program that a line defines: `SEC("tc") int NAME(...)`.
fn program_of(line: &str) -> Option<&str> {
    let (_, rest) = line.strip_prefix("SEC(")?.split_once(") int ")?;
    rest.split_once('(').map(|(name, _)| name)
}

fn judge(stem: &str, text: &str, refused: &[String]) -> Results {
    let source = source(stem, text)?;
    let mut verdicts: Vec<(String, Result<(), String>)> = Vec::new();
    for (cpu, level) in BUILDS {
        let image = link(&ours(&source, cpu, level)?)?;
        let mut kernel = match tools::have(&[Need::Kernel]) {
            true => Some(Kernel::prepare(&image).map_err(|error| error.to_string())?),
            false => None,
        };
        for (index, program) in image.programs.iter().enumerate() {
            let accepted = accepted(&image, index, kernel.as_mut());
            let verdict = accepted.map_err(|error| format!("at {cpu:?}, -O{level}: {error}"));
            match verdicts.iter_mut().find(|(name, _)| *name == program.name) {
                Some((_, known)) if known.is_ok() => *known = verdict,
                Some(_) => {}
                None => verdicts.push((program.name.clone(), verdict)),
            }
        }
    }
    if !refused.is_empty() && tools::have(&[Need::Clang]) {
        for entry in refused {
            let mut words = entry.split(' ').peekable();
            let name = words.next().unwrap_or_default();
            let compiler = words.next_if(|word| word.starts_with("clang-")).unwrap_or(CLANG);
            if compiler != CLANG && !tools::runs(compiler) {
                continue;
            }
            let image = link(&clangs(compiler, &source, &words.collect::<Vec<_>>())?)?;
            let index = image.programs.iter().position(|program| program.name == name);
            let index = index.ok_or_else(|| format!("no program is called `{name}`"))?;
            let (verdict, _) = verify::verify_program(&image, index, &verify::Options::default());
            if let (Ok(()), Some((_, known))) = (verdict, verdicts.iter_mut().find(|(n, _)| n == name)) {
                *known = Err("clang's object is accepted: it is no trap".into());
            }
        }
    }
    Ok(verdicts)
}

/// Do the kernel, if there is one, and our verifier accept the program?
fn accepted(image: &Image, index: usize, kernel: Option<&mut Kernel>) -> Result<(), String> {
    if let Some(kernel) = kernel {
        kernel.load_program(index, 0).map_err(|error| tail(&error.to_string()))?;
    }
    let (verdict, _) = verify::verify_program(image, index, &verify::Options::default());
    verdict.map_err(|report| format!("our verifier: {}: {}", report.slot, report.cause.message()))
}

/// The end of a verifier's log says what is wrong.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

fn ours(source: &Path, cpu: Cpu, level: u8) -> Result<Vec<u8>, String> {
    let files = DiskFiles::default();
    let paths = pp::Options { system_dirs: vec![EMBEDDED.into()], ..pp::Options::default() };
    let mut cx = Session::new(&files, paths);
    let options = Options { cpu, level, ..Options::default() };
    let compiled = compile(&mut cx, &source.to_string_lossy(), &options, &mut |_, _| {});
    compiled.map(|compiled| compiled.object).map_err(|_| cx.render(Style::default()))
}

fn clangs(compiler: &str, source: &Path, flags: &[&str]) -> Result<Vec<u8>, String> {
    let object = source.with_extension("o");
    let mut command = Command::new(compiler);
    command.args(["-w", "-g", "-O2", "-target", "bpf", "-mcpu=v3", "-c"]);
    command.args(flags);
    command.arg(format!("-I/usr/include/{}-linux-gnu", std::env::consts::ARCH));
    native::execute(command.arg(source).arg("-o").arg(&object))?;
    std::fs::read(object).map_err(|error| error.to_string())
}

fn link(object: &[u8]) -> Result<Image, String> {
    let object = Object::parse(object).map_err(|error| error.to_string())?;
    object.link(&LinkOptions::default()).map_err(|error| error.to_string())
}
