//! `skep` in place of clang in builds that others wrote: kernel Makefiles, libbpf's pattern, ninja, and the
//! command lines of Go's and Rust's generators.

mod common;

use std::path::Path;
use std::time::{Duration, SystemTime};

use common::{Done, SKEP, Scratch};
use skep_test_tools::{self as tools, Need};

const FILES: &[(&str, &[u8])] = &[
    ("Makefile", include_bytes!("builds/Makefile")),
    ("build.ninja", include_bytes!("builds/build.ninja")),
    ("counter.bpf.c", include_bytes!("builds/counter.bpf.c")),
    ("counter.h", include_bytes!("builds/counter.h")),
    ("loader.c", include_bytes!("builds/loader.c")),
];

/// The variables by which Makefiles find their tools.
fn ours() -> [String; 3] {
    [format!("CLANG={SKEP} cc"), format!("LLVM_STRIP={SKEP} strip"), format!("BPFTOOL={}", tools::bpftool())]
}

fn make(place: &Scratch, args: &[&str]) -> Done {
    let ours = ours();
    let args: Vec<&str> = ours.iter().map(String::as_str).chain(args.iter().copied()).collect();
    place.run("make", &args, b"")
}

fn holds_types(place: &Scratch, object: &str) {
    let done = place.run(&tools::bpftool(), &["btf", "dump", "file", object], b"");
    assert!(done.code == Some(0) && done.out.contains(" FUNC '"), "{object}: {}{}", done.out, done.err);
}

#[test]
fn a_makefile_after_libbpfs_pattern() {
    if !tools::have(&[Need::Make, Need::Bpftool, Need::Libbpf, Need::Libelf]) {
        return;
    }
    let place = Scratch::new(FILES);
    let done = make(&place, &[]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{}", done.out);
    assert_eq!(place.run("./loader", &[], b"").out, "xdp 16\n");
    let again = make(&place, &["-q"]);
    assert_eq!(again.code, Some(0), "{}", again.out);
    // What does not compile leaves nothing behind that looks made.
    std::fs::write(place.0.join("counter.h"), "struct counts { int x };").expect("writable");
    later(&place.0.join("counter.h"));
    let done = make(&place, &[]);
    assert_ne!(done.code, Some(0));
    assert!(done.err.contains("counter.h"), "{}", done.err);
    assert_eq!(make(&place, &["-q"]).code, Some(1));
}

/// Makes a file look edited after everything else.
fn later(path: &Path) {
    let file = std::fs::File::options().append(true).open(path).expect("writable");
    file.set_modified(SystemTime::now() + Duration::from_secs(5)).expect("settable");
}

#[test]
fn the_kernels_selftests_and_tools() {
    if !tools::have(&[Need::Make, Need::KernelMake, Need::Bpftool, Need::Libelf, Need::Kernel]) {
        return;
    }
    let place = Scratch::new(&[("out/keep", b""), ("rq/keep", b"")]);
    let tree = tools::kernel_tree().expect("it is there");
    let btf = format!("VMLINUX_BTF={}", tools::KERNEL_BTF);
    let out = place.0.join("out").display().to_string();
    let build = |folder: &str, out: &str, targets: &[&str]| {
        let folder = tree.join(folder).display().to_string();
        let output = format!("OUTPUT={out}");
        // Not also with the other compiler, where one is installed.
        let head = ["-C", folder.as_str(), output.as_str(), btf.as_str(), "VMLINUX_H=", "BPF_GCC="];
        let done = make(&place, &[head.as_slice(), targets].concat());
        assert_eq!(done.code, Some(0), "{folder} {targets:?}: {}", done.err);
    };
    // With maps and functions from two files, for three versions of the instruction set, as a light skeleton.
    let targets = [
        "test_xdp.skel.h",
        "linked_funcs.skel.h",
        "no_alu32/test_xdp.bpf.o",
        "cpuv4/test_ldsx_insn.bpf.o",
        "fentry_test.lskel.h",
        "core_kern.lskel.h",
    ];
    let targets: Vec<String> = targets.iter().map(|name| format!("{out}/{name}")).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    build("tools/testing/selftests/bpf", &out, &targets);
    for object in ["test_xdp.bpf.o", "linked_funcs1.bpf.o", "cpuv4/test_ldsx_insn.bpf.o"] {
        holds_types(&place, &format!("out/{object}"));
    }
    // A whole program, with the part that loads it.
    build("tools/bpf/runqslower", &format!("{}/", place.0.join("rq").display()), &[]);
    assert!(place.run("rq/runqslower", &["--help"], b"").out.contains("runqslower"));
}

#[test]
fn a_ninja_file_as_meson_writes_it() {
    if !tools::have(&[Need::Ninja, Need::Bpftool]) {
        return;
    }
    let place = Scratch::new(FILES);
    let text = String::from_utf8_lossy(FILES[1].1)
        .replace("clang = clang\n", &format!("clang = {SKEP} cc\n"))
        .replace("strip = llvm-strip\n", &format!("strip = {SKEP} strip\n"))
        .replace("bpftool = bpftool\n", &format!("bpftool = {}\n", tools::bpftool()));
    std::fs::write(place.0.join("build.ninja"), text).expect("writable");
    let done = place.run("ninja", &[], b"");
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    holds_types(&place, "counter.o");
    assert!(place.run("ninja", &[], b"").out.contains("no work to do"));
    // It knows the header from the dependencies that were written.
    later(&place.0.join("counter.h"));
    assert!(place.run("ninja", &["-n"], b"").out.contains("BPF counter.unstripped.o"));
    // An unknown warning of another compiler is no reason to stop, an unknown `-f` flag is.
    assert_eq!(place.skep(&["cc", "-fssa-phiopt", "-target", "bpf", "-c", "counter.bpf.c"]).code, Some(1));
}

#[test]
fn go_generate_with_bpf2go() {
    let place = Scratch::new(FILES);
    let mut objects = Vec::new();
    for (target, name) in [("bpfel", "counter_bpfel.o"), ("bpfeb", "counter_bpfeb.o")] {
        // What cmd/bpf2go passes, in its order: overrides, the user's flags, then its own.
        let line = format!(
            "cc -O2 -mcpu=v1 -Wall -Werror -I. -target {target} -c counter.bpf.c -o {name} -fno-ident \
             -fdebug-prefix-map=.=. -fdebug-compilation-dir . -g -D__TARGET_ARCH_x86 -MD -MP -MF{name}.tmp"
        );
        let done = place.skep(&line.split_whitespace().collect::<Vec<_>>());
        assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (Some(0), "", ""), "{line}");
        // It reads the rule back: the target, then the source, then what that includes.
        let rule = std::fs::read_to_string(place.0.join(format!("{name}.tmp"))).expect("written");
        let (made, needs) = rule.split_once(':').expect("a rule");
        let needs: Vec<&str> = needs.lines().next().unwrap_or("").split_whitespace().collect();
        assert_eq!((made, needs.first()), (name, Some(&"counter.bpf.c")), "{rule}");
        assert!(rule.contains("./counter.h:\n") || rule.contains("counter.h:\n"), "{rule}");
        // BPF2GO_STRIP is one path: the name says what it is.
        let strip = place.0.join("llvm-strip");
        if !strip.exists() {
            std::os::unix::fs::symlink(SKEP, &strip).expect("writable");
        }
        let done = place.run(&strip.to_string_lossy(), &["-g", name], b"");
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
        objects.push(std::fs::read(place.0.join(name)).expect("written"));
        let done = place.skep(&["skel", "--lang", "go", name, "-o", "."]);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    }
    // ELF's mark of the byte order: 1 is little, 2 is big.
    assert_eq!((objects[0][5], objects[1][5]), (1, 2));
}

