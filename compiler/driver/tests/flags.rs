//! Every flag that builds of BPF programs are known to use, as rows of one table: is it accepted, does it
//! change macros as it does with clang-19, does it change the object.

mod common;

use std::collections::BTreeSet;

use common::{SKEP, Scratch};
use skep_test_tools::{self as tools, Need};

/// What a flag does to the object of a program that compiles without it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    /// The same bytes.
    None,
    /// Others.
    Changes,
    /// Another one comes of it, or none: not a compilation of the program.
    Other,
    /// It is refused; the message holds this.
    Refused(&'static str),
}

use Effect::{Changes, None as Same, Other, Refused};

/// Flags beside `-target bpf -O2 -g`, in groups: targets and code, language, headers and macros, output,
/// warnings, names in the object, what means nothing for BPF, what cannot be done.
const ROWS: &[(&str, Effect)] = &[
    ("-target bpfel", Same),
    ("-target bpfeb", Changes),
    ("--target=bpf", Same),
    ("--target=bpfel", Same),
    ("--target=bpfeb", Changes),
    ("-mlittle-endian", Same),
    ("-mbig-endian", Changes),
    ("-mcpu=v1", Same),
    ("-mcpu=generic", Same),
    ("-mcpu=v2", Changes),
    ("-mcpu=v3", Changes),
    ("-mcpu=v4", Changes),
    ("-mcpu=probe", Changes),
    ("-mcpu=help", Other),
    ("-O0", Changes),
    ("-O1", Same),
    ("-O2", Same),
    ("-O3", Same),
    ("-Os", Same),
    ("-Oz", Same),
    ("-O", Same),
    ("-g", Same),
    ("-g0", Changes),
    ("-g2", Same),
    ("-gdwarf-4", Same),
    ("-fno-inline", Same),
    ("-fno-builtin", Same),
    ("-ffreestanding", Same),
    ("-fms-extensions", Same),
    ("-std=gnu11", Same),
    ("-std=gnu17", Same),
    ("-std=gnu2x", Same),
    ("-std=c11", Same),
    ("-std=gnu99", Same),
    ("-x c", Same),
    ("-DX=1", Same),
    ("-D X", Same),
    ("-DTHREE=4", Changes),
    ("-UTHREE", Same),
    ("-D__TARGET_ARCH_x86", Same),
    ("-Iinc", Same),
    ("-I inc", Same),
    ("-isystem inc", Same),
    ("-idirafter inc", Same),
    ("-iquote inc", Same),
    ("-include inc/x.h", Changes),
    ("-imacros inc/m.h", Changes),
    ("-nostdinc", Same),
    ("-nostdlibinc", Same),
    ("-MD", Same),
    ("-MMD", Same),
    ("-MP", Same),
    ("-MD -MF x.d -MT t -MQ u -MP", Same),
    ("-MD -MP -MFx.d", Same),
    ("-Wp,-MMD,x.d", Same),
    ("-E", Other),
    ("-E -dM", Other),
    ("-S", Other),
    ("-M", Other),
    ("-MM", Other),
    ("-fsyntax-only", Other),
    ("-###", Other),
    ("--version", Other),
    ("-v", Same),
    ("-w", Same),
    ("-Wall", Same),
    ("-Wextra", Same),
    ("-Werror", Same),
    ("-Wall -Werror", Same),
    ("-Werror=undef", Same),
    ("-Wno-unused-value", Same),
    ("-Wno-pointer-sign", Same),
    ("-Wno-compare-distinct-pointer-types", Same),
    ("-Wno-address-of-packed-member", Same),
    ("-Wno-gnu-variable-sized-type-not-at-end", Same),
    ("-Wno-tautological-compare", Same),
    ("-Wno-unknown-warning-option", Same),
    ("-Wno-visibility", Same),
    ("-Wimplicit-fallthrough", Same),
    ("-Wunused-command-line-argument", Same),
    ("-Qunused-arguments", Same),
    ("-ferror-limit=0", Same),
    ("-fcolor-diagnostics", Same),
    ("-fno-color-diagnostics", Same),
    ("-fdebug-prefix-map=/a=.", Same),
    ("-ffile-prefix-map=/a=.", Same),
    ("-fmacro-prefix-map=/a=.", Same),
    ("-fdebug-compilation-dir .", Same),
    ("-fdebug-compilation-dir=.", Same),
    ("-ffile-compilation-dir=.", Same),
    ("-fdebug-default-version=4", Same),
    ("-fno-ident", Same),
    ("-fno-stack-protector", Same),
    ("-fno-asynchronous-unwind-tables", Same),
    ("-fno-unwind-tables", Same),
    ("-fno-strict-aliasing", Same),
    ("-fno-jump-tables", Same),
    ("-fno-common", Same),
    ("-fcf-protection", Same),
    ("-pipe", Same),
    ("-Xlinker --export-dynamic", Same),
    ("-Xclang -disable-llvm-passes", Same),
    ("-mllvm -bpf-stack-size=512", Same),
    ("-mllvm -inline-threshold=5", Same),
    ("-emit-llvm", Refused("skep cc -O2 -g -c FILE.c -o FILE.o")),
    ("-fsanitize=kernel-address", Refused("skep run")),
    ("-target x86_64", Refused("bpfel")),
    ("-mcpu=v9", Refused("v4")),
    ("-std=gnu77", Refused("gnu11")),
    ("-x c++", Refused("-x c")),
    ("-frobnicate", Refused("unknown argument")),
];

