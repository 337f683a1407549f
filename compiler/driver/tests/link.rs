//! `skep link` and `skep strip` beside `bpftool gen object` and `llvm-strip -g`.

mod common;

use std::collections::BTreeSet;

use common::Scratch;
use skep_test_tools::{self as tools, Need};

const HEAD: &str = "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n";

/// Programs of several files: what each file says.
const PROGRAMS: &[(&str, &[&str])] = &[
    (
        "functions",
        &[
            "extern int twice(int x); __weak int pick(void) { return 1; } static int own(int x) { return x + 1; }
             __noinline int use(int x) { return own(x) + own(x * 3); } int total;
             SEC(\"xdp\") int first(void *c) { total += twice(use(pick())); return XDP_PASS; }
             char L[] SEC(\"license\") = \"GPL\";",
            "extern int total; static __noinline int own(int x) { return x + 100; }
             __noinline int twice(int number) { return own(number) + own(number + total); } int pick(void) { return 2; }
             SEC(\"xdp\") int second(void *c) { return own(total); }
             char L[] SEC(\"license\") = \"GPL\";",
        ],
    ),
    (
        "variables",
        &[
            "struct point { int x; struct list *l; }; struct list { struct list *next; struct point *p; };
             extern struct point shared; static volatile int one = 1; static volatile char odd SEC(\".data.odd\") = 7;
             extern int LINUX_KERNEL_VERSION __kconfig; extern const int limit; int list_size = sizeof(struct list);
             SEC(\"xdp\") int first(void *c) { return shared.x + one + odd + (LINUX_KERNEL_VERSION > limit); }
             char L[] SEC(\"license\") = \"GPL\"; int V SEC(\"version\") = 5;",
            "struct list; struct point { int x; struct list *l; }; struct point shared = { 4 };
             const volatile int limit = 3; static volatile long one = 2; static volatile char odd SEC(\".data.odd\") = 9;
             extern int LINUX_KERNEL_VERSION __kconfig; int __hidden secret;
             SEC(\"tc\") int second(void *c) { return one + odd + secret + LINUX_KERNEL_VERSION; }
             char L[] SEC(\"license\") = \"GPL\"; int V SEC(\"version\") = 5;",
            "extern int secret; extern int nowhere __ksym __weak;
             SEC(\"tc\") int third(void *c) { return secret + (&nowhere != 0); } char L[] SEC(\"license\") = \"GPL\";",
        ],
    ),
    (
        "maps",
        &[
            "typedef struct { int a; } value; struct def { __uint(type, BPF_MAP_TYPE_HASH); __type(key, int);
             __type(value, value); __uint(max_entries, 4); }; extern struct def there SEC(\".maps\");
             struct { __uint(type, BPF_MAP_TYPE_ARRAY); __type(key, int); __type(value, long);
             __uint(max_entries, 1); } here SEC(\".maps\");
             SEC(\"xdp\") int first(void *c) { int k = 0; value *v = bpf_map_lookup_elem(&there, &k);
             long *h = bpf_map_lookup_elem(&here, &k); return (v ? v->a : 0) + (h ? *h : 0); }
             char L[] SEC(\"license\") = \"GPL\";",
            "typedef struct { int a; } value; struct def { __uint(type, BPF_MAP_TYPE_HASH); __type(key, int);
             __type(value, value); __uint(max_entries, 4); }; struct def there SEC(\".maps\");
             struct { __uint(type, BPF_MAP_TYPE_ARRAY); __type(key, int); __type(value, long);
             __uint(max_entries, 1); } also SEC(\".maps\");
             SEC(\"tp/x/y\") int second(void *c) { int k = 0; long *h = bpf_map_lookup_elem(&also, &k);
             bpf_map_delete_elem(&there, &k); return h != 0; } char L[] SEC(\"license\") = \"GPL\";",
        ],
    ),
];

/// Writes and compiles `PROGRAM_N.c` to `PROGRAM_N.o`.
fn compile(place: &Scratch, compiler: &str, name: &str, texts: &[&str]) -> Vec<String> {
    let object = |(number, text): (usize, &&str)| {
        let (source, object) = (format!("{name}_{number}.c"), format!("{name}_{number}.o"));
        std::fs::write(place.0.join(&source), format!("{HEAD}{text}\n")).expect("writable");
        let args = ["-O2", "-g", "-target", "bpf", "-mcpu=v3", "-c", &source, "-o", &object];
        let done = match compiler {
            "skep" => place.skep(&[&["cc"], args.as_slice()].concat()),
            other => place.run(other, &[&["-I/usr/include/x86_64-linux-gnu"], args.as_slice()].concat(), b""),
        };
        assert_eq!(done.code, Some(0), "{name}: {}", done.err);
        object
    };
    texts.iter().enumerate().map(object).collect()
}

fn link(place: &Scratch, output: &str, objects: &[String]) {
    let words: Vec<&str> =
        ["link", "-o", output].into_iter().chain(objects.iter().map(String::as_str)).collect();
    let done = place.skep(&words);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{words:?}");
}

/// What tools see in an object: code with relocations, types in any order, the skeleton.
fn seen(place: &Scratch, object: &str) -> (String, BTreeSet<String>, String) {
    let code = place.run(tools::OBJDUMP, &["-dr", "--no-show-raw-insn", object], b"").out.replace(object, "");
    let types = place.run(&tools::bpftool(), &["btf", "dump", "file", object, "format", "c"], b"").out;
    let skeleton = place.run(&tools::bpftool(), &["gen", "skeleton", object, "name", "x"], b"");
    assert_eq!(skeleton.code, Some(0), "{object}: {}", skeleton.err);
    let skeleton = skeleton.out.split("#ifdef __cplusplus").next().unwrap_or_default().to_owned();
    (code, types.split("\n\n").map(String::from).collect(), skeleton)
}

fn compare(place: &Scratch, name: &str, objects: &[String]) {
    link(place, "ours.o", objects);
    link(place, "again.o", &["ours.o".into()]);
    let read = |name: &str| std::fs::read(place.0.join(name)).expect("written");
    assert!(read("ours.o") == read("again.o"), "{name}: linking again changes it");
    // bpftool needs to look twice to place maps that one file declares and another defines.
    for (output, inputs) in [("once.o", objects), ("theirs.o", &["once.o".to_owned()])] {
        let words = ["gen", "object", output].into_iter().chain(inputs.iter().map(String::as_str));
        let done = place.run(&tools::bpftool(), &words.collect::<Vec<_>>(), b"");
        assert_eq!(done.code, Some(0), "{name}: {}", done.err);
    }
    assert_eq!(seen(place, "ours.o"), seen(place, "theirs.o"), "{name}");
}

#[test]
fn results_are_bpftools() {
    if !tools::have(&[Need::Bpftool, Need::Objdump]) {
        return;
    }
    let place = Scratch::new(&[]);
    for (name, texts) in PROGRAMS {
        compare(&place, name, &compile(&place, "skep", name, texts));
        if tools::have(&[Need::Clang, Need::Libbpf]) {
            compare(&place, name, &compile(&place, tools::CLANG, name, texts));
        }
    }
    let Some(tree) = tools::kernel_tree() else { return };
    let selftests = tree.join("tools/testing/selftests/bpf");
    for pair in ["linked_funcs", "linked_maps", "linked_vars", "test_static_linked"] {
        let objects: Vec<String> = ["1", "2"].map(|number| format!("{pair}{number}.o")).into();
        for object in &objects {
            let source = selftests.join("progs").join(object.replace(".o", ".c"));
            let include = format!("-I{}", selftests.display());
            let source = source.to_string_lossy();
            let done = place.skep(&[
                "cc",
                "-O2",
                "-g",
                "-target",
                "bpf",
                "-D__TARGET_ARCH_x86",
                &include,
                "-c",
                &source,
                "-o",
                object,
            ]);
            assert_eq!(done.code, Some(0), "{object}: {}", done.err);
        }
        compare(&place, pair, &objects);
    }
}

#[test]
fn what_is_linked_verifies_and_runs() {
    let place = Scratch::new(&[]);
    let objects = compile(&place, "skep", "functions", PROGRAMS[0].1);
    link(&place, "all.o", &objects);
    let done = place.skep(&["verify", "all.o", "--btf", "none"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(done.out.matches(": safe").count(), 2, "{}", done.out);
    // `pick` is 2: the strong one. 10 = 2 + 1 + 6 + 1; twice(10) = 110 + 110, with a total of 0.
    let done = place.skep(&["run", "all.o", "-p", "first", "--pkt", "00", "--dump-maps", "--btf", "none"]);
    assert!(done.out.contains("220") || done.out.contains("dc 00 00 00"), "{}{}", done.out, done.err);
}

#[test]
fn what_does_not_fit_is_said() {
    let place = Scratch::new(&[]);
    let gpl = "char L[] SEC(\"license\") = \"GPL\";";
    for (name, texts, says) in [
        ("twice", ["int x = 1;", "int x = 2;"], "`x` is defined here and in `twice_0.o`"),
        (
            "type",
            ["int x = 1;", "extern long x; SEC(\"xdp\") int p(void *c) { return x; }"],
            "`x` is not what it is in `type_0.o`: `long` and `int`",
        ),
        (
            "member",
            [
                "struct s { int a; int b; } x = {1};",
                "extern struct s { int a; char b; } x; SEC(\"xdp\") int p(void *c) { return x.b; }",
            ],
            "`x` is not what it is in `member_0.o`",
        ),
        (
            "parameters",
            [
                "__noinline int f(int a) { return a; } SEC(\"xdp\") int p(void *c) { return f(1); }",
                "int f(int a, int b); SEC(\"xdp\") int q(void *c) { return f(1, 2); }",
            ],
            "2 and 1 parameters",
        ),
        ("license", [gpl, "char L[] SEC(\"license\") = \"MIT\";"], "section `license` differs"),
        (
            "entries",
            [
                "struct { __uint(type, 2); __type(key, int); __type(value, int); __uint(max_entries, 4); } m SEC(\".maps\");",
                "extern struct { __uint(type, 2); __type(key, int); __type(value, int); __uint(max_entries, 5); } m \
                 SEC(\".maps\"); SEC(\"xdp\") int p(void *c) { int k = 0; return !bpf_map_lookup_elem(&m, &k); }",
            ],
            "`max_entries` of the map differs",
        ),
    ] {
        let objects = compile(&place, "skep", name, &texts);
        let done = place.skep(&["link", "-o", "out.o", &objects[0], &objects[1]]);
        assert_eq!(done.code, Some(1), "{name}");
        assert!(
            done.err.starts_with(&format!("error: `{name}_1.o`: ")) && done.err.contains(says),
            "{}",
            done.err
        );
        assert!(!place.0.join("out.o").exists());
        if tools::have(&[Need::Bpftool]) {
            let done =
                place.run(&tools::bpftool(), &["gen", "object", "out.o", &objects[0], &objects[1]], b"");
            assert_ne!(done.code, Some(0), "{name}");
            let _ = std::fs::remove_file(place.0.join("out.o"));
        }
    }
    let done = place.skep(&["link", "-o", "out.o", "twice_0.c"]);
    assert_eq!((done.code, done.err.as_str()), (Some(1), "error: `twice_0.c`: not an ELF file\n"));
}

#[test]
fn debugging_sections_are_stripped() {
    let place = Scratch::new(&[]);
    let texts = PROGRAMS[1].1;
    let ours = compile(&place, "skep", "ours", texts);
    let before = std::fs::read(place.0.join(&ours[0])).expect("written");
    assert_eq!(place.skep(&["strip", &ours[0]]).code, Some(2), "without -g nothing is left to load");
    assert_eq!(place.skep(&["strip", "-g", &ours[0]]).code, Some(0));
    let once = std::fs::read(place.0.join(&ours[0])).expect("written");
    assert!(once.len() <= before.len() + 64);
    assert_eq!(place.skep(&["strip", "-g", &ours[0], "-o", "again.o"]).code, Some(0));
    assert!(std::fs::read(place.0.join("again.o")).expect("written") == once, "stripping again changes it");
    if !tools::have(&[Need::Clang, Need::Libbpf, Need::Objdump, Need::Bpftool]) {
        return;
    }
    for object in compile(&place, tools::CLANG, "theirs", texts) {
        assert_eq!(place.skep(&["strip", "-g", &object, "-o", "ours.o"]).code, Some(0));
        let done = place.run("llvm-strip-19", &["-g", &object, "-o", "theirs.o"], b"");
        assert_eq!(done.code, Some(0), "{}", done.err);
        let strip = |name: &str| {
            let code =
                place.run(tools::OBJDUMP, &["-dr", "--no-show-raw-insn", name], b"").out.replace(name, "");
            let list = place.run("llvm-readelf-19", &["-SW", name], b"").out;
            let names = list
                .lines()
                .filter_map(|line| line.split_once(']')?.1.split_whitespace().next().map(String::from));
            // The list of symbols whose address is taken is for linkers of other machines.
            let loaded = |name: &String| !name.starts_with(".rel.BTF") && name != ".llvm_addrsig";
            let names: BTreeSet<String> = names.filter(loaded).collect();
            (code, names)
        };
        assert_eq!(strip("ours.o"), strip("theirs.o"), "{object}");
    }
}
