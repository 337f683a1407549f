//! `skep cc`: clang's command line in front of our compiler.
//!
//! What build systems ask of clang besides compiling is answered in clang's form: `--version`,
//! `-v -E -`, `-dM -E -`, `-mcpu=help`, dependency files. The exit code is 0 or, as with clang, 1,
//! whatever is wrong.

use std::mem::ManuallyDrop;
use std::path::Path;
use std::rc::Rc;

use skep_compiler::{Options, Stage, compile};
use skep_syntax::diag::{Diagnostics, Severity, Style};
use skep_syntax::warnings::Policy;
use skep_syntax::{Session, parse, pp};

use crate::cc::args::{self, Invocation, Mode};
use crate::cc::remarks::{self, Times};
use crate::cc::{deps, flags, info, response};
use crate::compile::{HOST_DIRS, isa_cpu, readable};
use crate::error::{Error, Result};
use crate::io::{DiskFiles, EMBEDDED, Io, STDIN, STDIN_FILE};
use crate::load::VerifyArgs;
use crate::needless;

/// Everything after `cc`.
#[derive(clap::Args)]
pub struct Args {
    /// clang's arguments; `skep cc --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<String>,
}

/// Runs it.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    match invoke(&args.args, io) {
        Err(error @ (Error::Usage(_) | Error::Unsupported(_))) => {
            complain(Severity::Error, &error.message().unwrap_or_default(), io)?;
            Err(Error::FINDINGS)
        }
        other => other,
    }
}

fn complain(severity: Severity, text: &str, io: &mut Io<'_>) -> Result {
    Ok(writeln!(io.err, "skep: {}: {text}", severity.word())?)
}

fn invoke(words: &[String], io: &mut Io<'_>) -> Result {
    let words = response::expand(words, io);
    let mut cx = args::parse(&words);
    if let Some(color) = cx.color {
        io.color = color;
    }
    if let (Some(question), []) = (cx.info, cx.errors.as_slice()) {
        return info::answer(question, &cx, io);
    }
    let policy = Rc::new(Policy::new(&cx.warnings, cx.no_warnings));
    check(&mut cx, &policy, io)?;
    add_standard_directories(&mut cx);
    if cx.verbose || cx.dry_run {
        io.err.write_all(info::version(&cx).as_bytes())?;
    }
    if cx.dry_run {
        let quoted = words.iter().map(|word| format!(" {word:?}"));
        return Ok(writeln!(io.err, " \"skep\" \"cc\"{}", quoted.collect::<String>())?);
    }
    if cx.verbose && !cx.inputs.is_empty() {
        info::search_directories(&cx, io)?;
    }
    let mut result = Ok(());
    for input in &cx.inputs {
        match one(&cx, &policy, input, io) {
            Err(Error::Reported(code)) => result = Err(Error::Reported(code)),
            other => other?,
        }
    }
    result
}

/// What is wrong with the command line as a whole.
fn check(cx: &mut Invocation, policy: &Rc<Policy>, io: &mut Io<'_>) -> Result {
    let only_asks = cx.inputs.is_empty() && (cx.verbose || cx.dry_run);
    if cx.inputs.is_empty() && !only_asks {
        cx.errors.push("no input files".into());
    }
    let stops_early = matches!(cx.mode, Mode::Preprocess | Mode::Dependencies | Mode::SyntaxOnly);
    if cx.inputs.len() > 1 && cx.output.is_some() && cx.mode != Mode::SyntaxOnly {
        cx.errors.push("cannot specify -o when generating multiple output files".into());
    }
    if cx.inputs.iter().any(|input| input == STDIN) && !cx.language_given && !stops_early {
        cx.errors.push("-E or -x required when input is from standard input".into());
    }
    if cx.mode == Mode::Link && !cx.inputs.is_empty() && cx.errors.is_empty() && !cx.dry_run {
        cx.errors.push("BPF objects are not linked to executables: pass -c (or -S, -E, -fsyntax-only)".into());
    }
    // Scripts ask for the headers of other machines and give them to a compilation for BPF.
    if let (Some(target), Some(_), false) = (&cx.target, &cx.foreign, cx.mode == Mode::Preprocess) {
        cx.errors.push(flags::not_bpf(target));
    }
    if cx.pp.missing_headers && cx.mode != Mode::Dependencies {
        cx.errors.push("option `-MG` requires `-M` or `-MM`".into());
    }
    let missing = cx.inputs.iter().filter(|input| *input != STDIN && !Path::new(input).exists());
    let missing: Vec<String> = missing.map(|input| format!("no such file or directory: `{input}`")).collect();
    cx.errors.extend(missing);
    let quiet = cx.no_warnings;
    for remark in cx.remarks.iter().filter(|_| !quiet) {
        complain(Severity::Warning, remark, io)?;
    }
    for (severity, text) in &policy.complaints {
        let remark = if *severity == Severity::Error { "-Werror," } else { "" };
        complain(*severity, &format!("{text} [{remark}-Wunknown-warning-option]"), io)?;
    }
    for error in &cx.errors {
        complain(Severity::Error, error, io)?;
    }
    let failed = policy.complaints.iter().any(|(severity, _)| *severity == Severity::Error);
    if failed || !cx.errors.is_empty() { Err(Error::FINDINGS) } else { Ok(()) }
}

