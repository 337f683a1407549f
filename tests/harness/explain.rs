//! The pages that explain codes: the wrong program of each meets its code and no other, the right one is
//! accepted by us and, where one can be asked, by the running kernel.

use std::collections::BTreeSet;

use libtest_mimic::{Failed, Trial};
use skep_driver::explain::{self, Example, PAGES, Page};
use skep_runtime::Object;
use skep_runtime::kernel::Kernel;
use skep_runtime::object::LinkOptions;
use skep_test_tools as tools;
use skep_tests::root;

use super::run::skep;

/// Codes that no C program leads to, or only an enormous one: their pages have no programs.
const WITHOUT_PROGRAMS: &[&str] = &["E0017", "E0023", "E0024", "V0117", "V0327", "V0603"];

/// Codes whose wrong program newer kernels accept.
const ACCEPTED_BY_KERNELS: &[&str] = &["V0901"];

/// Codes that the kernel finds before it looks at instructions, so that its log names none.
const BEFORE_THE_WALK: &[&str] =
    &["V0308", "V0312", "V0314", "V0320", "V0321", "V0501", "V0502", "V0503", "V0505", "V0506"];

/// Codes that the compiler warns of before the verifier refuses it, with the code of the warning.
const WARNED_OF: &[(&str, &str)] = &[("V0506", "W0247")];

/// One trial for each page, and two for the set of them.
pub fn trials() -> Vec<Trial> {
    let page = |page: &'static Page| {
        Trial::test(format!("explain::{}", page.code), move || check(page).map_err(Failed::from))
    };
    let mut trials: Vec<Trial> = PAGES.iter().map(page).collect();
    trials.push(Trial::test("explain::every_file_is_in_the_binary", || complete().map_err(Failed::from)));
    trials.push(Trial::test("explain::codes_without_a_page", || missing().map_err(Failed::from)));
    trials
}

fn check(page: &Page) -> Result<(), String> {
    let title = explain::titles().into_iter().find(|row| row.0 == page.code);
    let title = title.ok_or("there is no such code")?.1;
    if !page.text.starts_with(&format!("# {}: {title}\n", page.code)) {
        return Err(format!("the page must begin with the code's title, `# {}: {title}`", page.code));
    }
    let examples = (page.example("Wrong"), page.example("Right"));
    if WITHOUT_PROGRAMS.contains(&page.code) {
        return match examples {
            (None, None) => Ok(()),
            _ => Err("a program leads to the code after all: take it off WITHOUT_PROGRAMS".into()),
        };
    }
    let (Some(wrong), Some(right)) = examples else {
        return Err("it needs a wrong and a right program".into());
    };
    let met = build(page, "wrong", &wrong)?;
    let warnings = WARNED_OF.iter().filter(|(code, _)| *code == page.code).map(|(_, warning)| *warning);
    if met.codes != warnings.chain([page.code]).map(str::to_owned).collect() {
        return Err(format!("the wrong program meets {:?}:\n{}", met.codes, met.text));
    }
    let met = build(page, "right", &right)?;
    if !met.codes.is_empty() || met.exit != 0 {
        return Err(format!("the right program is not accepted:\n{}", met.text));
    }
    Ok(())
}

/// What is said about a program.
struct Met {
    codes: BTreeSet<String>,
    exit: u8,
    text: String,
}

fn build(page: &Page, which: &str, example: &Example) -> Result<Met, String> {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("explain");
    std::fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    let source = directory.join(format!("{}-{which}.bpf.c", page.code));
    let object = source.with_extension("o");
    std::fs::write(&source, &example.source).map_err(|error| error.to_string())?;
    let (source, object) = (source.to_string_lossy().into_owned(), object.to_string_lossy().into_owned());
    let mut args = vec!["build", source.as_str(), "-o", object.as_str()];
    for option in &example.options {
        match option.split_once('=') {
            Some(("kernel", version)) => args.extend(["--kernel", version]),
            Some(("W", name)) => args.extend(["-W", name]),
            None if option == "unprivileged" => args.push("--unprivileged"),
            _ => return Err(format!("`{option}` is no option of a program")),
        }
    }
    let done = skep(&args);
    let marks = done.err.split(['[', ']']).filter(|word| explain::titles().iter().any(|row| row.0 == *word));
    let met = Met { codes: marks.map(str::to_owned).collect(), exit: done.code, text: done.err };
    if page.code.starts_with('V') && example.options.is_empty() {
        let again = skep(&["build", "--no-verify", source.as_str(), "-o", object.as_str()]);
        if again.code != 0 {
            return Err(again.err);
        }
        ask_the_kernel(page, met.exit == 0, &object)?;
    }
    Ok(met)
}

/// The kernel must say the same, unless it loads no programs of this type here; and its log,
/// explained, must come to the same rule.
fn ask_the_kernel(page: &Page, accepted: bool, path: &str) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let btf =
        std::fs::read(tools::KERNEL_BTF).ok().and_then(|bytes| skep_stdlib::btf::Btf::parse(bytes).ok());
    let options = LinkOptions { target_btf: btf.map(Into::into), ..LinkOptions::default() };
    let object = Object::parse(&bytes).and_then(|object| object.link(&options));
    let image = object.map_err(|error| error.to_string())?;
    let log = match Kernel::load(&image) {
        Ok(_) if accepted || ACCEPTED_BY_KERNELS.contains(&page.code) => return Ok(()),
        Ok(_) => return Err("the kernel accepts the wrong program".into()),
        Err(error) if error.log.is_empty() => return Ok(()),
        Err(error) if accepted => return Err(format!("the kernel rejects what we accept: {error}")),
        Err(error) => error.log,
    };
    if BEFORE_THE_WALK.contains(&page.code) {
        return Ok(());
    }
    let file = format!("{path}.log");
    std::fs::write(&file, &log).map_err(|error| error.to_string())?;
    let done = skep(&["explain", "--log", &file, path]);
    match done.out.contains(&format!("error[{}]", page.code)) {
        true => Ok(()),
        false => Err(format!("the kernel's log is explained as:\n{}{}\nthe log:\n{log}", done.out, done.err)),
    }
}

fn complete() -> Result<(), String> {
    let folder = root().join("book/src/explain");
    let files = std::fs::read_dir(folder).map_err(|error| error.to_string())?.flatten();
    let files: BTreeSet<String> =
        files.filter_map(|file| file.file_name().to_str()?.strip_suffix(".md").map(str::to_owned)).collect();
    let pages: BTreeSet<String> = PAGES.iter().map(|page| page.code.to_owned()).collect();
    match files == pages {
        true => Ok(()),
        false => Err(format!("{:?} differ", files.symmetric_difference(&pages).collect::<Vec<_>>())),
    }
}

/// There is a page for every code.
fn missing() -> Result<(), String> {
    let mut codes = explain::titles().into_iter().map(|row| row.0);
    match codes.find(|code| explain::page(code).is_none()) {
        Some(code) => Err(format!("{code} has no page: write book/src/explain/{code}.md")),
        None => Ok(()),
    }
}
