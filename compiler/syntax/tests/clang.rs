//! clang-19 as judge of the preprocessor: the same text for the same flags.
//!
//! Compared are the bytes of `-E -P` output without `#` lines and white space (but that in strings), so nothing of
//! our lexer takes part; that our printed text lexes to the very tokens it was printed from is checked
//! on the side.

mod corpus;

use corpus::{CLANG, Disk, have_clang, resource_dir};
use skep_syntax::Session;
use skep_syntax::diag::Style;
use skep_syntax::pp::{self, Cpu, MacroOption, OptLevel, Options, Std};
use skep_syntax::token::TokenKind;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

fn clang(flags: &Options, more: &[&str], file: &str) -> Option<Vec<u8>> {
    let mut cmd = Command::new(CLANG);
    let target = if flags.big_endian { "bpfeb" } else { "bpfel" };
    let cpu = format!("-mcpu={:?}", flags.cpu).to_lowercase();
    cmd.args(["-target", target, &cpu, "-E", "-P", "-nostdinc", "-w"]);
    cmd.arg(match flags.opt {
        OptLevel::None => "-O0",
        OptLevel::Speed => "-O2",
        OptLevel::Size => "-Os",
    });
    for m in &flags.macros {
        match m {
            MacroOption::Define(d) => cmd.arg(format!("-D{d}")),
            MacroOption::Undef(u) => cmd.arg(format!("-U{u}")),
        };
    }
    for (flag, dirs) in
        [("-I", &flags.include_dirs), ("-isystem", &flags.system_dirs), ("-idirafter", &flags.after_dirs)]
    {
        for dir in dirs {
            cmd.args([flag, dir]);
        }
    }
    let out = cmd.args(more).arg(file).output().expect("clang runs");
    out.status.success().then_some(out.stdout)
}

/// The text without lines that start with `#`, and without white space outside quotes.
fn strip(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in text.split(|b| *b == b'\n') {
        if line.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'#') {
            continue;
        }
        let (mut quote, mut escaped) = (None, false);
        for &b in line {
            if quote.is_none() && b.is_ascii_whitespace() {
                continue;
            }
            out.push(b);
            match quote {
                None if matches!(b, b'"' | b'\'') => quote = Some(b),
                Some(q) if q == b && !escaped => quote = None,
                _ => {}
            }
            escaped = b == b'\\' && !escaped;
        }
    }
    out
}

/// Our text, after checking that it lexes to the tokens it was made from.
fn ours(options: &Options, file: &str) -> Result<Vec<u8>, String> {
    let mut cx = Session::new(&Disk, Options { text_only: true, ..options.clone() });
    let tokens = pp::preprocess(&mut cx, file);
    if cx.diags.has_errors() {
        return Err(cx.render(Style { short: true, color: false }));
    }
    let text = pp::print(&tokens, &cx.source, &cx.names, false);
    let mut files = pp::MemoryFiles::new();
    files.add("again.i", &text);
    let mut again = Session::new(&files, Options { undef: true, text_only: true, ..Options::default() });
    let relexed = pp::preprocess(&mut again, "again.i");
    let words = |t: &skep_syntax::token::Token| t.kind != TokenKind::Eof;
    let (a, b): (Vec<_>, Vec<_>) = (
        tokens.toks.iter().filter(|t| words(t)).collect(),
        relexed.toks.iter().filter(|t| words(t)).collect(),
    );
    for (x, y) in a.iter().zip(&b) {
        // A macro name that must not be expanded again reads the same.
        if cx.text(x) != again.text(y) {
            let show = |t: &[u8]| String::from_utf8_lossy(t).into_owned();
            return Err(format!("printed `{}` reads as `{}`", show(cx.text(x)), show(again.text(y))));
        }
    }
    if a.len() != b.len() {
        return Err(format!("{} tokens printed, {} read", a.len(), b.len()));
    }
    Ok(text)
}

fn compare(options: &Options, file: &str) -> Result<bool, String> {
    let Some(theirs) = clang(options, &[], file) else { return Ok(false) };
    let mine = ours(options, file).map_err(|e| format!("{file}: {e}"))?;
    let (a, b) = (strip(&mine), strip(&theirs));
    if a == b {
        return Ok(true);
    }
    let at = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let show = |t: &[u8]| {
        let range = at.saturating_sub(60)..(at + 60).min(t.len());
        String::from_utf8_lossy(t.get(range).unwrap_or(&[])).into_owned()
    };
    Err(format!("{file}: differs at {at}\n  ours:  {}\n  clang: {}", show(&a), show(&b)))
}

