//! The table of clang's flags.
//!
//! A row says how a flag is spelled, how it takes its value, what it is for and what it does; the
//! longest matching spelling wins. Flags that cannot change the result have no words and are accepted
//! without effect; flags that would change the code in ways that we do not implement are errors.

use skep_syntax::pp::{Cpu, MacroOption, OptLevel, Std};
use skep_syntax::warnings::PEDANTIC_ERRORS;

use crate::cc::args::{Info, Invocation, Mode};
use crate::cc::deps;

/// How a flag takes its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// None.
    Alone,
    /// In the same argument.
    Joined,
    /// In the next argument.
    Separate,
    /// In the same argument, or the next when that is empty.
    Either,
}

/// Takes the value of the flag; the error is what is wrong with it.
pub type Action = fn(&mut Invocation, &str) -> Result<(), String>;

/// A row.
pub struct Flag {
    /// As on the command line.
    pub spelling: &'static str,
    /// How it takes its value.
    pub form: Form,
    /// What it is for; empty if it is only accepted.
    pub about: &'static str,
    /// What it does.
    pub action: Action,
}

macro_rules! flags {
    ($($spelling:literal $form:ident $about:literal $action:expr;)* ignored: $($other:literal $how:ident;)*) => {
        &[
            $(Flag { spelling: $spelling, form: Form::$form, about: $about, action: $action },)*
            $(Flag { spelling: $other, form: Form::$how, about: "", action: |_, _| Ok(()) },)*
        ]
    };
}

