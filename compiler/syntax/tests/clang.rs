//! clang-19 as judge of the preprocessor: the same text for the same flags.
//!
//! Compared are the bytes of `-E -P` output without white space and without `#` lines, so nothing of
//! our lexer takes part; that our printed text lexes to the very tokens it was printed from is checked
//! on the side. The corpora lie outside the repository: `SKEP_SEEDS`, `SKEP_KERNEL_TREE` (kernel
//! sources, for the BPF selftests) and `SKEP_VMLINUX` (a full vmlinux.h) say where; what is absent is
//! skipped by name, unless `REQUIRE` lists it. `SKEP_FULL=1` takes all selftests instead of a sample.

use skep_syntax::Session;
use skep_syntax::diag::Style;
use skep_syntax::pp::{self, Cpu, Files, MacroOption, OptLevel, Options, ReadError, Std};
use skep_syntax::token::TokenKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const CLANG: &str = "clang-19";

struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, ReadError> {
        match std::fs::read(path) {
            Ok(text) => Ok(text.into()),
            Err(_) => Err(ReadError::NotFound),
        }
    }

    fn identity(&self, path: &str) -> String {
        std::fs::canonicalize(path).map_or_else(|_| path.to_string(), |p| p.display().to_string())
    }
}

/// Says that a test is skipped for want of `what`; fails if `REQUIRE` lists it.
#[allow(clippy::print_stderr)]
fn skip(what: &str) {
    let required = std::env::var("REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|r| r == what), "`{what}` is required but missing");
    eprintln!("skipped: no {what}");
}

fn have_clang() -> bool {
    let found = Command::new(CLANG).arg("--version").output().is_ok_and(|o| o.status.success());
    if !found {
        skip("clang");
    }
    found
}

fn place(variable: &str, fallback: &str, what: &str) -> Option<PathBuf> {
    let path = match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(fallback),
    };
    if path.exists() {
        return Some(path);
    }
    skip(what);
    None
}

fn resource_dir() -> String {
    let out = Command::new(CLANG).arg("-print-resource-dir").output().expect("clang runs");
    format!("{}/include", String::from_utf8_lossy(&out.stdout).trim())
}

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

/// The text without white space and without lines that start with `#`.
fn strip(text: &[u8]) -> Vec<u8> {
    text.split(|b| *b == b'\n')
        .filter(|line| line.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'#'))
        .flatten()
        .copied()
        .filter(|b| !b.is_ascii_whitespace())
        .collect()
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

fn c_files(dir: &Path) -> Vec<String> {
    let mut list: Vec<String> = std::fs::read_dir(dir)
        .expect("a directory")
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "c"))
        .map(|p| p.display().to_string())
        .collect();
    list.sort();
    list
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
    let Some(seeds) = place("SKEP_SEEDS", "../shared/seeds", "seeds") else { return };
    let Some(vmlinux) = place("SKEP_VMLINUX", "../vmlinux.h", "vmlinux.h") else { return };
    let dir = vmlinux.parent().expect("a file").display().to_string();
    let options = Options {
        include_dirs: vec![dir],
        system_dirs: vec![resource_dir()],
        after_dirs: vec!["/usr/include".into(), format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH)],
        macros: vec![MacroOption::Define("__TARGET_ARCH_x86".into())],
        ..Options::default()
    };
    let list: Vec<String> = c_files(&seeds).into_iter().filter(|f| !f.ends_with("bcc_execve.c")).collect();
    compare_all(&options, &list, list.len());
}

#[test]
fn selftests_read_as_clang_reads_them() {
    if !have_clang() {
        return;
    }
    let Some(tree) = place("SKEP_KERNEL_TREE", "../linux/linux-source-6.12", "kernel-tree") else { return };
    let Some(vmlinux) = place("SKEP_VMLINUX", "../vmlinux.h", "vmlinux.h") else { return };
    let at = |dir: &str| tree.join(dir).display().to_string();
    let selftests = at("tools/testing/selftests/bpf");
    // bpf_helper_defs.h is generated in the kernel tree; libbpf's packaged copy stands in for it.
    let options = Options {
        include_dirs: vec![
            vmlinux.parent().expect("a file").display().to_string(),
            selftests.clone(),
            at("tools/lib"),
            at("tools/include/uapi"),
            at("tools/testing/selftests"),
        ],
        system_dirs: vec![resource_dir()],
        after_dirs: vec![
            "/usr/include".into(),
            "/usr/include/bpf".into(),
            format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH),
        ],
        macros: vec![MacroOption::Define("__TARGET_ARCH_x86".into())],
        ..Options::default()
    };
    let all = c_files(&Path::new(&selftests).join("progs"));
    let full = std::env::var_os("SKEP_FULL").is_some();
    let list: Vec<String> = all.iter().step_by(if full { 1 } else { 20 }).cloned().collect();
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
