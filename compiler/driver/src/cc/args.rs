//! clang's command line as a value.
//!
//! In: the arguments after `skep cc`. Out: an [`Invocation`]. Everything that is wrong is collected,
//! as clang does, so that one run tells all of it.

use skep_syntax::pp::{Cpu, OptLevel, Options};
use skep_syntax::warnings;

use crate::cc::flags::{self, Form};

/// What to produce: of several that are asked for, the last one here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Mode {
    /// Link: there is no linker for BPF here, so this is an error unless only asked for information.
    #[default]
    Link,
    /// `-c`
    Object,
    /// `-S`
    Assembly,
    /// `-fsyntax-only`
    SyntaxOnly,
    /// `-E`
    Preprocess,
    /// `-M`, `-MM`: dependencies instead of output.
    Dependencies,
}

/// A question instead of a compilation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Info {
    /// `--version`
    Version,
    /// `--help`
    Help,
    /// `-mcpu=help`
    Cpus,
    /// `-dumpversion`
    DumpVersion,
    /// `-dumpmachine`
    Target,
}

/// Dependency files (`-MD` and friends).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Deps {
    /// Write a dependency file beside the output.
    pub write: bool,
    /// Leave system headers out.
    pub user_only: bool,
    /// `-MF`
    pub file: Option<String>,
    /// `-MT`, `-MQ` (the latter quoted for make).
    pub targets: Vec<String>,
    /// `-MP`: an empty rule for each header.
    pub phony: bool,
}

/// A parsed command line.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    /// What to produce.
    pub mode: Mode,
    /// A question to answer instead.
    pub info: Option<Info>,
    /// Input files; `-` is standard input.
    pub inputs: Vec<String>,
    /// `-o`; of several the last.
    pub output: Option<String>,
    /// For the preprocessor.
    pub pp: Options,
    /// `-target`, as it was written.
    pub target: Option<String>,
    /// The machine for whose processes it is: the named one, or without a target this one.
    pub foreign: Option<String>,
    /// `-x` was given.
    pub language_given: bool,
    /// `-O0`: keep the code close to the source.
    pub opt_level: u8,
    /// `-Oz`, `-Os`
    pub opt_size: bool,
    /// `-fno-inline`
    pub no_inline: bool,
    /// `-Rpass=`: passes that say what they did.
    pub pass_remarks: Vec<String>,
    /// `-Rpass-missed=`: passes that say what they could not do.
    pub missed_remarks: Vec<String>,
    /// `-ftime-report`
    pub time_report: bool,
    /// `-g`: write BTF.
    pub btf: bool,
    /// Dependency files.
    pub deps: Deps,
    /// `-dM`: list the macros.
    pub dump_macros: bool,
    /// `-P`: no line markers.
    pub no_line_markers: bool,
    /// `-v`: print the search directories.
    pub verbose: bool,
    /// `-###`: say what would be done.
    pub dry_run: bool,
    /// The `-W` options in order, without the `-W`.
    pub warnings: Vec<String>,
    /// `-w`
    pub no_warnings: bool,
    /// `-ferror-limit=`: stop after so many errors; 0 is never.
    pub error_limit: Option<usize>,
    /// `-nostdinc`: neither the embedded headers nor the host's.
    pub no_standard_dirs: bool,
    /// `-nostdlibinc`: not the host's.
    pub no_host_dirs: bool,
    /// `--sysroot=`: the host's headers are below this.
    pub sysroot: String,
    /// `-fcolor-diagnostics`
    pub color: Option<bool>,
    /// `-fno-caret-diagnostics`: one line for each diagnostic.
    pub short_diagnostics: bool,
    /// What is wrong with the command line.
    pub errors: Vec<String>,
    /// What is doubtful about it.
    pub remarks: Vec<String>,
}

/// Parses clang's arguments.
pub fn parse(args: &[String]) -> Invocation {
    let mut cx = Invocation { foreign: Some(std::env::consts::ARCH.into()), ..Invocation::default() };
    cx.pp.opt = OptLevel::None;
    // clang-19's default for `-target bpf`.
    cx.pp.cpu = Cpu::V1;
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            cx.inputs.extend(rest.cloned());
            break;
        }
        if arg == "-" || !arg.starts_with('-') {
            cx.inputs.push(arg.clone());
            continue;
        }
        let Some((flag, joined)) = flags::find(arg) else {
            cx.errors.push(unknown(arg));
            continue;
        };
        let needs_next = match flag.form {
            Form::Alone | Form::Joined => false,
            Form::Separate => true,
            Form::Either => joined.is_empty(),
        };
        let value = if needs_next { rest.next().map(String::as_str) } else { Some(joined) };
        let done = match value {
            Some(value) => (flag.action)(&mut cx, value),
            None => Err(format!("argument to `{arg}` is missing (expected 1 value)")),
        };
        cx.errors.extend(done.err());
    }
    cx
}

fn unknown(arg: &str) -> String {
    let near = warnings::nearest(arg, flags::FLAGS.iter().map(|flag| flag.spelling));
    let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    format!("unknown argument: `{arg}`{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Invocation {
        let args: Vec<String> = line.split_whitespace().map(String::from).collect();
        parse(&args)
    }

    #[test]
    fn a_usual_build_line() {
        let cx = parsed("-O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -I. -I inc -Wall -c x.bpf.c -o x.o");
        assert_eq!((cx.errors.as_slice(), cx.mode), (&[][..], Mode::Object));
        assert_eq!((cx.inputs, cx.output.as_deref()), (vec!["x.bpf.c".to_owned()], Some("x.o")));
        assert_eq!(cx.pp.include_dirs, [".", "inc"]);
        assert!(cx.btf && cx.opt_level == 2 && cx.pp.cpu == Cpu::V3 && cx.warnings == ["all"]);
    }

    #[test]
    fn the_longest_spelling_wins() {
        let cx = parsed("-MMD -MP -MFx.d -MT t -MQ a$b -E -dM -");
        let targets = vec!["t".to_owned(), "a$$b".to_owned()];
        let deps = Deps { write: true, user_only: true, file: Some("x.d".into()), targets, phony: true };
        assert_eq!(cx.deps, deps);
        assert!(cx.dump_macros && cx.mode == Mode::Preprocess && cx.inputs == ["-"]);
    }

    #[test]
    fn kbuild_passes_options_through() {
        let cx = parsed("-Wp,-MMD,dir/.x.d -Wp,-DX=1 -w -c x.c -o one -o two");
        assert!(cx.deps.write && cx.deps.user_only && cx.errors.is_empty());
        assert_eq!((cx.deps.file.as_deref(), cx.output.as_deref()), (Some("dir/.x.d"), Some("two")));
        assert_eq!(cx.pp.macros.len(), 1);
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let wrong = ["-emit-llvm", "-frobnicate", "-o", "-mcpu=v9", "-Oq", "-std=c++17", "-h3"];
        for line in wrong {
            assert_eq!(parsed(line).errors.len(), 1, "{line}");
        }
        assert_eq!(parsed("-frob -mfrob").errors.len(), 2);
        assert!(parsed("-fsyntax-onyl").errors[0].ends_with("did you mean `-fsyntax-only`?"));
    }
}