/// All of them.
pub static FLAGS: &[Flag] = flags! {
    "-c" Alone "Compile to an object" |cx, _| produce(cx, Mode::Object);
    "-S" Alone "Compile to a listing of instructions" |cx, _| produce(cx, Mode::Assembly);
    "-E" Alone "Only preprocess" |cx, _| produce(cx, Mode::Preprocess);
    "-fsyntax-only" Alone "Only look for errors" |cx, _| produce(cx, Mode::SyntaxOnly);
    "-o" Either "Write the output there; - is standard output" |cx, v| set(&mut cx.output, Some(v.into()));
    "-x" Either "Language of the input: c, cpp-output or none" language;
    "-target" Separate "bpf, bpfel or bpfeb" target;
    "--target=" Joined "The same" target;
    "--target" Separate "The same" target;
    "-mcpu=" Joined "Instruction set: v1 (or generic), v2, v3 (or probe), v4, help" cpu;
    "-mlittle-endian" Alone "For little-endian machines" |cx, _| set(&mut cx.pp.big_endian, false);
    "-mbig-endian" Alone "For big-endian machines" |cx, _| set(&mut cx.pp.big_endian, true);
    "-std=" Joined "Version of C: gnu11, gnu17, gnu2x, c11, ..." standard;
    "-ansi" Alone "The same as -std=c89" |cx, _| standard(cx, "c89");
    "-O" Joined "Level of optimisation: 0 to 3, s, z" optimise;
    "-fno-inline" Alone "Inline only what is marked always_inline" |cx, _| inlining(cx, false);
    "-finline-functions" Alone "Undo -fno-inline" |cx, _| inlining(cx, true);
    "-Rpass=" Joined "Say what these passes did: inline, loop-unroll, .*" |cx, v| push(&mut cx.pass_remarks, v.into());
    "-Rpass-missed=" Joined "Say what they did not do: inline, loop-unroll, regalloc, .*"
        |cx, v| push(&mut cx.missed_remarks, v.into());
    "-ftime-report" Alone "Say how long each part of the compiler took" |cx, _| set(&mut cx.time_report, true);
    "-g" Joined "Write types, functions and lines as BTF (-g0: do not)" debug_info;
    "-ffreestanding" Alone "Without a C library: __STDC_HOSTED__ is 0" |cx, _|
        set(&mut cx.pp.freestanding, true);
    "-fhosted" Alone "Undo -ffreestanding" |cx, _| set(&mut cx.pp.freestanding, false);
    "-fcf-protection" Alone "Only defines __CET__" |cx, _| protection(cx, "full");
    "-fcf-protection=" Joined "full, branch, return or none" protection;
    "-D" Either "Define a macro" |cx, v| push(&mut cx.pp.macros, MacroOption::Define(v.into()));
    "-U" Either "Undefine a macro" |cx, v| push(&mut cx.pp.macros, MacroOption::Undef(v.into()));
    "-I" Either "Search this directory for headers" |cx, v| push(&mut cx.pp.include_dirs, v.into());
    "-isystem" Either "Search it after those of -I, as a system directory"
        |cx, v| push(&mut cx.pp.system_dirs, v.into());
    "-idirafter" Either "Search it last" |cx, v| push(&mut cx.pp.after_dirs, v.into());
    "-iquote" Either "Search it first, for #include \"...\"" |cx, v| push(&mut cx.pp.quote_dirs, v.into());
    "-include" Either "Include this file first" |cx, v| push(&mut cx.pp.includes, v.into());
    "-imacros" Either "Take the macros of this file first" |cx, v| push(&mut cx.pp.macro_files, v.into());
    "-fmacro-prefix-map=" Joined "OLD=NEW: how the names of files start in __FILE__" prefix_map;
    "-ffile-prefix-map=" Joined "The same; names in BTF do not say where a tree lies anyway" prefix_map;
    "-nostdinc" Alone "Search neither the embedded headers nor the host's"
        |cx, _| set(&mut cx.no_standard_dirs, true);
    "-nostdlibinc" Alone "Do not search the host's headers" |cx, _| set(&mut cx.no_host_dirs, true);
    "--sysroot=" Joined "The host's headers are below this directory" |cx, v| set(&mut cx.sysroot, v.into());
    "--sysroot" Separate "The same" |cx, v| set(&mut cx.sysroot, v.into());
    "-isysroot" Separate "The same" |cx, v| set(&mut cx.sysroot, v.into());
    "-fno-lazy-headers" Alone "Read headers whole, not only what the program needs of them" |cx, _|
        set(&mut cx.pp.eager_headers, true);
    "-undef" Alone "Without the predefined macros" |cx, _| set(&mut cx.pp.undef, true);
    "-dM" Alone "With -E: list the macros" |cx, _| set(&mut cx.dump_macros, true);
    "-P" Alone "With -E: no line markers" |cx, _| set(&mut cx.no_line_markers, true);
    "-M" Alone "Print a rule for make" |cx, _| produce(cx, Mode::Dependencies);
    "-MM" Alone "The same without system headers" |cx, _| {
        cx.deps.user_only = true;
        produce(cx, Mode::Dependencies)
    };
    "-MD" Alone "Write a rule for make beside the output" |cx, _| set(&mut cx.deps.write, true);
    "-MMD" Alone "The same without system headers" |cx, _| {
        cx.deps.user_only = true;
        set(&mut cx.deps.write, true)
    };
    "-MF" Either "Write the rule to this file" |cx, v| set(&mut cx.deps.file, Some(v.into()));
    "-MT" Either "Target of the rule" |cx, v| push(&mut cx.deps.targets, v.into());
    "-MQ" Either "Target of the rule, quoted for make" |cx, v| push(&mut cx.deps.targets, deps::quote(v));
    "-MG" Alone "With -M, -MM: headers that are missing will be made" |cx, _|
        set(&mut cx.pp.missing_headers, true);
    "-MP" Alone "Write an empty rule for each header too" |cx, _| set(&mut cx.deps.phony, true);
    "-W" Joined "Warnings: -Wname, -Wno-name, -Werror, -Werror=name, -Wno-error=name"
        |cx, v| push(&mut cx.warnings, v.into());
    "-Wp," Joined "Options for the preprocessor, after commas" preprocessor_options;
    "-pedantic" Alone "The same as -Wpedantic" |cx, _| push(&mut cx.warnings, "pedantic".into());
    "-pedantic-errors" Alone "What C forbids is an error"
        |cx, _| push(&mut cx.warnings, PEDANTIC_ERRORS.into());
    "-w" Alone "No warnings" |cx, _| set(&mut cx.no_warnings, true);
    "-ferror-limit=" Joined "Stop after so many errors (20; 0: never)" error_limit;
    "-fcolor-diagnostics" Alone "Messages in colour" |cx, _| set(&mut cx.color, Some(true));
    "-fdiagnostics-color" Alone "The same" |cx, _| set(&mut cx.color, Some(true));
    "-fdiagnostics-color=" Joined "always, never or auto" |cx, v| set(&mut cx.color, color(v));
    "-fno-color-diagnostics" Alone "Messages without colour" |cx, _| set(&mut cx.color, Some(false));
    "-fno-diagnostics-color" Alone "The same" |cx, _| set(&mut cx.color, Some(false));
    "-fcaret-diagnostics" Alone "Messages with the source" |cx, _| set(&mut cx.short_diagnostics, false);
    "-fno-caret-diagnostics" Alone "Messages of one line" |cx, _| set(&mut cx.short_diagnostics, true);
    "-v" Alone "Print the version and the directories that are searched" |cx, _| set(&mut cx.verbose, true);
    "-###" Alone "The same, and do nothing" |cx, _| set(&mut cx.dry_run, true);
    "--version" Alone "Print the version" |cx, _| set(&mut cx.info, Some(Info::Version));
    "--help" Alone "Print this" |cx, _| set(&mut cx.info, Some(Info::Help));
    "-help" Alone "The same" |cx, _| set(&mut cx.info, Some(Info::Help));
    "-h" Alone "The same" |cx, _| set(&mut cx.info, Some(Info::Help));
    "-dumpversion" Alone "Print the number of the version" |cx, _| set(&mut cx.info, Some(Info::DumpVersion));
    "-dumpmachine" Alone "Print the target" |cx, _| set(&mut cx.info, Some(Info::Target));
    "-print-target-triple" Alone "The same" |cx, _| set(&mut cx.info, Some(Info::Target));
    "--print-target-triple" Alone "The same" |cx, _| set(&mut cx.info, Some(Info::Target));
    "-print-supported-cpus" Alone "The same as -mcpu=help" |cx, _| set(&mut cx.info, Some(Info::Cpus));
    "--print-supported-cpus" Alone "The same" |cx, _| set(&mut cx.info, Some(Info::Cpus));
    "-march=" Joined "bpf" |_, v| if v == "bpf" { Ok(()) } else { Err(not_bpf(v)) };
    "-emit-llvm" Alone "Not possible: there is no LLVM here" |_, _| Err(
        "`-emit-llvm` is not supported: there is no LLVM here. \
         `skep cc -O2 -g -c FILE.c -o FILE.o` writes the object in one step, without `opt` and `llc`; \
         `skep dump --what ir-opt FILE.c` shows the intermediate code".into());
    "-fsanitize=" Joined "Not possible" |_, v| Err(format!(
        "`-fsanitize={v}` is not supported: a BPF program has no run-time library to report to; \
         `skep run` checks every access"));
    "-save-temps" Joined "Not possible" |_, _| Err(
        "`-save-temps` is not supported: use -E, -S or `skep dump` for what lies between".into());
    ignored:
    "-fno-" Joined;
    "-fms-extensions" Alone;
    "-fdebug-prefix-map=" Joined;
    "-fcoverage-prefix-map=" Joined;
    "-fdebug-compilation-dir=" Joined;
    "-fdebug-compilation-dir" Separate;
    "-ffile-compilation-dir=" Joined;
    "-fdebug-default-version=" Joined;
    "-fdebug-info-for-profiling" Alone;
    "-fstandalone-debug" Alone;
    "-fdiagnostics-" Joined;
    "-fshow-" Joined;
    "-fmessage-length=" Joined;
    "-ftabstop=" Joined;
    "-fmacro-backtrace-limit=" Joined;
    "-ftemplate-backtrace-limit=" Joined;
    "-fintegrated-as" Alone;
    "-fintegrated-cc1" Alone;
    "-fident" Alone;
    "-fcommon" Alone;
    "-fbuiltin" Alone;
    "-fjump-tables" Alone;
    "-fgnu89-inline" Alone;
    "-fomit-frame-pointer" Alone;
    "-foptimize-sibling-calls" Alone;
    "-fstack-protector" Joined;
    "-fstrict-aliasing" Alone;
    "-fstrict-overflow" Alone;
    "-fstrict-flex-arrays=" Joined;
    "-fwrapv" Alone;
    "-fasynchronous-unwind-tables" Alone;
    "-funwind-tables" Alone;
    "-funroll-loops" Alone;
    "-fvectorize" Alone;
    "-fslp-vectorize" Alone;
    "-fvisibility=" Joined;
    "-fPIC" Alone;
    "-fpic" Alone;
    "-fPIE" Alone;
    "-fpie" Alone;
    "-faddrsig" Alone;
    "-mllvm" Separate;
    "-pipe" Alone;
    "-pthread" Alone;
    "-Qunused-arguments" Alone;
    "-Xclang" Separate;
    "-Xlinker" Separate;
    "-Xassembler" Separate;
    "-Wa," Joined;
    "-Wl," Joined;
    "-l" Joined;
    "-L" Either;
    "-no-integrated-as" Alone;
    "-nostdlib" Alone;
    "-nodefaultlibs" Alone;
    "-static" Alone;
};

