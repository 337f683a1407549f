//! `skep skel` beside the tools whose work it does.

mod common;

use std::collections::BTreeSet;
use std::path::PathBuf;

use common::{SKEP, Scratch};
use skep_test_tools::{self as tools, Need};

const COUNTER: &str = include_str!("skel/counter.bpf.c");
const LOADER: &str = include_str!("skel/load.c");

/// A directory with `counter.o`, compiled by us.
fn place() -> Scratch {
    let place = Scratch::new(&[("counter.bpf.c", COUNTER.as_bytes()), ("load.c", LOADER.as_bytes())]);
    compile(&place, "counter.bpf.c", "counter.o");
    place
}

fn compile(place: &Scratch, source: &str, object: &str) {
    let done = place.skep(&[
        "cc",
        "-O2",
        "-g",
        "-w",
        "-target",
        "bpf",
        "-D__TARGET_ARCH_x86",
        "-c",
        source,
        "-o",
        object,
    ]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{source}");
}

fn bpftool(place: &Scratch, name: &str) -> String {
    let done = place.run(&tools::bpftool(), &["gen", "skeleton", &format!("{name}.o"), "name", name], b"");
    assert_eq!(done.code, Some(0), "{}", done.err);
    done.out
}

/// What a program can use of a skeleton: the members of its structure (those of lists in any order), the
/// names of maps and programs in libbpf, and the sizes that are asserted.
fn uses(header: &str) -> BTreeSet<String> {
    let mut uses = BTreeSet::new();
    let body = header.split("\n#ifdef __cplusplus").next().unwrap_or_default();
    let body = body.split_once("struct bpf_object *obj;\n").expect("a skeleton").1;
    let (mut member, mut depth) = (Vec::new(), 0);
    let mut unseen = BTreeSet::new();
    for line in body.lines().filter(|line| !line.is_empty()) {
        depth += line.matches('{').count();
        depth -= line.matches('}').count();
        member.push(line.trim());
        if depth == 0 {
            if ["} maps;", "} progs;", "} links;"].contains(&line.trim()) {
                member.sort_unstable();
            }
            match member.as_slice() {
                // Before 7.2, bpftool showed sections in which nothing can be seen.
                [_, end] if end.starts_with("} *") => {
                    unseen.insert(end.trim_start_matches("} *").trim_end_matches(';').to_owned());
                }
                lines => {
                    uses.insert(lines.join("\n"));
                }
            }
            member.clear();
        }
    }
    let mut map = "";
    for line in header.lines().map(str::trim) {
        let value = |mark: &str| line.split_once(mark).map(|(_, value)| value.trim_end_matches(';'));
        if line.starts_with("_Static_assert") {
            uses.insert(line.into());
        } else if let Some(name) = value(".name = ").or(value("map->name = ")) {
            map = name;
        } else if let Some(place) =
            ["map = ", "mmaped = ", "prog = ", "link = "].iter().find_map(|m| value(m))
        {
            let field = place.rsplit("obj->").next().unwrap_or_default();
            if place.contains("obj->") && !unseen.contains(field) {
                uses.insert(format!("{map} is {place}"));
            }
        }
    }
    uses
}

fn compare(name: &str, ours: &str, theirs: &str) {
    let (ours, theirs) = (uses(ours), uses(theirs));
    let only =
        |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>().join("\n");
    assert!(
        ours == theirs,
        "{name}: only ours:\n{}\nonly bpftool's:\n{}",
        only(&ours, &theirs),
        only(&theirs, &ours)
    );
}

#[test]
fn headers_offer_what_bpftools_offer() {
    if !tools::have(&[Need::Bpftool]) {
        return;
    }
    let place = place();
    compare("counter", &place.skep(&["skel", "counter.o"]).out, &bpftool(&place, "counter"));
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut sources: Vec<PathBuf> =
        std::fs::read_dir(examples).expect("readable").flatten().map(|e| e.path()).collect();
    if let Some(seeds) = tools::seeds() {
        sources.extend(tools::SEEDS.map(|name| seeds.join(format!("{name}.bpf.c"))));
    }
    let mut count = 0;
    for source in sources.iter().filter(|path| path.extension().is_some_and(|e| e == "c")) {
        let file = source.file_name().expect("a file").to_string_lossy();
        let name = file.trim_end_matches(".bpf.c");
        compile(&place, &source.to_string_lossy(), &format!("{name}.o"));
        let ours = place.skep(&["skel", &format!("{name}.o")]);
        assert_eq!((ours.code, ours.err.as_str()), (Some(0), ""), "{name}");
        compare(name, &ours.out, &bpftool(&place, name));
        count += 1;
    }
    assert!(count >= 8, "only {count} programs");
}

#[test]
fn a_loader_in_c_does_the_same_with_either_header() {
    if !tools::have(&[Need::Bpftool, Need::Libbpf, Need::Clang]) {
        return;
    }
    let place = place();
    let build = |compiler: &str, extra: &[&str]| {
        let mut args = vec!["-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror"];
        args.extend(extra);
        let done = place.run(compiler, &args, b"");
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{compiler} {extra:?}");
    };
    let header = |text: &str| std::fs::write(place.0.join("counter.skel.h"), text).expect("writable");
    header(&bpftool(&place, "counter"));
    build(tools::CLANG, &["load.c", "-lbpf", "-o", "theirs"]);
    assert_eq!(place.run(SKEP, &["skel", "counter.o", "-o", "."], b"").code, Some(0));
    build(tools::CLANG, &["load.c", "-lbpf", "-o", "ours"]);
    // It is C++ as well, where the functions are members.
    let members = "enum mode { FAST };\n#include \"counter.skel.h\"\nint main() { size_t n; counter *c = counter::open(); \
                   counter::destroy(c); return counter::elf_bytes(&n) == nullptr; }\n";
    std::fs::write(place.0.join("members.cc"), members).expect("writable");
    build(tools::CLANG, &["-fsyntax-only", "members.cc"]);
    if !tools::have(&[Need::Kernel]) {
        return;
    }
    let [theirs, ours] =
        ["theirs", "ours"].map(|name| place.run(&place.0.join(name).to_string_lossy(), &[], b""));
    assert_eq!((ours.code, ours.out.as_str()), (Some(0), theirs.out.as_str()), "{}", ours.err);
    // Three runs: a step of 5 each; 100 + 1000 + 9 + 7 each on top of 7; `'A' + TWO`.
    assert!(ours.out.contains("\n2 15 3355 1 66 1\n"), "{}", ours.out);
}

/// Every 60th of the kernel's selftests; all of them if `SKEP_FULL` is set.
#[test]
fn headers_of_the_kernels_programs_offer_what_bpftools_offer() {
    if !tools::have(&[Need::Bpftool, Need::KernelTree, Need::Vmlinux]) {
        return;
    }
    let Some(corpus) = tools::corpora::selftests() else { return };
    let place = Scratch::new(&[]);
    let flags = corpus.flags();
    let mut count = 0;
    for file in corpus.sample(60) {
        let path = file.to_string_lossy();
        let base = ["cc", "-O2", "-g", "-w", "-target", "bpf"].into_iter();
        let line = base.chain(flags.iter().map(String::as_str)).chain(["-c", &path, "-o", "x.o"]);
        if place.skep(&line.collect::<Vec<_>>()).code != Some(0) {
            continue;
        }
        let theirs = place.run(&tools::bpftool(), &["gen", "skeleton", "x.o", "name", "x"], b"");
        let ours = place.skep(&["skel", "--name", "x", "x.o"]);
        if theirs.code != Some(0) {
            continue;
        }
        assert_eq!((ours.code, ours.err.as_str()), (Some(0), ""), "{path}");
        compare(&path, &ours.out, &theirs.out);
        count += 1;
    }
    assert!(count >= 8, "only {count} programs");
}