/// Compares all files on two threads; panics with every difference found.
#[allow(clippy::print_stderr)]
fn compare_all(options: &Options, list: &[String], least: usize) {
    let (next, same) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let errors = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(file) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match compare(options, file) {
                        Ok(true) => drop(same.fetch_add(1, Ordering::Relaxed)),
                        Ok(false) => {}
                        Err(e) => errors.lock().expect("no panic").push(e),
                    }
                }
            });
        }
    });
    let mut errors = errors.into_inner().expect("no panic");
    errors.sort();
    let same = same.into_inner();
    assert!(errors.is_empty(), "{} of {} differ:\n{}", errors.len(), list.len(), errors.join("\n"));
    eprintln!("{same} of {} files are the same, clang refuses the rest", list.len());
    assert!(same >= least, "only {same} of {} compared", list.len());
}

#[test]
fn seeds_read_as_clang_reads_them() {
    if !have_clang() {
        return;
    }
    let Some((options, list)) = corpus::seeds() else { return };
    compare_all(&options, &list, list.len());
}

#[test]
fn selftests_read_as_clang_reads_them() {
    if !have_clang() {
        return;
    }
    let Some((options, list)) = corpus::selftests() else { return };
    compare_all(&options, &list, list.len() * 9 / 10);
}

/// `NAME VALUE` lines of `-dM`, without the two that name the vendor.
fn definitions(text: &str) -> Vec<String> {
    let vendor = ["#define __VERSION__ ", "#define __clang_version__ "];
    let mut lines: Vec<String> = text
        .lines()
        .filter(|l| !vendor.iter().any(|v| l.starts_with(v)))
        .map(|l| l.trim_end().to_string())
        .collect();
    lines.sort();
    lines
}

#[test]
fn predefined_macros_are_clangs() {
    if !have_clang() {
        return;
    }
    let base = Options::default();
    let mut cases: Vec<(Options, Vec<&str>)> = Vec::new();
    for cpu in [Cpu::V1, Cpu::V2, Cpu::V3, Cpu::V4] {
        for big_endian in [false, true] {
            cases.push((Options { cpu, big_endian, ..base.clone() }, vec![]));
        }
    }
    for opt in [OptLevel::None, OptLevel::Size] {
        cases.push((Options { opt, ..base.clone() }, vec![]));
    }
    let stds = [
        (Std::C89, ["-std=gnu89", "-std=c89"]),
        (Std::C99, ["-std=gnu99", "-std=c99"]),
        (Std::C11, ["-std=gnu11", "-std=c11"]),
        (Std::C17, ["-std=gnu17", "-std=c17"]),
        (Std::C23, ["-std=gnu2x", "-std=c2x"]),
    ];
    for (std, [gnu, strict]) in stds {
        cases.push((Options { std, ..base.clone() }, vec![gnu]));
        cases.push((Options { std, strict: true, ..base.clone() }, vec![strict]));
    }
    cases.push((Options { debug_info: true, ..base }, vec!["-g"]));
    for (options, mut flags) in cases {
        flags.extend(["-dM", "-x", "c"]);
        let theirs = clang(&options, &flags, "/dev/null").expect("clang accepts");
        let mut files = pp::MemoryFiles::new();
        files.add("empty.c", "");
        let mut cx = Session::new(&files, options.clone());
        let out = pp::run(&mut cx, "empty.c");
        let mine = out.macros.print(&cx.source, &cx.names);
        assert_eq!(definitions(&mine), definitions(&String::from_utf8_lossy(&theirs)), "{options:?}");
    }
}

