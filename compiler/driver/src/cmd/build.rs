//! `skep build`: sources to verified objects.

use std::collections::BTreeMap;
use std::path::Path;

use skep_compiler::Compiled;
use skep_syntax::Session;
use skep_syntax::diag::{self, Style};

use crate::compile::{CompileArgs, compile_file, sources};
use crate::error::{Error, Result};
use crate::io::{DiskFiles, Io, STDIN};
use crate::load::{self, VerifyArgs};
use crate::needless;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// C files, or directories that are searched for *.bpf.c
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// Where objects go: a directory, or the object itself when there is one source
    #[arg(short, long, value_name = "PATH")]
    output: Option<String>,
    /// Do not verify
    #[arg(long)]
    no_verify: bool,
    #[command(flatten)]
    compile: CompileArgs,
    #[command(flatten)]
    verify: VerifyArgs,
}

/// Runs it: every source is compiled, also after one that fails.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    let files = sources(&args.paths)?;
    if files.is_empty() {
        return Err(Error::usage(format!("no *.bpf.c files below {}", args.paths.join(", "))));
    }
    if let Some(output) = &args.output
        && files.len() > 1
        && !Path::new(output).is_dir()
    {
        return Err(Error::usage(format!("`{output}` must be a directory: there are {} sources", files.len())));
    }
    let mut outputs = BTreeMap::new();
    for file in &files {
        let output = object_path(file, args.output.as_deref());
        if output != STDIN && let Some(other) = outputs.insert(output.clone(), file) {
            return Err(Error::usage(format!(
                "`{other}` and `{file}` would both be written to `{output}`: build them one by one, with -o"
            )));
        }
    }
    let mut result = Ok(());
    for file in &files {
        match build(&args, file, io) {
            Err(Error::Reported(code)) => result = Err(Error::Reported(code)),
            other => other?,
        }
    }
    result
}

fn build(args: &Args, file: &str, io: &mut Io<'_>) -> Result {
    let disk = DiskFiles::default();
    let mut session = args.compile.session(&disk)?;
    let compiled = compile_file(&mut session, file, &args.compile.options(), io)?;
    if !args.no_verify && !args.is_foreign() {
        let image = load::link(file, &compiled.object, &args.verify, io)?;
        load::verify(image, Some((&compiled, &session)), &args.verify, io)?;
        warn_of_barriers(args, file, (&mut session, &compiled), io)?;
    }
    let output = object_path(file, args.output.as_deref());
    io.write(&output, &compiled.object)?;
    let functions = compiled.code.functions.iter();
    let slots: usize = functions.flat_map(|func| &func.insns).map(|insn| insn.slots()).sum();
    let verified = if args.is_foreign() && !args.no_verify { ", not verified (big-endian)" } else { "" };
    writeln!(io.err, "{file} -> {output}: {slots} instructions{verified}")?;
    Ok(())
}

/// What can be said only when the programs are known to be accepted.
fn warn_of_barriers(
    args: &Args,
    file: &str,
    (session, compiled): (&mut Session<'_>, &Compiled),
    io: &mut Io<'_>,
) -> Result {
    let before = session.diags.iter().count();
    needless::warn(session, file, compiled, &args.compile.options(), || args.verify.options(io))?;
    for diag in session.diags.iter().skip(before) {
        let style = Style { short: false, color: io.color };
        io.err.write_all(diag::render(diag, &session.source, &session.names, style).as_bytes())?;
    }
    if session.diags.has_errors() { Err(Error::FINDINGS) } else { Ok(()) }
}

impl Args {
    /// Objects for machines of the other byte order cannot be run or verified here.
    fn is_foreign(&self) -> bool {
        self.compile.options().big_endian
    }
}

/// `dir/x.bpf.c` becomes `x.bpf.o` in the output directory.
fn object_path(source: &str, output: Option<&str>) -> String {
    let name = source.rsplit('/').next().unwrap_or(source);
    let name = format!("{}.o", name.strip_suffix(".c").unwrap_or(name));
    match output {
        None => name,
        Some(output) if Path::new(output).is_dir() => format!("{}/{name}", output.trim_end_matches('/')),
        Some(output) => output.to_owned(),
    }
}