/// The row with the longest spelling that fits, and what follows the spelling.
pub fn find(arg: &str) -> Option<(&'static Flag, &str)> {
    let fits = |flag: &&'static Flag| match flag.form {
        Form::Alone | Form::Separate => arg == flag.spelling,
        Form::Joined | Form::Either => arg.starts_with(flag.spelling),
    };
    let flag = FLAGS.iter().filter(fits).max_by_key(|flag| flag.spelling.len())?;
    Some((flag, &arg[flag.spelling.len()..]))
}

fn set<T>(place: &mut T, value: T) -> Result<(), String> {
    *place = value;
    Ok(())
}

/// The further back in the compiler, the less is done, wherever it stands on the line.
fn produce(cx: &mut Invocation, mode: Mode) -> Result<(), String> {
    let mode = cx.mode.max(mode);
    set(&mut cx.mode, mode)
}

fn push<T>(list: &mut Vec<T>, value: T) -> Result<(), String> {
    list.push(value);
    Ok(())
}

fn inlining(cx: &mut Invocation, wanted: bool) -> Result<(), String> {
    cx.pp.no_inline = !wanted;
    set(&mut cx.no_inline, !wanted)
}

fn protection(cx: &mut Invocation, value: &str) -> Result<(), String> {
    let kinds = ["none", "branch", "return", "full"];
    match kinds.iter().position(|kind| *kind == value) {
        Some(number) => set(&mut cx.pp.protection, number as u8),
        None => Err(format!("invalid value `{value}` in `-fcf-protection={value}`")),
    }
}

