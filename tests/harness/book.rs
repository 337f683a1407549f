//! Pages of the book that are lists of rows: written from the tables, compared here.

use std::collections::BTreeSet;
use std::fmt::Write;

use libtest_mimic::{Failed, Trial};
use skep_driver::explain;
use skep_runtime::helpers;
use skep_stdlib::features::Feature;
use skep_stdlib::helpers::HELPERS;
use skep_stdlib::maps::MapType;
use skep_tests::root;

use super::run::compare;

/// One trial for each page.
pub fn trials() -> Vec<Trial> {
    let page = |name: &'static str, text: fn() -> String| {
        let path = root().join("book/src").join(name);
        Trial::test(format!("book::{name}"), move || compare(&path, &text()).map_err(Failed::from))
    };
    let families =
        Trial::test("book::every_code_has_a_family", || every_code_has_a_family().map_err(Failed::from));
    vec![page("diagnostics.md", diagnostics), page("kernels.md", kernels), page("runs.md", runs), families]
}

/// Families of codes: what they begin with, and what they are about.
const FAMILIES: &[(&str, &str, &str)] = &[
    (
        "E00",
        "Tokens and directives",
        "Reported while the text is cut into tokens and the directives are carried out. Nothing after them is \
         looked at if the text itself cannot be read.",
    ),
    (
        "E01",
        "Syntax",
        "The parser stops at the first token that fits nowhere, mends the text in the way that is most likely \
         meant, and goes on, so that one mistake gives one message.",
    ),
    (
        "E02",
        "Names, types, constants",
        "The program is C in its form and wrong in its meaning. A type that is in error is not reported again \
         where it is used.",
    ),
    (
        "E04",
        "Limits",
        "The program is C, and no BPF machine or kernel can run it as it stands. Only code that is left after \
         inlining, folding and removal of what is dead is counted.",
    ),
    (
        "W00",
        "Warnings about tokens and directives",
        "`skep cc` knows them by clang's names: `-Wno-macro-redefined` and so on.",
    ),
    ("W01", "Warnings about literals", "The same."),
    (
        "W02",
        "Warnings about types and values",
        "The same; they are silent in system headers and in `vmlinux.h`.",
    ),
    (
        "V01",
        "Memory accesses",
        "The verifier follows every path of a program by the kernel's rules. An access must be inside memory \
         that the program may use, on every path that leads to it.",
    ),
    ("V02", "Registers and pointers", "What may be done with a value depends on what it is."),
    ("V03", "Calls of helpers", "What a helper asks of the program, of its arguments and of the kernel."),
    ("V04", "Results", "What a program or function may return, and what it may not keep."),
    ("V05", "Flow", "Every instruction can be reached, every path ends, and calls do not nest too deeply."),
    ("V06", "The whole program", "What stops a kernel whatever the single instructions do."),
    ("V09", "Not modelled", "The kernel may accept it; this verifier does not know enough to say so."),
];

fn diagnostics() -> String {
    let mut text = String::from(
        "# Diagnostics\n\nEvery message has a code that never changes its meaning: `E` for errors of the \
         compiler, `W` for warnings,\n`V` for rules of the verifier. This page is written from the tables of the \
         program.\n",
    );
    let rows = explain::titles();
    for (prefix, title, about) in FAMILIES {
        let rows: Vec<_> = rows.iter().filter(|(code, _)| code.starts_with(prefix)).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = write!(text, "\n## {prefix}xx: {title}\n\n{about}\n\n| code | says |\n|---|---|\n");
        for (code, title) in rows {
            let _ = match explain::page(code) {
                Some(_) => writeln!(text, "| [{code}](explain/{code}.md) | {title} |"),
                None => writeln!(text, "| {code} | {title} |"),
            };
        }
    }
    text
}

fn every_code_has_a_family() -> Result<(), String> {
    let has_family = |code: &str| FAMILIES.iter().any(|(prefix, ..)| code.starts_with(prefix));
    match explain::titles().iter().find(|(code, _)| !has_family(code)) {
        Some((code, title)) => Err(format!("no family for {code} ({title}): add one to FAMILIES")),
        None => Ok(()),
    }
}

fn kernels() -> String {
    let mut text = String::from(
        "# Kernels\n\nWhat a kernel can do since which version, as `--kernel` takes it into account. This page is \
         written from\n`stdlib/src/features.rs`, where the source of each version is named.\n\n| since | feature \
         |\n|---|---|\n",
    );
    let mut features: Vec<Feature> = Feature::ALL.to_vec();
    features.sort_by_key(|feature| feature.since());
    for feature in features {
        let _ = writeln!(text, "| {} | {} |", feature.since(), feature.name());
    }
    text
}

/// What runs without a kernel.
fn runs() -> String {
    let mut text = String::from(
        "# What runs here\n\nHelpers, kernel functions and maps that the runtime executes. One that is missing \
         stops the program with\nits name when it is called, and not before. This page is written from the \
         runtime's own tables.\n",
    );
    let known: BTreeSet<&str> = helpers::implemented_names().into_iter().collect();
    let (run, missing): (Vec<&str>, Vec<&str>) =
        HELPERS.iter().map(|helper| helper.name).partition(|name| known.contains(name));
    let kfuncs = helpers::implemented_kfunc_names();
    let _ = write!(text, "\n## Helpers: {} of {}\n\n{}\n", run.len(), HELPERS.len(), names(&run));
    let _ = write!(text, "\n### Not yet\n\n{}\n", names(&missing));
    let _ = write!(text, "\n## Kernel functions: {}\n\n{}\n", kfuncs.len(), names(&kfuncs));
    let maps: Vec<&str> = (1..64).filter_map(MapType::from_number).map(|ty| ty.info().name).collect();
    let _ = write!(text, "\n## Maps: all {}\n\n{}\n", maps.len(), names(&maps));
    text
}

/// A list of names, wrapped.
fn names(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.sort_unstable();
    let mut lines = vec![String::new()];
    for name in names {
        let last = lines.last_mut().expect("there is one");
        if last.len() + name.len() > 116 {
            lines.push(String::new());
        }
        let last = lines.last_mut().expect("there is one");
        let _ = write!(last, "{}`{name}`", if last.is_empty() { "" } else { " " });
    }
    lines.join("\n")
}
