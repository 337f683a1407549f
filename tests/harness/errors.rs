//! Broken and doubtful programs: what is said about each was read and found good.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use skep_tests::{case, root};

use super::run::{compare, skep};

/// One trial for each file.
pub fn trials() -> Vec<Trial> {
    let folder = root().join("tests/suite/errors");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    files.sort();
    let cases = files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "c"));
    let trial = |path: std::path::PathBuf| {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Trial::test(format!("errors::{name}"), move || check(&path).map_err(Failed::from))
    };
    cases.map(trial).collect()
}

fn check(path: &Path) -> Result<(), String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&text);
    let relative = path.strip_prefix(root()).unwrap_or(path);
    // Relative to the root, so that the messages are the same everywhere.
    std::env::set_current_dir(root()).map_err(|error| error.to_string())?;
    let header = case::header(&text)?;
    let relative = relative.to_string_lossy();
    let asked = header.warnings.iter().flat_map(|name| ["-W", name]);
    let line: Vec<&str> =
        ["build", "--no-verify", "-o", "/dev/null", &relative].into_iter().chain(asked).collect();
    let done = skep(&line);
    // Some are only warned about; silence is never right.
    let is_error = done.err.contains("error[");
    // Nothing but what we do not support is told apart from what is wrong.
    let expected_code = match (is_error, done.err.replace("error[E0112]", "").contains("error[")) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => 3,
    };
    if done.code != expected_code || !(is_error || done.err.contains("warning[")) {
        return Err(format!("exit code {}\n{}", done.code, done.err));
    }
    for expected in case::expected(&text) {
        let place = format!(":{}:", expected.line);
        let met = done.err.contains(&format!("[{}]", expected.code)) && done.err.contains(&place);
        if !met || !done.err.contains(&expected.text) {
            return Err(format!(
                "line {}: no `{}` with `{}` in:\n{}",
                expected.line, expected.code, expected.text, done.err
            ));
        }
    }
    compare(&path.with_extension("snap"), &done.err)
}
