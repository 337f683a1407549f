//! Semantic analysis against clang-19 and real programs: layouts, constants, CO-RE access strings,
//! and that the seeds and the kernel's BPF selftests analyse without errors.

mod constants;
mod core;
mod corpus;
mod layout;
mod objects;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use skep_compiler::{hir, sema};
use skep_syntax::diag::Style;
use skep_syntax::pp::{Files, MacroOption, Options, ReadError, Text};
use skep_syntax::{Session, parse, pp};
use skep_tests::tools;

/// Files of the machine.
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Text, ReadError> {
        std::fs::read(path).map(Into::into).map_err(|_| ReadError::NotFound)
    }

    fn identity(&self, path: &str) -> String {
        std::fs::canonicalize(path).map_or_else(|_| path.to_string(), |p| p.display().to_string())
    }
}

/// An analysed file with what is needed to ask about it.
pub struct Analysed<'a> {
    pub session: Session<'a>,
    pub module: hir::Module,
}

/// Analyses a file; errors are in the session.
pub fn analyse<'a>(options: &Options, file: &str) -> Analysed<'a> {
    let mut session = Session::new(&Disk, options.clone());
    let tokens = pp::preprocess(&mut session, file);
    let unit = parse::unit(&mut session, &tokens);
    let module = sema::analyze(&unit, &mut session);
    Analysed { session, module }
}

impl Analysed<'_> {
    /// What was reported, one line each.
    pub fn short(&self) -> String {
        self.session.render(Style { short: true, color: false })
    }
}

/// Options for a program that includes `vmlinux.h` and the libbpf headers.
pub fn options(vmlinux: Option<&Path>) -> Options {
    let include_dirs = vmlinux.and_then(Path::parent).map(|dir| dir.display().to_string());
    Options {
        include_dirs: include_dirs.into_iter().collect(),
        system_dirs: vec![
            resource_dir(),
            "/usr/include".into(),
            "/usr/include/bpf".into(),
            format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH),
        ],
        macros: vec![MacroOption::Define("__TARGET_ARCH_x86".into())],
        debug_info: true,
        ..Options::default()
    }
}

/// The directory of the kernel's selftests, and the options that its programs are compiled with.
pub fn selftests(vmlinux: &Path) -> (PathBuf, Options) {
    let tree = tools::kernel_tree().expect("checked");
    let selftests = tree.join("tools/testing/selftests");
    let mut options = options(Some(vmlinux));
    // bpf_helper_defs.h is generated in the kernel tree; libbpf's packaged copy stands in for it.
    for dir in
        [selftests.join("bpf"), tree.join("tools/lib"), tree.join("tools/include/uapi"), selftests.clone()]
    {
        options.include_dirs.push(dir.display().to_string());
    }
    (selftests, options)
}

/// clang with the same options.
pub fn clang(options: &Options, more: &[&str], file: &Path) -> Output {
    let mut command = Command::new("clang-19");
    command.args(["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-w", "-nostdinc"]);
    for definition in &options.macros {
        if let MacroOption::Define(definition) = definition {
            command.arg(format!("-D{definition}"));
        }
    }
    for (flag, dirs) in [("-I", &options.include_dirs), ("-isystem", &options.system_dirs)] {
        for dir in dirs {
            command.args([flag, dir]);
        }
    }
    command.args(more).arg(file).output().expect("clang runs")
}

fn resource_dir() -> String {
    let out = Command::new("clang-19").arg("-print-resource-dir").output();
    let text = out.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default();
    format!("{text}/include")
}

/// A directory for the files of this test.
pub fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sema").join(name);
    std::fs::create_dir_all(&dir).expect("the target directory can be written to");
    dir
}

/// A full `vmlinux.h`: `SKEP_VMLINUX`, or dumped from the running kernel.
pub fn vmlinux() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("SKEP_VMLINUX") {
        return Some(path.into());
    }
    let path = scratch("vmlinux").join("vmlinux.h");
    let btf = "/sys/kernel/btf/vmlinux";
    let out =
        Command::new(tools::bpftool()).args(["btf", "dump", "file", btf, "format", "c"]).output().ok()?;
    if !out.status.success() || out.stdout.is_empty() {
        return None;
    }
    // Tests run side by side: the file appears whole.
    let temporary = path.with_extension(format!("{:?}", std::thread::current().id()));
    std::fs::write(&temporary, out.stdout).ok()?;
    std::fs::rename(&temporary, &path).ok()?;
    Some(path)
}

/// Says that a test is skipped for want of something.
#[allow(clippy::print_stderr)]
pub fn skipped(what: &str) {
    eprintln!("skipped: no {what}");
}
