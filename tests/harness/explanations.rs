//! What is said of the most common failures: read by a person and found good.
//!
//! `suite/explanations/*.c` are programs that the verifier refuses; the first line names the code. Each
//! is compiled by us and by clang-19, and both pictures are one snapshot. Where a change of the source is
//! suggested it is made, and what comes out must be accepted: by us, compiled by either compiler, and by
//! the running kernel.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Failed, Trial};
use skep_driver::edit::{self, Edit};
use skep_runtime::kernel::Kernel;
use skep_runtime::object::LinkOptions;
use skep_runtime::verify::{Options, verify_program};
use skep_runtime::{Image, Object};
use skep_stdlib::btf::Btf;
use skep_tests::tools::{self, CLANG, Need};
use skep_tests::{native, root};

use super::run::{compare, skep};

/// One trial for each file, and one for their number.
pub fn trials() -> Vec<Trial> {
    let folder = root().join("tests/suite/explanations");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    files.sort();
    let count = files.len();
    let trial = |path: PathBuf| {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Trial::test(format!("explanations::{name}"), move || check(&path).map_err(Failed::from))
    };
    let mut trials: Vec<Trial> = files.into_iter().map(trial).collect();
    trials.push(Trial::test("explanations::all", move || match count {
        30.. => Ok(()),
        _ => Err(format!("only {count} failures are explained").into()),
    }));
    trials
}

fn check(path: &Path) -> Result<(), String> {
    if !tools::have(&[Need::Clang]) {
        return Ok(());
    }
    std::env::set_current_dir(root()).map_err(|error| error.to_string())?;
    let source = path.strip_prefix(root()).unwrap_or(path);
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let code = text.lines().next().and_then(|line| line.strip_prefix("// ")).unwrap_or_default();
    let (ours, clangs) = (compile_ours(source)?, compile_clangs(source)?);
    let built = skep(&["build", "-o", "/dev/null", &source.to_string_lossy()]).err;
    let verified = skep(&["verify", &clangs.to_string_lossy()]).err;
    let place = root().to_string_lossy().into_owned() + "/";
    let snapshot = format!("our object:\n\n{built}\nclang's object:\n\n{verified}").replace(&place, "");
    for said in [&built, &verified] {
        if !said.contains(&format!("error[{code}]")) {
            return Err(format!("no {code} in:\n{said}"));
        }
    }
    for object in [&ours, &clangs] {
        is_refused_by_the_kernel(object)?;
        apply(&text, object)?;
    }
    compare(&path.with_extension("snap"), &snapshot)
}

/// Makes the suggested change.
fn apply(text: &str, object: &Path) -> Result<(), String> {
    let image = link(object)?;
    let Some(edit) = first_edit(&image, text) else { return Ok(()) };
    let changed = edit.apply(text);
    let file = object.with_extension("changed.bpf.c");
    std::fs::write(&file, &changed).map_err(|error| error.to_string())?;
    for object in [compile_ours(&file)?, compile_clangs(&file)?] {
        let image = link(&object)?;
        for index in 0..image.programs.len() {
            if let (Err(report), _) = verify_program(&image, index, &options()) {
                let words = report.cause.message();
                return Err(format!("{} is still refused: {words}\n{changed}", object.display()));
            }
        }
        if tools::have(&[Need::Kernel]) {
            Kernel::load(&image).map_err(|error| format!("{error}\n{changed}"))?;
        }
    }
    Ok(())
}

fn first_edit(image: &Image, text: &str) -> Option<Edit> {
    let reports =
        (0..image.programs.len()).filter_map(|index| verify_program(image, index, &options()).0.err());
    let mut read = |_: &str| Some(text.to_owned());
    let mut edits =
        reports.filter_map(|report| edit::suggest(&report, &image.programs[report.program], &mut read));
    edits.next()
}

fn options() -> Options {
    Options { btf: kernel_btf(), ..Options::default() }
}

fn kernel_btf() -> Option<Arc<Btf>> {
    static BTF: OnceLock<Option<Arc<Btf>>> = OnceLock::new();
    let read = || Btf::parse(std::fs::read(tools::KERNEL_BTF).ok()?).ok().map(Into::into);
    BTF.get_or_init(read).clone()
}

fn is_refused_by_the_kernel(object: &Path) -> Result<(), String> {
    if !tools::have(&[Need::Kernel]) {
        return Ok(());
    }
    match Kernel::load(&link(object)?) {
        Ok(_) => Err(format!("the kernel accepts {}", object.display())),
        Err(_) => Ok(()),
    }
}

fn link(path: &Path) -> Result<Image, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let object = Object::parse(&bytes).map_err(|error| error.to_string())?;
    let options = LinkOptions { target_btf: kernel_btf(), ..LinkOptions::default() };
    object.link(&options).map_err(|error| error.to_string())
}

fn scratch(source: &Path, end: &str) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("explanations");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let stem = source.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(folder.join(format!("{stem}.{end}")))
}

fn compile_ours(source: &Path) -> Result<PathBuf, String> {
    let object = scratch(source, "ours.o")?;
    let (path, output) = (source.to_string_lossy().into_owned(), object.to_string_lossy().into_owned());
    let done = skep(&["build", "--no-verify", "-o", &output, &path]);
    if done.code == 0 { Ok(object) } else { Err(done.err) }
}

fn compile_clangs(source: &Path) -> Result<PathBuf, String> {
    let object = scratch(source, "clang.o")?;
    let mut command = Command::new(CLANG);
    command.args(["-w", "-g", "-O2", "-target", "bpf", "-mcpu=v3", "-D__TARGET_ARCH_x86", "-c"]);
    command.arg(format!("-I/usr/include/{}-linux-gnu", std::env::consts::ARCH));
    native::execute(command.arg(source).arg("-o").arg(&object))?;
    Ok(object)
}
