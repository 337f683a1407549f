//! Is every check of the verifier tested? Each is turned off in turn, and then some test must fail.
//!
//! The runtime is copied to `target/mutants`, where every refusal and every call of a check becomes one
//! that an environment variable can turn off; places where the rest would not compile without it are left
//! as they are. One build serves all mutants: the test binaries run once for each, until one fails.
//! What survives is printed, with its place in the source; the exit code is 1 if more than a twentieth does.
//!
//! `skep-mutants [FIRST [COUNT [STEP]]]` tries only some, every STEP-th; `skep-mutants FILE:LINE...` those at
//! these places, as they are printed. All take an hour or so on a quiet machine.
#![allow(clippy::print_stdout)]

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use skep_tests::root;

/// Names the mutant to the tests.
const VARIABLE: &str = "SKEP_MUTANT";

/// The tests that judge, in this order: those first that catch most in the least time.
const TESTS: &[&str] = &[
    "verifier_oracle",
    "holes",
    "rules",
    "checks",
    "unprivileged",
    "selftests",
    "trust",
    "locks",
    "replay",
    "availability",
    "skep_runtime",
    "verdicts",
];

/// So many mutants of a hundred may survive.
const SURVIVORS: usize = 5;

/// Another check says the same of the same programs.
const AGAIN: &str = "refused again, in the same words";

/// The types of a kernel lack nothing.
const WHOLE: &str = "types of sound BTF resolve, and a kernel's have what its functions are about";

/// Checks that no program can show to be missing: the file, what the line says, why.
const UNSEEN: &[(&str, &str, &str)] = &[
    ("arguments.rs", "_ => Err(wrong(\"a pointer to memory\")),", AGAIN),
    ("params.rs", "_ => Err(wrong(\"a pointer to memory\")),", AGAIN),
    ("lock.rs", "(Some(held), true) => Err(Cause::Locked", AGAIN),
    (
        "global.rs",
        "return Err(refused(\"it has more than 5 parameters\", &log));",
        "no compiler makes such a function",
    ),
    ("args.rs", "let ty = btf.resolve(ty).ok_or(refused.clone())?;", WHOLE),
    ("args.rs", "let pointee = btf.resolve(pointed).ok_or(refused.clone())?;", WHOLE),
    ("global.rs", "let resolved = btf.resolve(target).ok_or(", WHOLE),
    ("kfunc.rs", "let size = btf.size_of(target).ok_or_else(unsupported)?", WHOLE),
    ("object.rs", "let ty = btf.find(row.1, Kind::Struct).ok_or(refused)?;", WHOLE),
    (
        "params.rs",
        "return Err(proto.unsupported(\"this parameter\"));",
        "no function of the table has such a one",
    ),
    (
        "params.rs",
        "_ => return Err(proto.unsupported(\"this parameter\")),",
        "no function of the table has another",
    ),
    (
        "kfunc.rs",
        "None => return Err(proto.unsupported(\"the function argument\")),",
        "no function of the table takes one",
    ),
    ("call.rs", "Reg::Uninit => return Err(Cause::Uninit { reg: 6 }),", "`read` has refused it"),
    (
        "walk.rs",
        "Some(Err(cause)) => return Err(self.report(start, cause)),",
        "refused where the function is called",
    ),
    ("walk.rs", "Insn::Call(CallTarget::Reg(_)) => return Err(Cause::IndirectCall {}),", AGAIN),
    ("structure.rs", "None => Err((function.start, Cause::FallsOff {})),", "no function is empty"),
];

/// A check that can be turned off.
struct Site {
    /// The file, below `runtime/src/verify`.
    file: PathBuf,
    /// Its first line, from 1.
    line: usize,
    /// The last.
    end: usize,
    /// The bytes of the file.
    bytes: Range<usize>,
    kind: Kind,
}

/// How it is turned off.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// `return Err(..);`, or a call of a check with `?;`: is skipped.
    Statement,
    /// `Err(..)`, or a call of a check, as the value of an arm or a function: is fine.
    Value,
    /// `return Err(..)` in an arm: goes on with what is the default.
    Arm,
    /// `.ok_or(..)`: there is something, the default.
    Missing,
}

type Result<T> = std::result::Result<T, String>;

/// The test binaries; or the places that do not compile, as files, first and last lines.
type Built = std::result::Result<Vec<PathBuf>, Vec<(String, usize, usize)>>;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool> {
    let (places, numbers): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|text| text.contains(':'));
    let mut numbers = numbers.iter().filter_map(|text| text.parse::<usize>().ok());
    let (first, count) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(usize::MAX));
    let step = numbers.next().filter(|step| *step > 0).unwrap_or(1);
    let copy = Copy::make()?;
    let mut sites = copy.sites()?;
    let tests = loop {
        copy.write(&sites)?;
        match copy.build()? {
            Ok(tests) => break tests,
            Err(broken) => {
                let before = sites.len();
                sites
                    .retain(|site| !broken.iter().any(|(file, first, last)| site.meets(file, *first, *last)));
                if sites.len() == before {
                    return Err("the copy does not compile".into());
                }
            }
        }
    };
    println!("{} checks in {} test binaries", sites.len(), tests.len());
    if let Some(test) = tests.iter().find(|test| fails(test, usize::MAX)) {
        return Err(format!("{} fails without any mutant", test.display()));
    }
    let (mut tried, mut survivors) = (0, 0);
    let wanted = |site: &Site| places.is_empty() || places.contains(&site.place());
    let some = sites.iter().enumerate().filter(|(_, site)| wanted(site));
    for (number, site) in some.skip(first).step_by(step).take(count) {
        tried += 1;
        if !tests.iter().any(|test| fails(test, number)) {
            survivors += 1;
            println!("survives: {}", site.place());
        }
    }
    println!("{} of {tried} are caught", tried - survivors);
    Ok(survivors * 100 <= tried * SURVIVORS)
}