fn add_standard_directories(cx: &mut Invocation) {
    if cx.no_standard_dirs {
        return;
    }
    cx.pp.system_dirs.push(EMBEDDED.into());
    if !cx.no_host_dirs {
        let sysroot = cx.sysroot.trim_end_matches('/');
        // `-idirafter` comes after everything else.
        let mut host = HOST_DIRS.map(String::from).to_vec();
        if let Some(machine) = &cx.foreign {
            // Where Debian keeps what differs from machine to machine.
            let own = format!("/usr/include/{machine}-linux-gnu");
            let cross = cross_compiler(sysroot, &format!("{machine}-linux-gnu"));
            for directory in [Some(own), cross].into_iter().flatten() {
                if Path::new(&format!("{sysroot}{directory}")).is_dir() {
                    host.insert(1, directory);
                }
            }
        }
        cx.pp.after_dirs.splice(0..0, host.iter().map(|directory| format!("{sysroot}{directory}")));
    }
}

/// Where a cross compiler of GCC's has the headers of another machine, if there is one: the newest, as clang finds it.
fn cross_compiler(sysroot: &str, machine: &str) -> Option<String> {
    let base = format!("/usr/lib/gcc-cross/{machine}");
    let versions = std::fs::read_dir(format!("{sysroot}{base}")).ok()?.flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max()?;
    Some(format!("{base}/{newest}/../../../../{machine}/include"))
}

/// One input file.
fn one(cx: &Invocation, policy: &Rc<Policy>, input: &str, io: &mut Io<'_>) -> Result {
    let mut files = DiskFiles::default();
    if input == STDIN {
        files.stdin = Some(io.read(STDIN)?);
    }
    let mut options = cx.pp.clone();
    options.text_only = matches!(cx.mode, Mode::Preprocess | Mode::Dependencies);
    // The process ends with its work: taking names, trees and code apart would only cost time.
    let mut session = ManuallyDrop::new(Session::new(&files, options));
    if let Some(limit) = cx.error_limit {
        session.diags = Diagnostics::new(limit);
    }
    session.diags.set_policy(policy.clone());
    let main = if input == STDIN { STDIN_FILE } else { input };
    readable(&session, main)?;
    match cx.mode {
        Mode::Preprocess | Mode::Dependencies => {
            preprocess(cx, (input, main), &mut session, io)
        }
        Mode::SyntaxOnly => {
            let tokens = pp::preprocess(&mut session, main);
            let unit = parse::unit(&mut session, &tokens);
            skep_compiler::sema::analyze(&unit, &mut session);
            report(cx, &session, io)
        }
        Mode::Object | Mode::Assembly | Mode::Link => {
            object(cx, (input, main), &mut session, io)
        }
    }
}

/// Shows the diagnostics and their number; fails if there are errors.
fn report(cx: &Invocation, session: &Session<'_>, io: &mut Io<'_>) -> Result {
    let style = Style { short: cx.short_diagnostics, color: io.color };
    io.err.write_all(session.render(style).as_bytes())?;
    let warnings = session.diags.iter().filter(|diag| diag.severity == Severity::Warning).count();
    let count = |number: usize, what: &str| match number {
        0 => None,
        1 => Some(format!("1 {what}")),
        number => Some(format!("{number} {what}s")),
    };
    let counts = [count(warnings, "warning"), count(session.diags.errors(), "error")];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    if !counts.is_empty() {
        writeln!(io.err, "{} generated.", counts.join(" and "))?;
    }
    if session.diags.has_errors() { Err(Error::FINDINGS) } else { Ok(()) }
}

/// The input as it was given and as it is read.
fn preprocess(
    cx: &Invocation,
    (input, main): (&str, &str),
    session: &mut Session<'_>,
    io: &mut Io<'_>,
) -> Result {
    let output = pp::run(session, main);
    report(cx, session, io)?;
    if cx.mode == Mode::Dependencies {
        let target = cx.deps.file.as_ref().or(cx.output.as_ref());
        let rule = deps::rule(cx, input, &output.deps);
        return io.write(target.map_or(STDIN, String::as_str), rule.as_bytes());
    }
    let text = match cx.dump_macros {
        true => output.macros.print(&session.source, &session.names).into_bytes(),
        false => pp::print(&output.tokens, &session.source, &session.names, !cx.no_line_markers),
    };
    io.write(cx.output.as_deref().unwrap_or(STDIN), &text)?;
    deps::write(cx, input, &output.deps, io)
}

fn object(
    cx: &Invocation,
    (input, main): (&str, &str),
    session: &mut Session<'_>,
    io: &mut Io<'_>,
) -> Result {
    let options = Options {
        level: cx.opt_level,
        size: cx.opt_size,
        remarks: !(cx.pass_remarks.is_empty() && cx.missed_remarks.is_empty()),
        no_inline: cx.no_inline,
        cpu: isa_cpu(cx.pp.cpu),
        big_endian: cx.pp.big_endian,
        btf: cx.btf,
        without: Vec::new(),
        check: false,
    };
    let mut times = cx.time_report.then(Times::start);
    let compiled = compile(session, main, &options, &mut |stage, _| {
        if let (Some(times), Stage::Ran(name)) = (&mut times, stage) {
            times.ran(name);
        }
    });
    if let Ok(compiled) = &compiled {
        needless::warn(session, main, compiled, &options, || VerifyArgs::default().options(io))?;
    }
    report(cx, session, io)?;
    let compiled = ManuallyDrop::new(compiled.map_err(|_| Error::FINDINGS)?);
    remarks::print(cx, &compiled, session, io)?;
    if let Some(times) = times {
        times.print(io)?;
    }
    let listing = match cx.mode {
        Mode::Assembly => Some(crate::listing::assembly(&compiled, session)),
        _ => None,
    };
    let (extension, bytes) = match &listing {
        Some(text) => ("s", text.as_bytes()),
        None => ("o", compiled.object.as_slice()),
    };
    let output = cx.output.clone().unwrap_or_else(|| deps::in_current_directory(input, extension));
    io.write(&output, bytes)?;
    deps::write(cx, input, &compiled.deps, io)
}
