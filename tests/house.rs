//! The rules of the house, as tests: crate edges, module edges, sizes, headers, links.
//!
//! They read text and `cargo metadata`; what text cannot tell is left to review. An exception is a
//! row in a table here, with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use skep_tests::root;

/// Which of our crates may depend on which.
const CRATE_EDGES: &[(&str, &[&str])] = &[
    ("skep-stdlib", &[]),
    ("skep-syntax", &[]),
    ("skep-compiler", &["skep-stdlib", "skep-syntax"]),
    ("skep-runtime", &["skep-stdlib"]),
    ("skep-driver", &["skep-compiler", "skep-runtime", "skep-stdlib", "skep-syntax"]),
    (
        "skep-tests",
        &["skep-compiler", "skep-driver", "skep-runtime", "skep-stdlib", "skep-syntax", "skep-test-tools"],
    ),
    ("skep-test-tools", &[]),
    ("skep-test-rivals", &[]),
];

/// Which modules of a crate must not be named in which folder or file of it.
const FORBIDDEN_MODULES: &[(&str, &[&str])] = &[
    ("compiler/src/ir", &["hir", "types", "sema", "lower", "opt", "codegen", "btf", "object"]),
    ("compiler/src/opt", &["hir", "types", "sema", "lower", "codegen", "btf", "object"]),
    ("compiler/src/codegen", &["hir", "types", "sema", "lower", "opt", "btf", "object"]),
    ("compiler/src/sema", &["ir", "lower", "opt", "codegen", "btf", "object"]),
    ("compiler/src/lower", &["sema", "opt", "codegen", "btf", "object"]),
    ("compiler/src/btf", &["sema", "lower", "opt", "object"]),
    ("compiler/src/object.rs", &["sema", "lower", "opt", "btf"]),
];

const MAX_FILE_LINES: usize = 800;
const MAX_FN_LINES: usize = 100;
const MAX_MATCH_FN_LINES: usize = 300;

/// Files that may be longer, and why.
const LONG_FILES: &[(&str, &str)] = &[];

/// Functions above [`MAX_FN_LINES`]: one match or table over an opcode or node enum each.
const LONG_FUNCTIONS: &[(&str, &str)] = &[
    ("runtime/src/verify/arguments.rs::check_argument", "one arm for each class of argument"),
    ("runtime/src/verify/report/log.rs::kernel_log", "one arm for each rule"),
    ("runtime/src/verify/report/words.rs::message", "one arm for each rule"),
];

/// The only files with `unsafe` blocks.
const UNSAFE_FILES: &[&str] =
    &["runtime/src/kernel/sys.rs", "runtime/src/vm/jit/exec.rs", "tests/rivals/src/lib.rs"];

fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["stdlib", "compiler", "runtime", "tests"] {
        collect(&root().join(folder), "rs", &mut files);
    }
    files.sort();
    files
}

fn collect(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.ends_with("target") {
            // What cargo-fuzz builds.
            continue;
        }
        if path.is_dir() {
            collect(&path, extension, files);
        } else if path.extension().is_some_and(|e| e == extension) {
            files.push(path);
        }
    }
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn none(offenders: Vec<String>, rule: &str) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

#[test]
fn crates_depend_only_downwards() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut test_edges = BTreeSet::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().unwrap_or_default().to_owned();
        let edges = found.entry(name).or_default();
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let is_normal = dependency["kind"].is_null();
            let name = dependency["name"].as_str().unwrap_or_default();
            if name.starts_with("skep-") {
                if is_normal { &mut *edges } else { &mut test_edges }.insert(name.to_owned());
            }
        }
    }
    let allowed: BTreeMap<String, BTreeSet<String>> = CRATE_EDGES
        .iter()
        .map(|(name, edges)| (name.to_string(), edges.iter().map(|e| e.to_string()).collect()))
        .collect();
    assert_eq!(found, allowed);
    // Tests of a crate see no more of ours than the crate does; what they share knows none of us.
    let shared = ["skep-test-tools", "skep-test-rivals"].map(str::to_owned);
    assert_eq!(test_edges, BTreeSet::from(shared));
}

#[test]
fn modules_depend_only_forwards() {
    let mut offenders = Vec::new();
    for (place, forbidden) in FORBIDDEN_MODULES {
        for path in rust_files().iter().filter(|path| relative(path).starts_with(place)) {
            let text = read(path);
            // Tests may start from C text, whatever stage they test.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            if relative(path).ends_with("tests.rs") {
                continue;
            }
            for module in *forbidden {
                if code.contains(&format!("crate::{module}::")) || code.contains(&format!("crate::{module};"))
                {
                    offenders.push(format!("{} names `{module}`", relative(path)));
                }
            }
        }
    }
    none(offenders, "a stage names a stage it must not know");
}