/// Does this test binary notice the mutant?
fn fails(test: &Path, number: usize) -> bool {
    let mut command = Command::new(test);
    // Every file: what only one program notices is noticed.
    command
        .env(VARIABLE, number.to_string())
        .env("SKEP_FULL", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    !command.current_dir(root().join("runtime")).status().is_ok_and(|status| status.success())
}

impl Site {
    /// Where it is, for people.
    fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }

    /// Is a line of it among these? An error may be that of all around it, as of an `else` that must leave.
    fn meets(&self, file: &str, first: usize, last: usize) -> bool {
        file.ends_with(&*self.file.to_string_lossy()) && self.line <= last && first <= self.end
    }
}

/// The copy of the crate.
struct Copy {
    folder: PathBuf,
}

impl Copy {
    fn make() -> Result<Copy> {
        let folder = root().join("target/mutants");
        let _ = std::fs::remove_dir_all(folder.join("runtime"));
        for part in ["runtime", "stdlib", "tests/tools"] {
            tree(&root().join(part), &folder.join(part))?;
        }
        let text = read(&root().join("Cargo.toml"))?;
        let (before, rest) = text.split_once("members = [").ok_or("no members")?;
        let (_, rest) = rest.split_once(']').ok_or("no members")?;
        let (_, rest) = rest.split_once("[workspace.package]").ok_or("no package")?;
        // Quick to build rather than quick.
        let text = format!(
            "{before}members = [\"stdlib\", \"runtime\", \"tests/tools\"]\n[workspace.package]{}",
            rest.replace("lto = \"fat\"", "lto = \"off\"")
                .replace("codegen-units = 1", "codegen-units = 16")
                .replace("panic = \"abort\"", "")
        );
        write(&folder.join("Cargo.toml"), &text)?;
        std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))
            .map_err(|error| error.to_string())?;
        Ok(Copy { folder })
    }

    /// Everything that may be turned off.
    fn sites(&self) -> Result<Vec<Site>> {
        let verify = root().join("runtime/src/verify");
        let mut files = Vec::new();
        collect(&verify, &mut files)?;
        files.sort();
        let mut sites = Vec::new();
        for path in files {
            let file = path.strip_prefix(&verify).unwrap_or(&path).to_path_buf();
            let text = read(&path)?;
            let text = text.split("\n#[cfg(test)]").next().unwrap_or_default();
            let mut start = 0;
            for (at, line) in text.split_inclusive('\n').enumerate() {
                let trimmed = line.trim();
                let is_code = !trimmed.starts_with("//") && !is_unseen(&file, trimmed);
                for (kind, bytes) in is_code.then(|| switches(text, start, line)).into_iter().flatten() {
                    let end = at + 1 + text[start..bytes.end].matches('\n').count();
                    sites.push(Site { file: file.clone(), line: at + 1, end, bytes, kind });
                }
                start += line.len();
            }
        }
        Ok(sites)
    }

    /// Writes the sources with switches at these sites.
    fn write(&self, sites: &[Site]) -> Result<()> {
        let verify = self.folder.join("runtime/src/verify");
        let files: BTreeSet<&PathBuf> = sites.iter().map(|site| &site.file).collect();
        for file in files {
            let mut text = read(&root().join("runtime/src/verify").join(file))?;
            let mut inserted: Vec<(usize, String)> = Vec::new();
            for (number, site) in sites.iter().enumerate().filter(|(_, site)| site.file == *file) {
                let off = format!("crate::verify::is_mutant({number})");
                let (before, after) = match site.kind {
                    Kind::Statement => (format!("if !{off} {{ "), " }".to_owned()),
                    Kind::Value => (format!("if {off} {{ Ok(Default::default()) }} else {{ "), " }".into()),
                    Kind::Arm => (format!("{{ if !{off} {{ "), "; } Default::default() }".into()),
                    Kind::Missing => (format!(".or_else(|| {off}.then(Default::default))"), String::new()),
                };
                inserted.extend([(site.bytes.start, before), (site.bytes.end, after)]);
            }
            inserted.sort_by_key(|(at, _)| *at);
            for (at, switch) in inserted.iter().rev() {
                text.insert_str(*at, switch);
            }
            write(&verify.join(file), &text)?;
        }
        let switch = format!(
            "\npub(crate) fn is_mutant(number: usize) -> bool {{\n    extern crate std;\n    \
             static CHOSEN: std::sync::OnceLock<usize> = std::sync::OnceLock::new();\n    \
             let chosen = || std::env::var(\"{VARIABLE}\").ok().and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);\n    \
             *CHOSEN.get_or_init(chosen) == number\n}}\n"
        );
        let module = verify.join("mod.rs");
        let text = read(&module)?;
        let text = text.split("\npub(crate) fn is_mutant").next().unwrap_or_default().to_owned();
        write(&module, &(text + &switch))
    }

    /// Builds the tests.
    fn build(&self) -> Result<Built> {
        let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        command.args([
            "test",
            "--release",
            "--no-run",
            "-p",
            "skep-runtime",
            "--message-format",
            "json",
            "--lib",
        ]);
        for test in TESTS.iter().filter(|test| **test != "skep_runtime") {
            command.args(["--test", test]);
        }
        command.env("RUSTFLAGS", "--cap-lints warn");
        let output = command.current_dir(&self.folder).output().map_err(|error| error.to_string())?;
        let (mut tests, mut broken) = (Vec::new(), Vec::new());
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            if let Some(path) = message["executable"].as_str() {
                tests.push(PathBuf::from(path));
            }
            if message["message"]["level"] == "error" {
                for span in message["message"]["spans"].as_array().into_iter().flatten() {
                    let (file, start) = (span["file_name"].as_str(), span["line_start"].as_u64());
                    let end = span["line_end"].as_u64().or(start);
                    if let (Some(file), Some(start), Some(end)) = (file, start, end) {
                        broken.push((file.to_owned(), start as usize, end as usize));
                    }
                }
            }
        }
        match (output.status.success(), broken.is_empty()) {
            (true, _) => {
                let name =
                    |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let order = |path: &PathBuf| TESTS.iter().position(|test| name(path).starts_with(test));
                tests.sort_by_key(order);
                Ok(Ok(tests))
            }
            (false, false) => Ok(Err(broken)),
            (false, true) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

/// Is this line one of [`UNSEEN`]?
fn is_unseen(file: &Path, line: &str) -> bool {
    UNSEEN.iter().any(|row| file == Path::new(row.0) && line.starts_with(row.1))
}

/// What may be turned off of the line that starts there: how, and the bytes.
fn switches(text: &str, start: usize, line: &str) -> Vec<(Kind, Range<usize>)> {
    let first = start + (line.len() - line.trim_start().len());
    let statement = end_of(text, first, |rest| rest.starts_with(';')).map(|end| first..end + 1);
    let is_statement = |bytes: &Range<usize>| {
        let trimmed = line.trim_start();
        trimmed.starts_with("return Err(") || is_check(trimmed) && text[bytes.clone()].ends_with("?;")
    };
    if let Some(bytes) = statement.filter(is_statement) {
        return vec![(Kind::Statement, bytes)];
    }
    let mut found = Vec::new();
    for word in ["return Err(", "Err(", "check_", "may_be_", ".ok_or"] {
        for (at, _) in line.match_indices(word) {
            // The whole path of what is called.
            let called = line[..at].rfind(|c: char| !c.is_alphanumeric() && !"_.:".contains(c));
            let begin = if word.ends_with('_') { called.map_or(0, |at| at + 1) } else { at };
            let before = line[..begin].trim_start();
            let is_value = before.is_empty() || before.ends_with("=> ") || before.ends_with("{ ");
            let Some(end) = end_of(text, start + begin, |rest| rest.starts_with(')')) else { continue };
            let bytes = start + begin..end + 1;
            let ends = |signs: &str| text[bytes.end..].trim_start().starts_with(|c| signs.contains(c));
            match word {
                "return Err(" if is_value && ends(",}") => found.push((Kind::Arm, bytes)),
                "Err(" | "check_" | "may_be_" if is_value && ends(",}") => found.push((Kind::Value, bytes)),
                "check_" if before.ends_with("return ") => found.push((Kind::Value, bytes)),
                ".ok_or" => found.push((Kind::Missing, bytes.start..bytes.start)),
                _ => {}
            }
        }
    }
    found
}

/// Where what starts there is over: at the first place that is `last`, outside of brackets that it opens.
fn end_of(text: &str, start: usize, last: impl Fn(&str) -> bool) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text[start..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if !quoted && depth == 0 && last(&text[start + at..]) {
            return Some(start + at);
        }
        if depth < 0 {
            return None;
        }
    }
    None
}

/// Is it a call of a check, of whose result nothing is kept?
fn is_check(line: &str) -> bool {
    let called = line.split('(').next().unwrap_or_default();
    let name = called.rsplit(['.', ':']).next().unwrap_or_default();
    !line.contains(" = ") && (name.starts_with("check_") || name.starts_with("may_be_"))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    if read(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|error| error.to_string())?.flatten() {
        match entry.path() {
            path if path.is_dir() => collect(&path, files)?,
            path if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
            _ => {}
        }
    }
    Ok(())
}

fn tree(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).map_err(|error| error.to_string())?;
    for entry in std::fs::read_dir(from).map_err(|error| error.to_string())?.flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            tree(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
