//! `skep cc`: clang's command line in front of our compiler.
//!
//! What build systems ask of clang besides compiling is answered in clang's form: `--version`,
//! `-v -E -`, `-dM -E -`, `-mcpu=help`, dependency files. A construct that is not supported ends
//! with 1, as an error of clang does.


use skep_compiler::Options;
use skep_syntax::pp::{self, Dep};
use skep_syntax::{Session, parse};

use crate::cc_args::{self, Invocation, Mode};
use crate::compile::{HOST_DIRS, compile_file, isa_cpu, report};
use crate::error::{Error, Result};
use crate::io::{DiskFiles, EMBEDDED, Io, STDIN};

/// Everything after `cc`.
#[derive(clap::Args)]
pub struct Args {
    /// clang's arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<String>,
}

/// Runs it.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    let mut cx = cc_args::parse(&args.args)?;
    if let Some(color) = cx.color {
        io.color = color;
    }
    if cx.version {
        return version(io);
    }
    if cx.cpu_help {
        let text = "Available CPUs for this target:\n\n  generic\n  probe\n  v1\n  v2\n  v3\n  v4\n\n";
        return Ok(write!(io.err, "{text}")?);
    }
    if !cx.no_standard_dirs {
        cx.pp.system_dirs.push(EMBEDDED.into());
        cx.pp.after_dirs.extend(HOST_DIRS.map(String::from));
    }
    if cx.verbose || cx.dry_run {
        search_directories(&cx, io)?;
    }
    match cx.inputs.as_slice() {
        [] if cx.verbose || cx.dry_run => Ok(()),
        [] => Err(Error::usage("no input files")),
        _ if cx.dry_run => Ok(()),
        inputs if inputs.len() > 1 && cx.output.is_some() => {
            Err(Error::usage("cannot specify -o when generating multiple output files"))
        }
        inputs => {
            let mut result = Ok(());
            for input in inputs {
                match one(&cx, input, io) {
                    Err(Error::Reported(code)) => result = Err(Error::Reported(code)),
                    other => other?,
                }
            }
            result
        }
    }
}

fn version(io: &mut Io<'_>) -> Result {
    // Build systems look for `clang version X.Y` and a target.
    let ours = env!("CARGO_PKG_VERSION");
    writeln!(io.out, "clang version 19.1.0 (compatible; skep {ours})")?;
    writeln!(io.out, "Target: bpf\nThread model: posix")?;
    Ok(())
}

fn search_directories(cx: &Invocation, io: &mut Io<'_>) -> Result {
    writeln!(io.err, "#include \"...\" search starts here:")?;
    for directory in &cx.pp.quote_dirs {
        writeln!(io.err, " {directory}")?;
    }
    writeln!(io.err, "#include <...> search starts here:")?;
    for directory in cx.pp.include_dirs.iter().chain(&cx.pp.system_dirs).chain(&cx.pp.after_dirs) {
        if directory != EMBEDDED {
            writeln!(io.err, " {directory}")?;
        }
    }
    writeln!(io.err, "End of search list.")?;
    Ok(())
}

/// One input file.
fn one(cx: &Invocation, input: &str, io: &mut Io<'_>) -> Result {
    let mut files = DiskFiles::default();
    if input == STDIN {
        files.stdin = Some(io.read(STDIN)?);
    } else if let Err(error) = std::fs::metadata(input) {
        return Err(Error::file(input, error.to_string().to_lowercase()));
    }
    let mut options = cx.pp.clone();
    options.text_only = matches!(cx.mode, Mode::Preprocess | Mode::Dependencies);
    let mut session = Session::new(&files, options);
    match cx.mode {
        Mode::Preprocess | Mode::Dependencies => preprocess(cx, input, &mut session, io),
        Mode::SyntaxOnly => {
            let tokens = pp::preprocess(&mut session, input);
            let unit = parse::unit(&mut session, &tokens);
            skep_compiler::sema::analyze(&unit, &mut session);
            finish(&session, io)
        }
        Mode::Object | Mode::Assembly => object(cx, input, &mut session, io),
        Mode::Link => Err(Error::usage("BPF programs are not linked: pass -c, or -S, or -E")),
    }
}

fn finish(session: &Session<'_>, io: &mut Io<'_>) -> Result {
    report(session, io)?;
    if session.diags.has_errors() { Err(Error::FINDINGS) } else { Ok(()) }
}

fn preprocess(cx: &Invocation, input: &str, session: &mut Session<'_>, io: &mut Io<'_>) -> Result {
    let output = pp::run(session, input);
    finish(session, io)?;
    let target = cx.output.clone().unwrap_or_else(|| STDIN.into());
    if cx.mode == Mode::Dependencies {
        return io.write(&target, dependencies(cx, input, &target, &output.deps).as_bytes());
    }
    let text = match cx.dump_macros {
        true => output.macros.print(&session.source, &session.names).into_bytes(),
        false => pp::print(&output.tokens, &session.source, &session.names, !cx.no_line_markers),
    };
    io.write(&target, &text)?;
    write_dependencies(cx, input, &target, &output.deps, io)
}

fn object(cx: &Invocation, input: &str, session: &mut Session<'_>, io: &mut Io<'_>) -> Result {
    let options = Options {
        level: cx.opt_level,
        cpu: isa_cpu(cx.pp.cpu),
        big_endian: cx.pp.big_endian,
        btf: cx.btf,
        check: false,
    };
    let compiled = compile_file(session, input, &options, io)?;
    let deps = compiled.deps.clone();
    let (extension, bytes) = match cx.mode {
        Mode::Assembly => ("s", crate::listing::assembly(&compiled, session).into_bytes()),
        _ => ("o", compiled.object),
    };
    let output = cx.output.clone().unwrap_or_else(|| replace_extension(input, extension));
    io.write(&output, &bytes)?;
    write_dependencies(cx, input, &output, &deps, io)
}

/// `dir/x.bpf.c` becomes `x.bpf.o` in the current directory.
fn replace_extension(input: &str, extension: &str) -> String {
    let name = input.rsplit('/').next().unwrap_or(input);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    format!("{stem}.{extension}")
}

fn write_dependencies(cx: &Invocation, input: &str, output: &str, deps: &[Dep], io: &mut Io<'_>) -> Result {
    if !cx.deps.write {
        return Ok(());
    }
    let file = cx.deps.file.clone().unwrap_or_else(|| replace_extension(output, "d"));
    io.write(&file, dependencies(cx, input, output, deps).as_bytes())
}

/// A make rule: the target, then every file that was read. The embedded headers cannot change.
fn dependencies(cx: &Invocation, input: &str, output: &str, deps: &[Dep]) -> String {
    let on_disk: Vec<Dep> = deps.iter().filter(|dep| !dep.path.starts_with(EMBEDDED)).cloned().collect();
    let targets = match (cx.deps.targets.as_slice(), output) {
        ([], STDIN) => vec![replace_extension(input, "o")],
        ([], output) => vec![output.to_owned()],
        (targets, _) => targets.to_vec(),
    };
    pp::make_rule(&targets, &on_disk, cx.deps.user_only, cx.deps.phony)
}
