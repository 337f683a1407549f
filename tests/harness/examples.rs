//! The examples: their command lines print what they should.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use skep_runtime::vm::Vm;
use skep_tests::root;

use super::run::{compare, skep, words};

/// One trial for each example.
pub fn trials() -> Vec<Trial> {
    let folder = root().join("examples");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    files.sort();
    let sources = files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "c"));
    let trial = |path: std::path::PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Trial::test(format!("examples::{name}"), move || check(&path).map_err(Failed::from))
    };
    sources.map(trial).collect()
}

fn check(path: &Path) -> Result<(), String> {
    std::env::set_current_dir(root()).map_err(|error| error.to_string())?;
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut transcript = String::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("// $ skep ")) {
        let arguments = words(line);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        // The running kernel's types must not change what an example prints.
        let done = skep(&[&arguments[..1], &["--btf", "none"], &arguments[1..]].concat());
        if done.code != 0 {
            return Err(format!("`skep {line}` ends with {}\n{}{}", done.code, done.out, done.err));
        }
        let printed = without_counts(&done.out);
        if matches!(arguments[0], "run" | "test") && Vm::can_compile() {
            let compiled =
                skep(&[&arguments[..1], &["--btf", "none", "--engine", "jit"], &arguments[1..]].concat());
            if (compiled.code, without_counts(&compiled.out)) != (0, printed.clone()) {
                return Err(format!("`skep {line}` compiled:\n{}{}", compiled.out, compiled.err));
            }
        }
        transcript.push_str(&format!("$ skep {line}\n{printed}"));
    }
    if transcript.is_empty() {
        return Err("the example quotes no command line".into());
    }
    compare(&path.with_extension("").with_extension("out"), &transcript)
}

/// The output without the numbers of instructions, which change with every optimisation.
fn without_counts(text: &str) -> String {
    let line = |line: &str| match line.rsplit_once(", ") {
        Some((start, end)) if end.ends_with(" instructions") => format!("{start}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}
