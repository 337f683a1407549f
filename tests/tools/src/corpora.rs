//! Public programs that both compilers are asked to compile: where they are and with which flags.
//!
//! All come with a kernel source tree; the flags are those of its Makefiles.

use std::path::{Path, PathBuf};

use crate::{kernel_tree, vmlinux};

/// C files that are compiled with the same flags.
pub struct Corpus {
    /// What it is called.
    pub name: &'static str,
    /// In order of their names.
    pub files: Vec<PathBuf>,
    /// Directories of headers.
    pub dirs: Vec<String>,
    /// Macros that are defined, as 1.
    pub macros: Vec<String>,
}

impl Corpus {
    /// The arguments of a compiler.
    pub fn flags(&self) -> Vec<String> {
        let macros = self.macros.iter().map(|name| format!("-D{name}"));
        macros.chain(self.dirs.iter().map(|dir| format!("-I{dir}"))).collect()
    }

    /// Every `step`th file, or all of them if `SKEP_FULL` is set, or those whose names hold `SKEP_ONLY`.
    pub fn sample(&self, step: usize) -> Vec<PathBuf> {
        if let Ok(only) = std::env::var("SKEP_ONLY") {
            let held = |file: &&PathBuf| file.to_string_lossy().contains(&only);
            return self.files.iter().filter(held).cloned().collect();
        }
        let step = if super::full() { 1 } else { step };
        self.files.iter().step_by(step).cloned().collect()
    }
}

/// A row of the table: name, folders and how the names of its files end, directories to include
/// (of the tree; `@` stands for the one that holds `vmlinux.h`, `@scx` for one whose kernel has sched_ext),
/// definitions.
type Row =
    (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str], &'static [&'static str]);

/// `bpf_helper_defs.h` is generated in the kernel tree: libbpf's packaged copy stands in for it, last.
#[rustfmt::skip]
const CORPORA: [Row; 5] = [
    ("selftests", &[("tools/testing/selftests/bpf/progs", ".c")],
        &["@", "tools/testing/selftests/bpf", "tools/testing/selftests/bpf/progs", "tools/lib",
          "tools/include/uapi", "tools/testing/selftests"],
        &["ENABLE_ATOMICS_TESTS", "BPF_NO_KFUNC_PROTOTYPES"]),
    ("samples", &[("samples/bpf", ".bpf.c")],
        &["@", "include", "samples/bpf", "tools/include", "tools/lib"], &["BPF_NO_KFUNC_PROTOTYPES"]),
    ("sched_ext", &[("tools/sched_ext", ".bpf.c"), ("tools/testing/selftests/sched_ext", ".bpf.c")],
        &["@scx", "tools/sched_ext/include", "tools/sched_ext/include/bpf-compat", "tools/include/uapi",
          "tools/include", "tools/lib"], &["BPF_NO_KFUNC_PROTOTYPES"]),
    ("tools", &[("tools/bpf/bpftool/skeleton", ".bpf.c"), ("tools/bpf/runqslower", ".bpf.c"),
                ("tools/perf/util/bpf_skel", ".bpf.c"), ("kernel/bpf/preload/iterators", ".bpf.c")],
        &["@", "tools/include/uapi", "tools/include", "tools/lib", "tools/perf/util/bpf_skel",
          "tools/bpf/bpftool"], &["BPF_NO_KFUNC_PROTOTYPES"]),
    ("net", &[("tools/testing/selftests/net", ".bpf.c")],
        &["tools/lib", "tools/include/uapi", "tools/testing/selftests/net", "tools/sched_ext/include/bpf-compat"], &[]),
];

/// The corpora of which the tree holds anything.
pub fn corpora() -> Vec<Corpus> {
    let (Some(tree), Some(vmlinux)) = (kernel_tree(), vmlinux()) else { return Vec::new() };
    let corpora = CORPORA.iter().map(|row| corpus(&tree, &vmlinux, row));
    corpora.filter(|corpus| !corpus.files.is_empty()).collect()
}

/// The kernel's BPF selftests.
pub fn selftests() -> Option<Corpus> {
    Some(corpus(&kernel_tree()?, &vmlinux()?, &CORPORA[0])).filter(|corpus| !corpus.files.is_empty())
}

fn corpus(tree: &Path, vmlinux: &Path, (name, folders, dirs, macros): &Row) -> Corpus {
    let mut files: Vec<PathBuf> =
        folders.iter().flat_map(|(folder, end)| sources(&tree.join(folder), end)).collect();
    files.sort();
    let here = vmlinux.parent().unwrap_or(vmlinux);
    let scx = crate::sched_ext_headers().unwrap_or_else(|| here.to_path_buf());
    let dirs = dirs.iter().map(|dir| match *dir {
        "@" => here.to_path_buf(),
        "@scx" => scx.clone(),
        dir => tree.join(dir),
    });
    let system =
        ["/usr/include/bpf".into(), format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH).into()];
    let dirs = dirs.chain(system).map(|dir| dir.to_string_lossy().into_owned()).collect();
    let macros = ["__TARGET_ARCH_x86"].iter().chain(*macros).map(|name| name.to_string()).collect();
    Corpus { name, files, dirs, macros }
}

/// The files of a folder whose names end like this.
pub fn sources(folder: &Path, end: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(end)));
    files.sort();
    files
}
