//! clang's command line, as a table.
//!
//! In: the arguments after `skep cc`. Out: an [`Invocation`]. A row of [`FLAGS`] says how a flag
//! is spelled and what it does; the longest matching spelling wins. Flags that cannot change the
//! result are accepted and ignored; flags that would change the code in ways we do not implement
//! are errors.

use skep_syntax::pp::{Cpu, MacroOption, OptLevel, Options, Std};

use crate::error::{Error, Result};

/// What to produce.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Link: there is no linker for BPF here, so this is an error unless only asked for information.
    #[default]
    Link,
    /// `-c`
    Object,
    /// `-S`
    Assembly,
    /// `-E`
    Preprocess,
    /// `-fsyntax-only`
    SyntaxOnly,
    /// `-M`, `-MM`: dependencies instead of output.
    Dependencies,
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
    /// Input files; `-` is standard input.
    pub inputs: Vec<String>,
    /// `-o`
    pub output: Option<String>,
    /// For the preprocessor.
    pub pp: Options,
    /// `-O0`: keep the code close to the source.
    pub opt_level: u8,
    /// `-Oz`, `-Os`
    pub opt_size: bool,
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
    /// `--version`
    pub version: bool,
    /// `-mcpu=help`
    pub cpu_help: bool,
    /// `-Werror`
    pub werror: bool,
    /// `-w`
    pub no_warnings: bool,
    /// `-nostdinc`, `-nostdlibinc`
    pub no_standard_dirs: bool,
    /// `-fcolor-diagnostics`
    pub color: Option<bool>,
}

/// How a flag takes its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// None.
    Alone,
    /// In the same argument.
    Joined,
    /// In the next argument.
    Separate,
    /// In the same argument, or the next when that is empty.
    Either,
}

type Action = fn(&mut Invocation, &str) -> Result;

struct Flag {
    spelling: &'static str,
    form: Form,
    action: Action,
}

macro_rules! flags {
    ($($spelling:literal $form:ident $action:expr;)*) => {
        &[$(Flag { spelling: $spelling, form: Form::$form, action: $action }),*]
    };
}

fn ignore(_: &mut Invocation, _: &str) -> Result {
    Ok(())
}

fn mode(cx: &mut Invocation, mode: Mode) -> Result {
    cx.mode = mode;
    Ok(())
}