#[test]
fn files_say_what_they_are() {
    let silent = rust_files().into_iter().filter(|path| !read(path).starts_with("//!")).map(|p| relative(&p));
    none(silent.collect(), "files that do not open with `//!`");
}

#[test]
fn files_are_short_enough_to_read() {
    let mut offenders = Vec::new();
    for path in rust_files() {
        let (name, lines) = (relative(&path), read(&path).lines().count());
        let excused = LONG_FILES.iter().any(|(file, _)| *file == name);
        if lines > MAX_FILE_LINES && !excused {
            offenders.push(format!("{name}: {lines} lines"));
        } else if lines <= MAX_FILE_LINES && excused {
            offenders.push(format!("{name}: no exception needed any more"));
        }
    }
    none(offenders, "files longer than 800 lines");
}

#[test]
fn functions_are_short_enough_to_read() {
    let mut offenders = Vec::new();
    for path in rust_files() {
        let name = relative(&path);
        for (function, lines) in functions(&read(&path)) {
            let place = format!("{name}::{function}");
            let excused = LONG_FUNCTIONS.iter().any(|(known, _)| *known == place);
            if lines > if excused { MAX_MATCH_FN_LINES } else { MAX_FN_LINES } {
                offenders.push(format!("{place}: {lines} lines"));
            }
        }
    }
    none(offenders, "functions longer than 100 lines");
}

/// Names and line counts of the functions of a file that rustfmt has formatted: a function ends at
/// the first `}` with the indentation of its `fn`.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words = ["pub ", "pub(crate) ", "pub(super) ", "const ", "unsafe "];
        let mut rest = code;
        while let Some(stripped) = words.iter().find_map(|word| rest.strip_prefix(word)) {
            rest = stripped;
        }
        let Some(name) = rest.strip_prefix("fn ") else { continue };
        let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        if line.trim_end().ends_with(';') || line.trim_end().ends_with('}') {
            continue;
        }
        if let Some(length) = lines[start..].iter().position(|line| *line == end) {
            found.push((name, length + 1));
        }
    }
    found
}

#[test]
fn unsafe_is_fenced() {
    let mut offenders = Vec::new();
    for path in rust_files() {
        let name = relative(&path);
        let has = read(&path).lines().any(|line| {
            let line = line.trim_start();
            !line.starts_with("//") && (line.contains("unsafe {") || line.contains("unsafe fn"))
        });
        if has && !UNSAFE_FILES.contains(&name.as_str()) && name != "tests/house.rs" {
            offenders.push(name);
        }
    }
    none(offenders, "`unsafe` outside its fence");
}

#[test]
fn links_in_documents_resolve() {
    let mut documents = vec![root().join("README.md")];
    collect(&root().join("book"), "md", &mut documents);
    let mut offenders = Vec::new();
    for document in documents {
        let folder = document.parent().expect("a file has a folder").to_path_buf();
        for target in markdown_links(&read(&document)) {
            let file = target.split('#').next().unwrap_or_default();
            let is_elsewhere = file.is_empty() || file.contains("://") || file.starts_with("mailto:");
            if !is_elsewhere && !folder.join(file).exists() {
                offenders.push(format!("{}: {target}", relative(&document)));
            }
        }
    }
    none(offenders, "links that lead nowhere");
}

/// Targets of `[text](target)`.
fn markdown_links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.trim_start().starts_with("```");
        let mut rest = line;
        while let (false, Some(start)) = (in_code, rest.find("](")) {
            rest = &rest[start + 2..];
            links.push(rest.split([')', ' ']).next().unwrap_or_default().to_owned());
        }
    }
    links
}

#[test]
fn the_top_level_is_as_agreed() {
    let allowed = ["Cargo.toml", "Cargo.lock", "LICENSE", "README.md"];
    let folders = ["compiler", "runtime", "stdlib", "tests", "examples", "book", "target"];
    let mut offenders = Vec::new();
    for entry in fs::read_dir(root()).expect("the root can be read").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !allowed.contains(&name.as_str()) && !folders.contains(&name.as_str()) {
            offenders.push(name);
        }
    }
    none(offenders, "files at the top level that do not belong there");
}
