//! `skep test`: the cases beside programs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use skep_runtime::Image;
use skep_runtime::object::MapDef;
use skep_runtime::verify::Verified;

use crate::compile::{CompileArgs, compile_file};
use crate::coverage::{Coverage, CoverageArgs};
use crate::engine::EngineName;
use crate::error::{Error, Result};
use crate::io::{DiskFiles, Io};
use crate::load::{self, VerifyArgs};
use crate::testing::case::{Suite, Verdict};
use crate::testing::file::{Case, File, SUFFIX};
use crate::testing::report::{self, Results};

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Files of cases (NAME.test.toml), programs that have one beside them, or directories
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<String>,
    /// Only cases whose name contains this
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Interpret the programs, compile them, or both in turn
    #[arg(long, value_enum, default_values_t = [EngineName::Interp], value_delimiter = ',')]
    engine: Vec<EngineName>,
    /// Write the results in JUnit's form
    #[arg(long, value_name = "FILE")]
    junit: Option<String>,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    coverage: CoverageArgs,
    #[command(flatten)]
    compile: CompileArgs,
    #[command(flatten)]
    verify: VerifyArgs,
}

/// Runs it.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    let files = find(&args.paths)?;
    if files.is_empty() {
        return Err(Error::usage(format!("there is no `*{SUFFIX}` in `{}`", args.paths.join("`, `"))));
    }
    let mut all = Vec::new();
    let mut coverage = Coverage::default();
    for path in files {
        let results = test_file(&args, &path, &mut coverage, io)?;
        if !args.json && !results.cases.is_empty() {
            write!(io.out, "{}", report::text(&results))?;
        }
        all.push(results);
    }
    let (passed, failed) = report::counts(&all);
    match args.json {
        true => writeln!(io.out, "{:#}", report::json(&all))?,
        false => writeln!(io.out, "{passed} passed, {failed} failed")?,
    }
    if let Some(path) = &args.junit {
        io.write(path, report::junit(&all).as_bytes())?;
    }
    if args.coverage.wanted() {
        args.coverage.write(&coverage, io)?;
    }
    if failed > 0 { Err(Error::FINDINGS) } else { Ok(()) }
}

/// The files of cases that paths stand for.
fn find(paths: &[String]) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for path in paths {
        let beside = format!("{}{SUFFIX}", stem(path));
        if Path::new(path).is_dir() {
            let mut found = BTreeSet::new();
            collect(Path::new(path), &mut found, 0).map_err(|error| Error::file(path, error))?;
            files.extend(found);
        } else if path.ends_with(SUFFIX) {
            files.push(path.clone());
        } else if Path::new(&beside).exists() {
            files.push(beside);
        } else {
            return Err(Error::usage(format!("`{path}` has no cases: there is no `{beside}`")));
        }
    }
    Ok(files)
}

/// A program's name without what says that it is one.
fn stem(path: &str) -> &str {
    let stem = path.strip_suffix(".c").or_else(|| path.strip_suffix(".o")).unwrap_or(path);
    stem.strip_suffix(".bpf").unwrap_or(stem)
}

fn collect(folder: &Path, found: &mut BTreeSet<String>, depth: usize) -> std::io::Result<()> {
    // Deeper than this is a loop of links.
    if depth > 40 {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.to_string_lossy();
        if path.is_dir() {
            collect(&path, found, depth + 1)?;
        } else if name.ends_with(SUFFIX) {
            found.insert(name.strip_prefix("./").unwrap_or(&name).to_owned());
        }
    }
    Ok(())
}

fn test_file(args: &Args, path: &str, coverage: &mut Coverage, io: &mut Io<'_>) -> Result<Results> {
    let text = String::from_utf8(io.read(path)?).map_err(|_| Error::file(path, "is not UTF-8"))?;
    let file: File = toml::from_str(&text).map_err(|error| Error::file(path, error))?;
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    let source = source_of(&file, path, folder)?;
    let suite = Suite { file: &file, folder };
    let chosen = file.cases.iter().filter(|case| case.name.contains(&args.filter));
    let chosen: Vec<&Case> = chosen.collect();
    let mut results = Results { path: path.to_owned(), cases: Vec::new() };
    if chosen.is_empty() {
        return Ok(results);
    }
    let disk = DiskFiles::default();
    let mut compile = args.compile.clone();
    compile.define.extend(file.define.iter().cloned());
    let include = file.include.iter().map(|name| folder.join(name).to_string_lossy().into_owned());
    compile.include.extend(include);
    let mut session = compile.session(&disk)?;
    let compiled = match source.ends_with(".c") {
        true => Some(compile_file(&mut session, &source, &compile.options(), io)?),
        false => None,
    };
    let image = match &compiled {
        Some(compiled) => load::link(&source, &compiled.object, &args.verify, io)?,
        None => load::link(&source, &io.read(&source)?, &args.verify, io)?,
    };
    // Most cases change nothing that the verifier looks at.
    let mut known: Option<(Vec<MapDef>, Option<Verified>)> = None;
    let mut prove = |image: Image, io: &mut Io<'_>| -> std::result::Result<Verified, String> {
        let same = known.as_ref().filter(|(maps, _)| *maps == image.maps).map(|(_, verified)| verified.clone());
        let verified = same.unwrap_or_else(|| {
            let maps = image.maps.clone();
            let source = compiled.as_ref().map(|compiled| (compiled, &session));
            let verified = load::verify(image, source, &args.verify, io).ok();
            known = Some((maps, verified.clone()));
            verified
        });
        verified.ok_or_else(|| "the program is not safe".into())
    };
    for case in chosen {
        for &engine in &args.engine {
            let counts = args.coverage.wanted() && engine == EngineName::Interp;
            let mut make = |image: Image, host, io: &mut Io<'_>| {
                let mut vm = engine.machine(prove(image, io)?, host).map_err(|error| error.to_string())?;
                if counts {
                    vm.start_profile();
                }
                Ok(vm)
            };
            let mut done = |vm: &skep_runtime::Vm| {
                if let Some(profile) = vm.profile() {
                    coverage.add(vm.image(), profile, &source);
                }
            };
            let verdict = suite.run(case, &image, &mut make, &mut done, io);
            results.cases.push(named(verdict, engine, args.engine.len()));
        }
    }
    Ok(results)
}

/// With several engines, a case is one for each.
fn named(mut verdict: Verdict, engine: EngineName, engines: usize) -> Verdict {
    if engines > 1 {
        let name = clap::ValueEnum::to_possible_value(&engine);
        let name = name.map_or_else(String::new, |name| name.get_name().to_owned());
        verdict.name = format!("{} ({name})", verdict.name);
    }
    verdict
}

/// The program that the cases are about.
fn source_of(file: &File, path: &str, folder: &Path) -> Result<String> {
    let shown = |path: PathBuf| path.to_string_lossy().into_owned();
    if let Some(name) = &file.source {
        return Ok(shown(folder.join(name)));
    }
    let stem = path.strip_suffix(SUFFIX).unwrap_or(path);
    let candidates = [".bpf.c", ".c", ".bpf.o", ".o"].map(|end| format!("{stem}{end}"));
    let found = candidates.iter().find(|name| Path::new(name).exists());
    found.cloned().ok_or_else(|| Error::file(path, format!("there is no `{}` beside it", candidates.join("`, `"))))
}