#[test]
fn small_programs_read_as_clang_reads_them() {
    if !have_clang() {
        return;
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut bad = Vec::new();
    for (i, text) in include_str!("small.txt").split("\n----\n").enumerate() {
        let file = dir.join(format!("small_{i}.c"));
        std::fs::write(&file, text).expect("writable");
        match compare(&Options::default(), &file.display().to_string()) {
            Ok(true) => {}
            Ok(false) => bad.push(format!("program {i}: clang refuses it")),
            Err(e) => bad.push(format!("program {i}: {e}")),
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn what_has_queries_affirm_clang_affirms() {
    use skep_syntax::pp::known;
    if !have_clang() {
        return;
    }
    let mut text = String::new();
    for (query, list) in [
        ("__has_attribute", known::ATTRIBUTES),
        ("__has_builtin", known::BUILTINS),
        ("__has_feature", known::FEATURES),
        ("__has_extension", known::EXTENSIONS),
    ] {
        for name in list {
            text.push_str(&format!("#if !{query}({name})\nmissing {query} {name}\n#endif\n"));
        }
    }
    for (name, version) in known::C_ATTRIBUTES {
        text.push_str(&format!("#if __has_c_attribute({name}) != {version}\nmissing {name}\n#endif\n"));
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("known.c");
    std::fs::write(&file, text).expect("writable");
    let out = clang(&Options::default(), &[], &file.display().to_string()).expect("clang accepts");
    assert_eq!(String::from_utf8_lossy(&out).trim(), "");
}

#[test]
fn make_rules_are_clangs() {
    if !have_clang() {
        return;
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rule");
    std::fs::create_dir_all(&dir).expect("writable");
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).expect("writable");
    write("has.h", "");
    write("a b$#.h", "#pragma once\n");
    write(
        "main.c",
        "#if __has_include(\"has.h\")\n#endif\n#include \"a b$#.h\"\n#include \"a b$#.h\"\n#include <stddef.h>\n",
    );
    let main = dir.join("main.c").display().to_string();
    let options = Options { system_dirs: vec![resource_dir()], ..Options::default() };
    let mut cx = Session::new(&Disk, options.clone());
    let out = pp::run(&mut cx, &main);
    for (flags, user_only) in [(["-M", "-MP"], false), (["-MM", "-MP"], true)] {
        let mine = pp::make_rule(&["x.o".into()], &out.deps, user_only, true);
        let theirs = clang(&options, &[flags[0], flags[1], "-MT", "x.o"], &main).expect("clang accepts");
        assert_eq!(mine, String::from_utf8_lossy(&theirs));
    }
}

/// Small deterministic random numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// A program of random macros: all features of the expander, mostly well formed.
fn random_macros(r: &mut Random) -> String {
    const NAMES: &[&str] = &["A", "B", "C", "F", "G", "H", "V", "W"];
    const OTHER: &[&str] =
        &["x", "1", "+", "(", ")", ",", "()", "(y)", "(1,2)", "\"s\"", "'c'", "A B", "-", "."];
    let mut text = String::new();
    for _ in 0..2 + r.below(6) {
        let name = r.pick(NAMES);
        text.push_str(&format!("#undef {name}\n#define {name}"));
        let params: &[&str] = match r.below(6) {
            0 | 1 => &[],
            2 => &["a"],
            3 => &["a", "b"],
            4 => &["a", "..."],
            _ => &["..."],
        };
        let function = !params.is_empty() || r.below(4) == 0;
        if function {
            text.push_str(&format!("({})", params.join(",")));
        }
        let variadic = params.last() == Some(&"...");
        let param = |r: &mut Random| match r.below(params.len().max(1)) {
            i if i + 1 == params.len() && variadic => "__VA_ARGS__",
            i => params.get(i).copied().unwrap_or("x"),
        };
        for _ in 0..r.below(6) {
            text.push_str(if r.below(4) == 0 { "" } else { " " });
            match r.below(12) {
                0..=3 => text.push_str(r.pick(NAMES)),
                4..=6 => text.push_str(param(r)),
                7 if !params.is_empty() => text.push_str(&format!("#{} ", param(r))),
                8 => text.push_str(&format!("{} ## {}", param(r), param(r))),
                9 if variadic => text.push_str(", ## __VA_ARGS__"),
                10 if variadic => text.push_str(&format!("__VA_OPT__({} {})", r.pick(OTHER), param(r))),
                _ => text.push_str(r.pick(&OTHER[..4])),
            }
        }
        text.push('\n');
    }
    for _ in 0..3 + r.below(12) {
        let word = if r.below(2) == 0 { r.pick(NAMES) } else { r.pick(OTHER) };
        text.push_str(word);
        text.push_str(r.pick(&["", " ", " ", "\n", "(", ")", "(z)", "(p,q)", "( )"]));
    }
    text.push('\n');
    text
}

/// `SKEP_ROUNDS` random programs (150 if not set) with macros, of which clang accepts about half.
#[test]
fn random_macros_expand_as_clang_expands_them() {
    if !have_clang() {
        return;
    }
    let rounds = std::env::var("SKEP_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(150);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("random.c").display().to_string();
    let mut same = 0;
    for round in 0..rounds {
        let text = random_macros(&mut random);
        std::fs::write(&file, &text).expect("writable");
        match compare(&Options::default(), &file) {
            Ok(true) => same += 1,
            Ok(false) => {}
            Err(e) => panic!("round {round}: {e}\n{text}"),
        }
    }
    assert!(same * 4 >= rounds, "only {same} of {rounds} compared");
}

fn random_expression(r: &mut Random, depth: usize) -> String {
    const LEAVES: &[&str] = &[
        "0",
        "1",
        "2u",
        "-1",
        "3",
        "63",
        "64",
        "65u",
        "07",
        "0x7fffffffffffffff",
        "0x8000000000000000",
        "0xffffffffffffffffu",
        "9223372036854775807",
        "9223372036854775808",
        "10L",
        "20ull",
        "0b11",
        "'a'",
        "'\\377'",
        "'ab'",
        "L'x'",
        "'\\''",
        "defined(A)",
        "defined __bpf__",
        "nothing",
        "__LINE__",
    ];
    const BINARY: &[&str] =
        &["+", "-", "*", "/", "%", "<<", ">>", "<", ">", "<=", ">=", "==", "!=", "&", "|", "^", "&&", "||"];
    if depth == 0 || r.below(5) == 0 {
        return r.pick(LEAVES).to_string();
    }
    let mut next = || random_expression(r, depth - 1);
    let (a, b, c) = (next(), next(), next());
    match r.below(8) {
        0 => format!("({a} ? {b} : {c})"),
        1 => format!("{a} ? {b} : {c}"),
        2 => format!("{}({a})", r.pick(&["!", "~", "-", "+", "!!", "- -"])),
        3 => format!("({a}, {b})"),
        4 => format!("({a} {} {b})", r.pick(BINARY)),
        _ => format!("{a} {} {b}", r.pick(BINARY)),
    }
}

/// Conditions clang refuses (a division by zero) are left out; it says so on standard error only.
#[test]
fn random_conditions_come_out_as_clangs() {
    if !have_clang() {
        return;
    }
    let mut random = Random(0x0123_4567_89ab_cdef);
    // clang keeps 32 bits of the count of `>>`; that is an accident, not an answer.
    let fair =
        |e: &String| !e.contains(">>") || !["80000", "fffff", "922337"].iter().any(|big| e.contains(big));
    let list: Vec<String> = (0..1500).map(|_| random_expression(&mut random, 3)).filter(fair).collect();
    let truths = |ours: bool| -> Vec<usize> {
        let lines = list.iter().enumerate().map(|(i, e)| format!("#if {e}\n{i}\n#endif\n"));
        let text: String = lines.collect();
        let words = if ours {
            let mut files = pp::MemoryFiles::new();
            files.add("cond.c", &text);
            let mut cx = Session::new(&files, Options::default());
            let tokens = pp::preprocess(&mut cx, "cond.c");
            String::from_utf8_lossy(&pp::print(&tokens, &cx.source, &cx.names, false)).into_owned()
        } else {
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cond.c");
            std::fs::write(&file, &text).expect("writable");
            let mut cmd = Command::new(CLANG);
            cmd.args(["-target", "bpf", "-mcpu=v3", "-O2", "-E", "-P", "-w", "-ferror-limit=0"]).arg(&file);
            String::from_utf8_lossy(&cmd.output().expect("clang runs").stdout).into_owned()
        };
        words.split_whitespace().map(|w| w.parse().expect("a number")).collect()
    };
    let (mine, theirs) = (truths(true), truths(false));
    let differ: Vec<&String> = (0..list.len())
        .filter(|i| mine.binary_search(i).is_ok() != theirs.binary_search(i).is_ok())
        .filter_map(|i| list.get(i))
        .collect();
    assert!(differ.is_empty(), "{} differ:\n{differ:#?}", differ.len());
    assert!(theirs.len() > 300);
}