fn prefix_map(cx: &mut Invocation, value: &str) -> Result<(), String> {
    match value.split_once('=') {
        Some((old, new)) => push(&mut cx.pp.prefix_maps, (old.into(), new.into())),
        None => Err(format!("invalid argument `{value}` to a prefix map: it is not OLD=NEW")),
    }
}

fn language(cx: &mut Invocation, value: &str) -> Result<(), String> {
    cx.language_given = value != "none";
    match value {
        "c" | "none" | "cpp-output" => Ok(()),
        other => Err(format!("language `{other}` is not supported: BPF programs are written in C (-x c)")),
    }
}

/// What is wrong with a target.
pub fn not_bpf(target: &str) -> String {
    format!("target `{target}` is not BPF (use `-target bpf`, `bpfel` or `bpfeb`)")
}

fn target(cx: &mut Invocation, value: &str) -> Result<(), String> {
    let machine = value.split('-').next().unwrap_or(value);
    cx.foreign = None;
    match machine {
        "bpf" | "bpfel" => cx.pp.big_endian = false,
        "bpfeb" | "bpf_be" => cx.pp.big_endian = true,
        other => cx.foreign = Some(other.into()),
    }
    set(&mut cx.target, Some(value.into()))
}

fn cpu(cx: &mut Invocation, value: &str) -> Result<(), String> {
    cx.pp.cpu = match value {
        "help" => return set(&mut cx.info, Some(Info::Cpus)),
        "v1" | "generic" => Cpu::V1,
        "v2" => Cpu::V2,
        // Every kernel since 5.1 runs v3, and the result must not depend on this machine's.
        "v3" | "probe" => Cpu::V3,
        "v4" => Cpu::V4,
        other => {
            return Err(format!(
                "unknown target CPU `{other}`; valid values are generic, v1, v2, v3, v4, probe"
            ));
        }
    };
    Ok(())
}