static FLAGS: &[Flag] = flags! {
    "-c" Alone |cx, _| mode(cx, Mode::Object);
    "-S" Alone |cx, _| mode(cx, Mode::Assembly);
    "-E" Alone |cx, _| mode(cx, Mode::Preprocess);
    "-fsyntax-only" Alone |cx, _| mode(cx, Mode::SyntaxOnly);
    "-M" Alone |cx, _| mode(cx, Mode::Dependencies);
    "-MM" Alone |cx, _| { cx.deps.user_only = true; mode(cx, Mode::Dependencies) };
    "-MD" Alone |cx, _| { cx.deps.write = true; Ok(()) };
    "-MMD" Alone |cx, _| { cx.deps.write = true; cx.deps.user_only = true; Ok(()) };
    "-MP" Alone |cx, _| { cx.deps.phony = true; Ok(()) };
    "-MF" Either |cx, v| { cx.deps.file = Some(v.into()); Ok(()) };
    "-MT" Either |cx, v| { cx.deps.targets.push(v.into()); Ok(()) };
    "-MQ" Either |cx, v| { cx.deps.targets.push(quote_for_make(v)); Ok(()) };
    "-o" Either |cx, v| { cx.output = Some(v.into()); Ok(()) };
    "-x" Either language;
    "-D" Either |cx, v| { cx.pp.macros.push(MacroOption::Define(v.into())); Ok(()) };
    "-U" Either |cx, v| { cx.pp.macros.push(MacroOption::Undef(v.into())); Ok(()) };
    "-I" Either |cx, v| { cx.pp.include_dirs.push(v.into()); Ok(()) };
    "-isystem" Either |cx, v| { cx.pp.system_dirs.push(v.into()); Ok(()) };
    "-idirafter" Either |cx, v| { cx.pp.after_dirs.push(v.into()); Ok(()) };
    "-iquote" Either |cx, v| { cx.pp.quote_dirs.push(v.into()); Ok(()) };
    "-include" Either |cx, v| { cx.pp.includes.push(v.into()); Ok(()) };
    "-nostdinc" Alone |cx, _| { cx.no_standard_dirs = true; Ok(()) };
    "-nostdlibinc" Alone |cx, _| { cx.no_standard_dirs = true; Ok(()) };
    "-undef" Alone |cx, _| { cx.pp.undef = true; Ok(()) };
    "-dM" Alone |cx, _| { cx.dump_macros = true; Ok(()) };
    "-P" Alone |cx, _| { cx.no_line_markers = true; Ok(()) };
    "-v" Alone |cx, _| { cx.verbose = true; Ok(()) };
    "-###" Alone |cx, _| { cx.dry_run = true; Ok(()) };
    "--version" Alone |cx, _| { cx.version = true; Ok(()) };
    "-target" Separate target;
    "--target=" Joined target;
    "--target" Separate target;
    "-mcpu=" Joined cpu;
    "-march=" Joined |_, v| if v == "bpf" { Ok(()) } else { Err(not_bpf(v)) };
    "-mlittle-endian" Alone |cx, _| { cx.pp.big_endian = false; Ok(()) };
    "-mbig-endian" Alone |cx, _| { cx.pp.big_endian = true; Ok(()) };
    "-std=" Joined standard;
    "-O" Joined optimise;
    "-g" Joined |cx, v| { cx.btf = v != "0"; cx.pp.debug_info = cx.btf; Ok(()) };
    "-w" Alone |cx, _| { cx.no_warnings = true; Ok(()) };
    "-Werror" Alone |cx, _| { cx.werror = true; Ok(()) };
    "-W" Joined ignore;
    "-pedantic" Alone ignore;
    "-ansi" Alone |cx, _| standard(cx, "c89");
    "-pipe" Alone ignore;
    "-fcolor-diagnostics" Alone |cx, _| { cx.color = Some(true); Ok(()) };
    "-fdiagnostics-color=" Joined |cx, v| { cx.color = Some(v == "always"); Ok(()) };
    "-fno-color-diagnostics" Alone |cx, _| { cx.color = Some(false); Ok(()) };
    "-fno-" Joined ignore;
    "-fms-extensions" Alone ignore;
    "-fdebug-prefix-map=" Joined ignore;
    "-ffile-prefix-map=" Joined ignore;
    "-fmacro-prefix-map=" Joined ignore;
    "-fdebug-compilation-dir=" Joined ignore;
    "-fdebug-compilation-dir" Separate ignore;
    "-fdebug-default-version=" Joined ignore;
    "-ferror-limit=" Joined ignore;
    "-fcf-protection=" Joined ignore;
    "-fintegrated-as" Alone ignore;
    "-fstrict-aliasing" Alone ignore;
    "-fbuiltin" Alone ignore;
    "-ffreestanding" Alone ignore;
    "-fvisibility=" Joined ignore;
    "-fsanitize=" Joined |_, v| Err(Error::Unsupported(format!("`-fsanitize={v}`")));
    "-emit-llvm" Alone |_, _| Err(Error::Unsupported(
        "`-emit-llvm` (there is no LLVM here: `skep cc -c` writes the object in one step)".into()));
    "-Xclang" Separate ignore;
    "-Xlinker" Separate ignore;
    "-mllvm" Separate ignore;
    "-Qunused-arguments" Alone ignore;
};

/// Parses clang's arguments.
pub fn parse(args: &[String]) -> Result<Invocation> {
    let mut cx = Invocation { opt_level: 0, ..Invocation::default() };
    cx.pp.opt = OptLevel::None;
    // clang-19's default for `-target bpf`.
    cx.pp.cpu = Cpu::V1;
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "-" || !arg.starts_with('-') {
            cx.inputs.push(arg.clone());
            continue;
        }
        let (flag, joined) = find(arg).ok_or_else(|| Error::usage(format!("unknown argument: '{arg}'")))?;
        let needs_next = match flag.form {
            Form::Alone | Form::Joined => false,
            Form::Separate => true,
            Form::Either => joined.is_empty(),
        };
        let value = match needs_next {
            true => rest.next().ok_or_else(|| Error::usage(format!("argument to '{arg}' is missing")))?,
            false => joined,
        };
        (flag.action)(&mut cx, value)?;
    }
    Ok(cx)
}

