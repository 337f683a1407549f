//! `skep cc` beside clang-19: the same command line in two equal directories must give the same exit
//! code, the same files, the same dependencies, and warnings of the same severity on the same lines.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Done, SKEP, Scratch};
use skep_test_tools::{self as tools, Need};

const FILES: &[(&str, &[u8])] = &[
    ("ok.c", b"int f(int x) { return x; }\n"),
    ("two.c", b"int g(int x) { return x; }\n"),
    ("d.c", b"#include \"a.h\"\n#include <b c.h>\nint x;\n"),
    ("inc/a.h", b"int a;\n"),
    (
        "inc/m.h",
        b"int not_wanted;\n#define SIX (3 + \\\n 3)\n#define ADD(x, ...) x + __VA_ARGS__\n#undef __bpf__\n",
    ),
    (
        "used.c",
        b"int used = SIX;\n#ifdef __bpf__\nint bpf;\n#endif\n#ifdef ADD\nint sum = ADD(1, 2);\n#endif\n",
    ),
    ("place.c", b"char *here = __FILE__, *name = __FILE_NAME__, *base = __BASE_FILE__;\n"),
    ("made.c", b"#include \"made.h\"\n#include <also/made.h>\nint x;\n"),
    ("inc/b c.h", b"#include \"a.h\"\n"),
    ("broken.c", b"#include \"inc/a.h\"\nint f(void) { return nothing; }\n"),
    ("warned.c", include_bytes!("warnings/levels.c")),
    ("c23.c", include_bytes!("c23.c")),
    ("args.txt", b"-c 'ok.c'\n-o \"resp.o\" -DX='a b' @more.txt"),
    ("more.txt", b"-O2 -g"),
    ("sub/keep", b""),
    ("dir.c/keep", b""),
];

/// Command lines, and whether what they print on standard output must be the same too.
const LINES: &[(&str, bool)] = &[
    // What is written, and where.
    ("-c ok.c", false),
    ("-c ok.c two.c", false),
    ("-c ok.c -o x.o", false),
    ("-c ok.c -oone.o -o two.o", false),
    ("-c sub/../ok.c", false),
    ("-S ok.c", false),
    ("-E ok.c -o ok.i", false),
    ("-fsyntax-only ok.c -o nothing", false),
    ("@args.txt", false),
    ("-c -x c -", false),
    ("-c -xc - -o in.o", false),
    ("-c ok.c -o -", false),
    ("-E -", false),
    ("-dM -E ok.c -o macros", false),
    // Dependencies.
    ("-M -nostdinc d.c -Iinc", true),
    ("-MM d.c -Iinc", true),
    ("-MM d.c ok.c -Iinc", true),
    ("-MM d.c -Iinc -o out.x", true),
    ("-MM d.c -Iinc -MF foo.d", true),
    ("-MM d.c -Iinc -MT a$b -MT y -MQ a$b#", true),
    ("-MM -MP sub/../d.c -Iinc", true),
    ("-MM -x c -", true),
    ("-c -MMD d.c -Iinc", true),
    ("-c -MD -MP d.c -Iinc", true),
    ("-c -MMD d.c -Iinc -o sub/x.bpf.o", true),
    ("-c -MMD d.c -Iinc -o sub/x$y.o -MF sub/deps", true),
    ("-c -MMD -MT what -MF sub/deps d.c -Iinc", true),
    ("-E -MMD d.c -Iinc -o d.i", true),
    ("-c -MMD -MF - d.c -Iinc", true),
    ("-c -Wp,-MMD,sub/.d.o.d d.c -Iinc", true),
    ("-c d.c -isystem inc -MMD", true),
    ("-M -MG -nostdinc made.c", true),
    ("-MM -MG d.c", true),
    ("-c -MG ok.c", true),
    ("-MM d.c -Iinc -imacros inc/m.h -include inc/m.h", true),
    ("-MM ok.c -include inc/a.h", true),
    ("-MM ok.c -Iinc -include a.h", true),
    ("-c -MD used.c -imacros m.h -Iinc", true),
    // Names of files and macros.
    ("-E -P used.c -imacros inc/m.h", true),
    ("-E -P sub/../place.c -fmacro-prefix-map=sub/=x/ -DSIX", true),
    ("-E -P sub/../place.c -ffile-prefix-map=sub/../=", true),
    ("-E -P sub/../place.c -fmacro-prefix-map=sub=a -fmacro-prefix-map=sub/..=b", true),
    ("-E -P place.c -fmacro-prefix-map=", true),
    ("-E -P place.c -fdebug-prefix-map=place=a", true),
    // What is wrong.
    ("", true),
    ("-c", true),
    ("-c missing.c", true),
    ("@missing.txt", true),
    ("-c ok.c missing.c", true),
    ("-c ok.c -o missing/x.o", true),
    ("-E ok.c -o missing/x.i", true),
    ("-c ok.c two.c -o x.o", true),
    ("-c ok.c -o", true),
    ("-frobnicate -c ok.c", true),
    ("-mfrobnicate -c ok.c", true),
    ("--frobnicate -c ok.c", true),
    ("-c -", true),
    ("-", true),
    ("-c broken.c", true),
    ("-c broken.c ok.c", false),
    ("-fsyntax-only broken.c", true),
    ("-mcpu=frob -c ok.c", true),
    ("-std=frob -c ok.c", true),
    ("-std=gnu23 -O2 -c c23.c", false),
    ("-std=gnu17 -c c23.c", false),
    ("-x frob -c ok.c", true),
    ("-Ofrob -c ok.c", true),
    ("-O9 -c ok.c", false),
    ("-ferror-limit=x -c ok.c", true),
    ("-Wfrobnicate -c ok.c", false),
    ("-Werror -Wfrobnicate -c ok.c", true),
    ("-Werror -Wfrobnicate -Wno-unknown-warning-option -c ok.c", false),
    ("-Werror -c warned.c", true),
    ("-w -Werror -c warned.c", false),
    // Answers without a compilation.
    ("--version", false),
    ("-dumpversion", true),
    ("-dumpmachine", true),
    ("-print-target-triple", true),
    ("-mcpu=help", true),
    ("-mcpu=help -c ok.c", true),
    ("-v", true),
];

