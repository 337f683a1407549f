//! The `skep` command: the one place where compiler and runtime meet.
//!
//! In: an argument list and an [`Io`]. Out: text on its streams, files, and an exit code:
//! 0 fine, 1 findings (it does not compile, is rejected, differs), 2 usage, configuration or
//! I/O, 3 a construct that is valid but not supported. Every subcommand is one file in `cmd/` and
//! one row below.

pub mod cc;
pub mod compile;
mod cost;
mod coverage;
pub mod edit;
mod engine;
pub mod error;
pub mod explain;
mod gunzip;
pub mod io;
mod json;
mod kconfig;
mod kernel_log;
mod listing;
mod load;
mod locate;
mod matrix;
pub mod measure;
mod needless;
pub mod rejection;
mod show;
pub mod skel;
mod target;
mod testing;
mod text;
mod values;
mod xml;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};

use error::{Error, Result};
use io::Io;

macro_rules! subcommands {
    ($($(#[$doc:meta])* $module:ident $variant:ident;)*) => {
        mod cmd {
            $(pub mod $module;)*
        }

        // One value in the life of a process: its size does not matter.
        #[allow(clippy::large_enum_variant)]
        #[derive(clap::Subcommand)]
        enum Command {
            $($(#[$doc])* $variant(cmd::$module::Args),)*
        }

        fn dispatch(command: Command, io: &mut Io<'_>) -> Result {
            match command {
                $(Command::$variant(args) => cmd::$module::run(args, io),)*
            }
        }
    };
}

subcommands! {
    /// Compile BPF C to objects, verify them
    build Build;
    /// Compile like clang: `skep cc -O2 -g -target bpf -c x.bpf.c -o x.o`
    cc Cc;
    /// Verify the programs of an object with the kernel's rules
    verify Verify;
    /// Run a program without a kernel
    run Run;
    /// Run the cases beside programs (NAME.test.toml)
    test Test;
    /// Link objects into one, like `bpftool gen object`
    link Link;
    /// Show what the functions of objects take: instructions, stack, work of the verifier
    size Size;
    /// Compare what the functions of two objects take
    diff Diff;
    /// Remove what only debuggers read, like `llvm-strip -g`
    strip Strip;
    /// Write what a loader includes to use an object: a skeleton in C, Rust or Go
    skel Skel;
    /// Explain a code, or the log of a kernel's verifier
    explain Explain;
    /// Show what is inside: instructions, IR, BTF, sections
    dump Dump;
}

/// The toolchain for BPF programs: compiles, verifies and runs them, without clang, root or a kernel.
#[derive(Parser)]
#[command(name = "skep", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Runs the command line of the process on its standard streams.
pub fn main_on_terminal() -> ExitCode {
    let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let color = err.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    std::panic::set_hook(Box::new(report_bug));
    let mut io = Io { stdin: &mut std::io::stdin(), out: &mut out, err: &mut err, color };
    ExitCode::from(main_with(&args, &mut io))
}

/// A panic is a bug of ours, never a fault of the input: exit code 101.
#[allow(clippy::print_stderr)]
fn report_bug(info: &std::panic::PanicHookInfo<'_>) {
    let place = info.location().map_or_else(String::new, |place| format!(" ({place})"));
    let text = info.payload_as_str().unwrap_or("no message");
    eprintln!("error: internal error in skep {}: {text}{place}", env!("CARGO_PKG_VERSION"));
    eprintln!("This is a bug in skep, not in your program. Please report it with the command line and the");
    eprintln!("input (`skep cc -E` makes one file of a program and its headers).");
    if std::env::var_os("RUST_BACKTRACE").is_some() {
        eprintln!("{}", std::backtrace::Backtrace::force_capture());
    }
    std::process::exit(101);
}

/// Runs one command line, program name first; returns the exit code.
pub fn main_with(args: &[String], io: &mut Io<'_>) -> u8 {
    let result = match (multi_call(args), args) {
        (Some(cc_args), _) => cmd::cc::run(cmd::cc::Args { args: cc_args }, io),
        // What generators call to strip an object is one path, without a subcommand.
        (None, [program, rest @ ..]) if is_strip(program) => {
            let words = ["skep", "strip"].into_iter().map(String::from).chain(rest.iter().cloned());
            parse_and_run(&words.collect::<Vec<_>>(), io)
        }
        (None, _) => parse_and_run(args, io),
    };
    // What is still in a buffer is written here, where a failure can be reported.
    match result.and_then(|()| Ok(io.out.flush()?)) {
        Err(error) => {
            if let Some(message) = error.message() {
                // The last resort has nowhere to report its own failure.
                let _ = writeln!(io.err, "error: {message}");
            }
            error.exit_code()
        }
        Ok(()) => 0,
    }
}

fn parse_and_run(args: &[String], io: &mut Io<'_>) -> Result {
    let parsed =
        Cli::command().try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => dispatch(cli.command, io),
        Err(error) if error.use_stderr() => {
            write!(io.err, "{}", error.render())?;
            Err(Error::Reported(2))
        }
        Err(help) => Ok(write!(io.out, "{}", help.render())?),
    }
}

/// Called as `llvm-strip` or `skep-strip`.
fn is_strip(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or(program);
    name.starts_with("llvm-strip") || name == "skep-strip"
}

/// Called as `clang` or `skep-clang`, the whole command line is one of `skep cc`.
fn multi_call(args: &[String]) -> Option<Vec<String>> {
    let name = args.first()?.rsplit('/').next()?;
    if name.starts_with("clang") || name == "skep-clang" {
        return Some(args[1..].to_vec());
    }
    // clang's flags are not clap's: `skep cc` never reaches the parser of the other commands.
    (args.get(1)? == "cc").then(|| args[2..].to_vec())
}