#[test]
fn cargo_build_with_libbpf_cargo() {
    let place = Scratch::new(FILES);
    // First it asks for the version.
    let version = place.skep(&["cc", "--version"]).out;
    let number = version.split_once("clang version ").map(|(_, rest)| rest.split(' ').next().unwrap_or(""));
    let number: Vec<u32> = number.unwrap_or("").split('.').filter_map(|part| part.parse().ok()).collect();
    assert!(number.len() == 3 && number[0] >= 10, "{version}");
    let line =
        "cc -I headers -fno-stack-protector -D__TARGET_ARCH_x86 -g -O2 -target bpf -c counter.bpf.c -o x.o";
    let done = place.skep(&line.split_whitespace().collect::<Vec<_>>());
    assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (Some(0), "", ""));
    let done = place.skep(&["skel", "--lang", "rust", "--name", "counter", "x.o"]);
    assert!(done.code == Some(0) && done.out.contains("counters"), "{}{}", done.out, done.err);
    if tools::have(&[Need::Bpftool]) {
        // What libbpf's linker, which it calls, makes of it.
        let done = place.run(&tools::bpftool(), &["gen", "object", "linked.o", "x.o"], b"");
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
        holds_types(&place, "linked.o");
    }
}

/// Does a compiler write BTF? The samples ask so, before they use `-g`.
#[test]
fn the_probe_of_the_kernels_samples() {
    let place = Scratch::new(&[]);
    let line = ["cc", "--target=bpf", "-O2", "-g", "-c", "-x", "c", "-", "-o", "./llvm_btf_verify.o"];
    let done = place.run(SKEP, &line, b"int main() { return 0; }\n");
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    if tools::have(&[Need::Objdump]) {
        let done = place.run("llvm-readelf-19", &["-S", "./llvm_btf_verify.o"], b"");
        assert!(done.out.contains(" .BTF "), "{}", done.out);
    }
}