/// Words at blanks, all for the BPF target.
fn words(line: &str) -> Vec<&str> {
    ["-target", "bpf"].into_iter().chain(line.split_whitespace()).collect()
}

fn ours(place: &Scratch, line: &str, stdin: &str) -> Done {
    place.run(SKEP, &[&["cc"], words(line).as_slice()].concat(), stdin.as_bytes())
}

fn theirs(place: &Scratch, line: &str, stdin: &str) -> Done {
    place.run(tools::CLANG, &words(line), stdin.as_bytes())
}

#[test]
fn files_dependencies_and_exit_codes_are_clangs() {
    if !tools::have(&[Need::Clang]) {
        return;
    }
    let mut wrong = Vec::new();
    for (line, same_output) in LINES {
        let (here, there) = (Scratch::new(FILES), Scratch::new(FILES));
        let stdin = "int from_stdin;\n";
        let (mine, expected) = (ours(&here, line, stdin), theirs(&there, line, stdin));
        let mut complain = |what: &str, mine: &dyn std::fmt::Debug, expected: &dyn std::fmt::Debug| {
            wrong.push(format!("`{line}`: {what}\n  ours:  {mine:?}\n  clang: {expected:?}"));
        };
        if mine.code != expected.code {
            complain("exit code", &mine, &expected);
        }
        if *same_output && mine.out != expected.out {
            complain("standard output", &mine.out, &expected.out);
        }
        if mine.err.is_empty() != expected.err.is_empty() {
            complain("standard error", &mine.err, &expected.err);
        }
        let (mine, expected) = (here.files(), there.files());
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<BTreeSet<_>>();
        if names(&mine) != names(&expected) {
            complain("files", &names(&mine), &names(&expected));
        }
        for (name, text) in &mine {
            let is_rule = name.ends_with(".d") || name == "sub/deps" || name == "out.x";
            if is_rule && expected.get(name).is_some_and(|theirs| theirs != text) {
                let show = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
                complain(name, &show(text), &show(&expected[name]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn probes_of_build_systems_find_what_they_look_for() {
    let place = Scratch::new(FILES);
    let version = ours(&place, "--version", "").out;
    assert!(version.starts_with("clang version 19."), "{version}");
    assert!(version.contains("\nTarget: bpf\n"), "{version}");
    // Without a target, clang names its host.
    let host = place.skep(&["cc", "--version"]).out;
    assert!(host.contains(&format!("\nTarget: {}-", std::env::consts::ARCH)), "{host}");
    // libbpf's build takes the directories between these two lines.
    let listed = |text: &str| -> Vec<String> {
        let lines = text.lines().skip_while(|line| *line != "#include <...> search starts here:").skip(1);
        lines.take_while(|line| *line != "End of search list.").map(String::from).collect()
    };
    let line = "-v -E -Iinc -Imissing -isystem sub -idirafter inc -x c -";
    let mine = listed(&ours(&place, "-v -E -Iinc -Imissing -isystem sub -x c -", "").err);
    assert_eq!(mine.first().map(String::as_str), Some(" inc"));
    if tools::have(&[Need::Clang]) {
        let builtin = tools::clang_headers().expect("clang runs").display().to_string();
        let mut expected = listed(&theirs(&place, &line.replace("-Iinc", ""), "").err);
        expected.retain(|directory| directory.trim() != builtin);
        assert_eq!(listed(&ours(&place, &line.replace("-Iinc", ""), "").err), expected);
    }
    // Without a target, they are those of the machine.
    let plain = ["-v", "-E", "-"];
    let mine = listed(&place.run(SKEP, &[&["cc"], plain.as_slice()].concat(), b"").err);
    if tools::have(&[Need::Clang]) {
        let mut expected = listed(&place.run(tools::CLANG, &plain, b"").err);
        expected.retain(|directory| !directory.contains("/clang/"));
        assert_eq!(mine, expected);
        let other = ["-target", "aarch64-linux-gnu", "-v", "-E", "-"];
        let done = place.run(SKEP, &[&["cc"], other.as_slice()].concat(), b"");
        let mut expected = listed(&place.run(tools::CLANG, &other, b"").err);
        expected.retain(|directory| !directory.contains("/clang/"));
        assert_eq!((done.code, listed(&done.err)), (Some(0), expected));
    }
    let cpus = ours(&place, "-mcpu=help", "").err;
    assert!(cpus.contains("\n\tv4\n"), "{cpus}");
    let macros = ours(&place, "-dM -E -", "").out;
    assert!(macros.contains("#define __BYTE_ORDER__ __ORDER_LITTLE_ENDIAN__\n"), "{macros}");
    let macros = ours(&place, "-target bpfeb -dM -E -", "").out;
    assert!(macros.contains("#define __BYTE_ORDER__ __ORDER_BIG_ENDIAN__\n"), "{macros}");
    let help = ours(&place, "--help", "").out;
    assert!(help.contains("  -fsyntax-only ") && help.contains("-fstack-protector"), "{help}");
}

#[test]
fn standard_input_is_called_as_clang_calls_it() {
    let place = Scratch::new(FILES);
    let done =
        ours(&place, "-fno-caret-diagnostics -fsyntax-only -x c -", "int f(void) { return nothing; }\n");
    assert!(done.err.starts_with("<stdin>:1:22: error"), "{}", done.err);
    let done = ours(&place, "-E -P -", "__FILE__\n");
    assert_eq!(done.out.trim(), "\"<stdin>\"");
}

#[test]
fn what_cannot_be_done_names_what_can() {
    let place = Scratch::new(FILES);
    for (line, replacement) in [
        ("-emit-llvm -c ok.c", "skep cc -O2 -g -c FILE.c"),
        ("-fsanitize=kernel-address -c ok.c", "skep run"),
        ("-save-temps -c ok.c", "skep dump"),
        ("ok.c", "pass -c"),
        ("-target x86_64 -c ok.c", "bpfel"),
        ("-fsyntax-olny ok.c", "did you mean `-fsyntax-only`?"),
    ] {
        let done = ours(&place, line, "");
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{line}");
        assert!(done.err.starts_with("skep: error: ") && done.err.contains(replacement), "{}", done.err);
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    }
    assert!(!place.0.join("ok.o").exists());
}

#[test]
fn what_was_done_is_said_when_asked() {
    let place = Scratch::new(FILES);
    let source = "__attribute__((noinline)) static int kept(int x) { return x + 1; }\n\
                  static int copied(int x) { return x * 3; }\n\
                  int f(int x) { return kept(x) + copied(x); }\n";
    let line = "-O2 -Rpass=inline -Rpass-missed=in.*|none -ftime-report -c -x c - -o said.o";
    let done = ours(&place, line, source);
    let expected = [
        "<stdin>:3:33: remark: 'copied' inlined into 'f' [-Rpass=inline]",
        "remark: 'kept' not inlined into 'f' because it should never be inlined [-Rpass-missed=inline]",
        "  gvn\n",
        "  total\n",
    ];
    for text in expected {
        assert!(done.err.contains(text), "no {text:?} in {}", done.err);
    }
    let done = ours(&place, "-O2 -Rpass=regalloc -c -x c - -o said.o", source);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
}

#[test]
fn names_of_clang_are_the_clang_command() {
    let place = Scratch::new(FILES);
    for name in ["clang", "clang-19", "skep-clang"] {
        let link = place.0.join(name);
        std::os::unix::fs::symlink(SKEP, &link).expect("writable");
        let done = place.run(&link.to_string_lossy(), &["-target", "bpf", "-c", "ok.c"], b"");
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{name}");
    }
}

/// The command lines of libbpf-cargo, bpf2go, libbpf-bootstrap and Kbuild's samples.
#[test]
fn command_lines_of_other_projects() {
    let place = Scratch::new(FILES);
    for line in [
        "-I inc -fno-stack-protector -D__TARGET_ARCH_x86 -g -O2 -target bpf -c ok.c -o cargo.o",
        "-O2 -mcpu=v1 -Wall -Werror -fno-ident -fdebug-prefix-map=/a=. -fdebug-compilation-dir . -target bpfel \
         -c ok.c -o go.o -g -D__TARGET_ARCH_x86 -MD -MP -MFgo.d",
        "-g -O2 -target bpf -D__TARGET_ARCH_x86 -Iinc -idirafter /usr/include -c ok.c -o bootstrap.tmp.bpf.o",
        "-nostdinc -Wno-unused-value -Wno-pointer-sign -Wno-compare-distinct-pointer-types \
         -Wno-gnu-variable-sized-type-not-at-end -Wno-address-of-packed-member \
         -Wno-tautological-compare -Wno-unknown-warning-option -fno-asynchronous-unwind-tables \
         -fcf-protection -O2 -g -Wp,-MMD,.k.d -c ok.c -o kbuild.o",
        "-Wno-compare-distinct-pointer-types -mlittle-endian -g -Wall -O2 -Xclang -disable-llvm-passes \
         -mllvm -bpf-stack-size=512 -std=gnu11 -c ok.c -o selftests.o",
    ] {
        let done = ours(&place, line, "");
        assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (Some(0), "", ""), "{line}");
    }
    for name in ["cargo.o", "go.o", "go.d", "bootstrap.tmp.bpf.o", "kbuild.o", ".k.d", "selftests.o"] {
        assert!(place.0.join(name).exists(), "{name}");
    }
}

/// glibc defines the same types under guards of its own, in either order; a warning that is asked for has
/// headers read whole.
#[test]
fn headers_of_a_c_library_stand_beside_ours() {
    let glibc =
        "#ifndef _BITS_STDINT_INTN_H\n#define _BITS_STDINT_INTN_H 1\ntypedef long long int64_t;\n#endif\n";
    let place = Scratch::new(&[("types.h", glibc.as_bytes())]);
    let (ours, theirs) = ("#include <stdint.h>\n", "#include \"types.h\"\n");
    for text in [[ours, theirs, "int64_t x;\n"].concat(), [theirs, ours, "int64_t x;\n"].concat()] {
        let done =
            place.run(SKEP, &["cc", "-Wsign-conversion", "-xc", "-c", "-", "-o", "x.o"], text.as_bytes());
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{text}");
    }
}

#[test]
fn line_ends_of_objects_and_names_do_not_depend_on_the_directory() {
    let (here, there) = (Scratch::new(FILES), Scratch::new(FILES));
    for place in [&here, &there] {
        assert_eq!(ours(place, "-g -O2 -c d.c -Iinc", "").code, Some(0));
    }
    assert_eq!(here.files()["d.o"], there.files()["d.o"]);
}