const PROGRAM: &[u8] = b"\
#ifndef THREE
#define THREE 3
#endif
struct s { int a; char b[THREE]; };
int limit = THREE;
int f(struct s *s, unsigned n)
{
	unsigned long i;
	unsigned sum = 0;

	for (i = 0; i < THREE; i++)
		if (n > 7 && s->b[i] < s->a)
			sum += (unsigned char)s->b[i] / 3u;
	return (int)sum + limit;
}
";

const FILES: &[(&str, &[u8])] = &[
    ("p.c", PROGRAM),
    ("empty.c", b""),
    ("inc/x.h", b"int added = 1;\n"),
    ("inc/m.h", b"#define THREE 5\nint not_added;\n"),
];

fn words<'a>(flag: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let base = ["-target", "bpf", "-O2", "-g"];
    base.into_iter().chain(flag.split_whitespace()).chain(more.iter().copied()).collect()
}

/// Lines of `-dM -E` that come or go with a flag.
fn macros(place: &Scratch, compiler: &[&str], flag: &str) -> BTreeSet<String> {
    let list = |flag: &str| {
        let line = [&compiler[1..], &words(flag, &["-w", "-dM", "-E", "empty.c"])].concat();
        let done = place.run(compiler[0], &line, b"");
        done.out.lines().map(String::from).collect::<BTreeSet<_>>()
    };
    list("").symmetric_difference(&list(flag)).cloned().collect()
}

#[test]
fn each_flag_is_taken_as_it_is_meant() {
    let place = Scratch::new(FILES);
    let compile = |flag: &str| {
        let _ = std::fs::remove_file(place.0.join("p.o"));
        let done =
            place.run(SKEP, &[&["cc"], words(flag, &["-c", "p.c", "-o", "p.o"]).as_slice()].concat(), b"");
        (done, std::fs::read(place.0.join("p.o")).ok())
    };
    let (done, plain) = compile("");
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    let mut wrong = Vec::new();
    for (flag, effect) in ROWS {
        let (done, object) = compile(flag);
        let fine = match effect {
            Same => done.code == Some(0) && object == plain,
            Changes => done.code == Some(0) && object.is_some() && object != plain,
            Other => done.code == Some(0) && object != plain,
            Refused(text) => done.code == Some(1) && object.is_none() && done.err.contains(text),
        };
        let silent = !matches!(effect, Same | Changes) || *flag == "-v" || done.err.is_empty();
        if !fine || !silent {
            wrong.push(format!("`{flag}` should be {effect:?}: exit code {:?}, {}", done.code, done.err));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_flag_changes_the_macros_that_it_changes_with_clang() {
    if !tools::have(&[Need::Clang]) {
        return;
    }
    let place = Scratch::new(FILES);
    let mut wrong = Vec::new();
    for (flag, effect) in ROWS.iter().filter(|(_, effect)| matches!(effect, Same | Changes)) {
        // Of the processor of this machine, which clang looks at.
        if *flag == "-mcpu=probe" {
            continue;
        }
        let (ours, theirs) = (macros(&place, &[SKEP, "cc"], flag), macros(&place, &[tools::CLANG], flag));
        if ours != theirs {
            wrong.push(format!("`{flag}` ({effect:?}): ours {ours:?}, clang's {theirs:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn clang_accepts_what_we_accept() {
    if !tools::have(&[Need::Clang]) {
        return;
    }
    let place = Scratch::new(FILES);
    for (flag, effect) in ROWS {
        // clang compiles for other machines and languages, and can do what we cannot.
        let theirs_alone = ["-emit-llvm", "-target x86_64", "-x c++"].contains(flag);
        let done = place.run(tools::CLANG, &words(flag, &["-c", "p.c", "-o", "p.o"]), b"");
        // The kernel's samples pass it, to be compiled for this machine and then for BPF.
        let ours_alone = *flag == "-fcf-protection";
        let accepted = theirs_alone || !(ours_alone || matches!(effect, Refused(_)));
        assert_eq!(done.code == Some(0), accepted, "{flag}: {}", done.err);
    }
}