/// The row with the longest spelling that fits, and what follows the spelling.
fn find(arg: &str) -> Option<(&'static Flag, &str)> {
    let fits = |flag: &&'static Flag| match flag.form {
        Form::Alone | Form::Separate => arg == flag.spelling,
        Form::Joined | Form::Either => arg.starts_with(flag.spelling),
    };
    let flag = FLAGS.iter().filter(fits).max_by_key(|flag| flag.spelling.len())?;
    Some((flag, &arg[flag.spelling.len()..]))
}

fn language(_: &mut Invocation, value: &str) -> Result {
    match value {
        "c" | "none" | "cpp-output" => Ok(()),
        other => Err(Error::Unsupported(format!("language `{other}` (`-x`)"))),
    }
}

fn not_bpf(target: &str) -> Error {
    Error::usage(format!("target `{target}` is not BPF (use `-target bpf`, `bpfel` or `bpfeb`)"))
}

fn target(cx: &mut Invocation, value: &str) -> Result {
    match value.split('-').next().unwrap_or(value) {
        "bpf" | "bpfel" => cx.pp.big_endian = false,
        "bpfeb" | "bpf_be" => cx.pp.big_endian = true,
        _ => return Err(not_bpf(value)),
    }
    Ok(())
}

fn cpu(cx: &mut Invocation, value: &str) -> Result {
    cx.pp.cpu = match value {
        "help" => {
            cx.cpu_help = true;
            cx.pp.cpu
        }
        "v1" | "generic" => Cpu::V1,
        "v2" => Cpu::V2,
        // Every kernel since 5.1 runs v3, and the result must not depend on this machine's.
        "v3" | "probe" => Cpu::V3,
        "v4" => Cpu::V4,
        other => return Err(Error::usage(format!("unknown cpu '{other}' (v1, v2, v3, v4, generic, probe)"))),
    };
    Ok(())
}

fn standard(cx: &mut Invocation, value: &str) -> Result {
    let (strict, year) = match value.strip_prefix("gnu") {
        Some(year) => (false, year),
        None => (true, value.strip_prefix('c').unwrap_or(value)),
    };
    cx.pp.strict = strict;
    cx.pp.std = match year {
        "89" | "90" => Std::C89,
        "99" | "9x" => Std::C99,
        "11" | "1x" => Std::C11,
        "17" | "18" => Std::C17,
        "23" | "2x" => Std::C23,
        _ => return Err(Error::usage(format!("unknown language standard '{value}'"))),
    };
    Ok(())
}

fn optimise(cx: &mut Invocation, value: &str) -> Result {
    (cx.opt_level, cx.opt_size) = match value {
        "0" => (0, false),
        "1" | "g" => (1, false),
        "" | "2" | "3" | "4" | "fast" => (2, false),
        "s" | "z" => (2, true),
        _ => return Err(Error::usage(format!("unknown optimisation level '-O{value}'"))),
    };
    cx.pp.opt = match (cx.opt_level, cx.opt_size) {
        (0, _) => OptLevel::None,
        (_, true) => OptLevel::Size,
        (_, false) => OptLevel::Speed,
    };
    Ok(())
}

/// `$` and blanks as make wants them in a target.
fn quote_for_make(target: &str) -> String {
    target.replace('$', "$$").replace(' ', "\\ ").replace('#', "\\#")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Invocation {
        let args: Vec<String> = line.split_whitespace().map(String::from).collect();
        parse(&args).unwrap_or_else(|error| panic!("`{line}`: {error:?}"))
    }

    #[test]
    fn a_usual_build_line() {
        let cx = parsed("-O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -I. -I inc -Wall -c x.bpf.c -o x.o");
        assert_eq!(cx.mode, Mode::Object);
        assert_eq!((cx.inputs, cx.output.as_deref()), (vec!["x.bpf.c".to_owned()], Some("x.o")));
        assert_eq!(cx.pp.include_dirs, [".", "inc"]);
        assert!(cx.btf && cx.opt_level == 2 && cx.pp.cpu == Cpu::V3);
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
    fn what_cannot_be_done_is_said() {
        for line in ["-emit-llvm", "-target x86_64", "-frobnicate", "-o", "-mcpu=v9", "-Oq", "-std=c++17"] {
            let args: Vec<String> = line.split_whitespace().map(String::from).collect();
            assert!(parse(&args).is_err(), "{line}");
        }
    }
}
