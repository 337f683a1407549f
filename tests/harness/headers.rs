//! Objects do not depend on how much of the headers is read: `-fno-lazy-headers` gives the same bytes.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use skep_compiler::{Options, compile};
use skep_driver::compile::HOST_DIRS;
use skep_driver::io::{DiskFiles, EMBEDDED};
use skep_syntax::Session;
use skep_syntax::pp::{self, MacroOption};
use skep_tests::root;
use skep_tests::tools::{self, Need};

/// Every how many-th selftest is compiled; all with `SKEP_FULL=1`.
const SAMPLE: usize = 16;

/// Selftests up to this size are sampled: the big ones take long in a build for tests.
const SMALL: u64 = 3000;

/// All trials.
pub fn trials() -> Vec<Trial> {
    let mut trials = vec![trial("examples", &[], || (examples(), Vec::new()))];
    trials.push(trial("seeds", &[Need::Seeds], || (seeds(), Vec::new())));
    trials
        .push(trial("seeds_with_full_vmlinux", &[Need::Seeds, Need::Vmlinux], || (seeds(), full_vmlinux())));
    trials.push(trial("selftests", &[Need::KernelTree, Need::Vmlinux], || (selftests(), selftest_dirs())));
    trials
}

/// A trial over files and the directories of their headers.
fn trial(name: &str, needs: &[Need], corpus: fn() -> (Vec<PathBuf>, Vec<String>)) -> Trial {
    let title = format!("headers::lazy_equals_eager::{name}");
    match tools::check(needs) {
        Ok(()) => Trial::test(title, move || compare(corpus()).map_err(Failed::from)),
        Err(missing) => {
            Trial::test(format!("{title} (no {})", missing.name()), || Ok(())).with_ignored_flag(true)
        }
    }
}

fn compare((files, include_dirs): (Vec<PathBuf>, Vec<String>)) -> Result<(), String> {
    let mut compiled = 0;
    for file in &files {
        // What does not compile has no object; its errors are those of the whole text anyway.
        let Some(eager) = object(file, &include_dirs, true) else { continue };
        compiled += 1;
        if object(file, &include_dirs, false).as_ref() != Some(&eager) {
            return Err(format!("{} depends on how much of its headers is read", file.display()));
        }
    }
    if compiled * 2 < files.len() {
        return Err(format!("only {compiled} of {} files compile", files.len()));
    }
    Ok(())
}

fn object(file: &Path, include_dirs: &[String], eager: bool) -> Option<Vec<u8>> {
    let files = DiskFiles::default();
    let options = pp::Options {
        include_dirs: include_dirs.to_vec(),
        system_dirs: vec![EMBEDDED.into()],
        after_dirs: HOST_DIRS.map(String::from).to_vec(),
        macros: vec![MacroOption::Define("__TARGET_ARCH_x86".into())],
        debug_info: true,
        eager_headers: eager,
        ..pp::Options::default()
    };
    let mut cx = Session::new(&files, options);
    let compiled = compile(&mut cx, &file.to_string_lossy(), &Options::default(), &mut |_, _| {});
    compiled.ok().map(|compiled| compiled.object)
}

fn c_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "c")).collect();
    files.sort();
    files
}

fn examples() -> Vec<PathBuf> {
    c_files(&root().join("examples"))
}

fn seeds() -> Vec<PathBuf> {
    let files = c_files(&tools::seeds().expect("the seeds are there"));
    files.into_iter().filter(|file| file.to_string_lossy().ends_with(".bpf.c")).collect()
}

fn full_vmlinux() -> Vec<String> {
    let header = tools::vmlinux().expect("the kernel's types are there");
    vec![header.parent().expect("a file").to_string_lossy().into_owned()]
}

fn selftests() -> Vec<PathBuf> {
    let tree = tools::kernel_tree().expect("the kernel tree is there");
    let files = c_files(&tree.join("tools/testing/selftests/bpf/progs"));
    if tools::full() {
        return files;
    }
    let small = |file: &PathBuf| std::fs::metadata(file).is_ok_and(|data| data.len() < SMALL);
    files.into_iter().filter(small).step_by(SAMPLE).collect()
}

fn selftest_dirs() -> Vec<String> {
    let tree = tools::kernel_tree().expect("the kernel tree is there");
    let mut dirs = full_vmlinux();
    dirs.push(tree.join("tools/testing/selftests/bpf").to_string_lossy().into_owned());
    dirs
}
