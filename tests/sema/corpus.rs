//! Real programs analyse without errors, except where clang reports errors too.

use std::path::{Path, PathBuf};

use skep_tests::tools::{self, Need, check};

use super::{analyse, clang, options, selftests, skipped, vmlinux};

/// C files of a directory, in order.
pub fn programs(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .expect("the corpus can be read")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "c"))
        .collect();
    files.sort();
    files
}

#[test]
fn seeds_have_no_errors() {
    if check(&[Need::Seeds, Need::Libbpf, Need::Clang]).is_err() {
        return skipped("seeds, libbpf or clang");
    }
    let Some(vmlinux) = vmlinux() else { return skipped("vmlinux.h") };
    let options = options(Some(&vmlinux));
    let dir = tools::seeds().expect("checked");
    let mut bad = String::new();
    let mut count = 0;
    for file in programs(&dir).iter().filter(|file| file.to_string_lossy().ends_with(".bpf.c")) {
        let analysed = analyse(&options, &file.display().to_string());
        count += 1;
        if analysed.session.diags.has_errors() {
            bad += &analysed.short();
        }
    }
    assert!(count >= 9, "only {count} seeds");
    assert!(bad.is_empty(), "{bad}");
}

/// Every 20th program, or all with `SKEP_FULL=1`.
#[test]
#[allow(clippy::print_stderr)]
fn selftests_have_the_errors_that_clang_sees() {
    if check(&[Need::KernelTree, Need::Libbpf, Need::Stubs, Need::Clang]).is_err() {
        return skipped("kernel tree, libbpf, stubs or clang");
    }
    let Some(vmlinux) = vmlinux() else { return skipped("vmlinux.h") };
    let (selftests, options) = selftests(&vmlinux);
    let step = if tools::full() { 1 } else { 20 };
    let all = programs(&selftests.join("bpf/progs"));
    let list: Vec<&PathBuf> = all.iter().step_by(step).collect();
    let (mut clean, mut wrong) = (0, Vec::new());
    for file in &list {
        let analysed = analyse(&options, &file.display().to_string());
        if !analysed.session.diags.has_errors() {
            clean += 1;
        } else if clang(&options, &["-fsyntax-only"], file).status.success() {
            wrong.push(analysed.short());
        }
    }
    eprintln!("{clean} of {} selftests without errors", list.len());
    assert!(wrong.is_empty(), "{} are fine for clang:\n{}", wrong.len(), wrong.concat());
    assert!(clean * 100 >= list.len() * 95, "only {clean} of {}", list.len());
}