fn standard(cx: &mut Invocation, value: &str) -> Result<(), String> {
    let (strict, year) = match value.strip_prefix("gnu") {
        Some(year) => (false, year),
        None => (true, value.strip_prefix('c').or(value.strip_prefix("iso9899:")).unwrap_or_default()),
    };
    cx.pp.strict = strict;
    cx.pp.std = match year {
        "89" | "90" | "1990" => Std::C89,
        "99" | "9x" | "1999" => Std::C99,
        "11" | "1x" | "2011" => Std::C11,
        "17" | "18" | "2017" | "2018" => Std::C17,
        "23" | "2x" => Std::C23,
        _ => {
            let known = "gnu89, gnu99, gnu11, gnu17, gnu23, or c in place of gnu";
            return Err(format!("invalid value `{value}` in `-std={value}`; valid values are {known}"));
        }
    };
    Ok(())
}

fn optimise(cx: &mut Invocation, value: &str) -> Result<(), String> {
    (cx.opt_level, cx.opt_size) = match value {
        "0" => (0, false),
        "1" | "g" => (1, false),
        "" | "2" | "3" | "fast" => (2, false),
        "s" | "z" => (2, true),
        _ if value.bytes().all(|byte| byte.is_ascii_digit()) => {
            cx.remarks.push(format!("optimization level `-O{value}` is not supported; using `-O3` instead"));
            (2, false)
        }
        _ => return Err(format!("invalid value `{value}` in `-O{value}`")),
    };
    cx.pp.opt = match (cx.opt_level, cx.opt_size) {
        (0, _) => OptLevel::None,
        (_, true) => OptLevel::Size,
        (_, false) => OptLevel::Speed,
    };
    Ok(())
}

fn debug_info(cx: &mut Invocation, value: &str) -> Result<(), String> {
    cx.btf = value != "0";
    cx.pp.debug_info = cx.btf;
    Ok(())
}

fn error_limit(cx: &mut Invocation, value: &str) -> Result<(), String> {
    let limit = value.parse().map_err(|_| format!("invalid integral value `{value}` in `-ferror-limit=`"))?;
    set(&mut cx.error_limit, Some(limit))
}

fn color(value: &str) -> Option<bool> {
    match value {
        "always" => Some(true),
        "never" => Some(false),
        _ => None,
    }
}

/// `-Wp,-MMD,FILE` is how Kbuild asks for dependencies; anything else is an option like any other.
fn preprocessor_options(cx: &mut Invocation, value: &str) -> Result<(), String> {
    let mut words = value.split(',');
    while let Some(word) = words.next() {
        let Some((flag, joined)) = find(word) else {
            return Err(format!("unknown argument: `{word}` in `-Wp,{value}`"));
        };
        let next = match (word, flag.form) {
            ("-MD" | "-MMD", _) => {
                cx.deps.file = words.next().map(String::from);
                ""
            }
            (_, Form::Separate) => words.next().unwrap_or_default(),
            (_, Form::Either) if joined.is_empty() => words.next().unwrap_or_default(),
            (_, Form::Alone | Form::Joined | Form::Either) => joined,
        };
        (flag.action)(cx, next)?;
    }
    Ok(())
}
