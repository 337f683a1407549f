//! A kernel's verdict on each program of an object, through libbpf: the running kernel's here, that of
//! others in [`crate::vm`].
//!
//! libbpf is that of the kernel tree, for packaged ones are older than the programs. It and
//! `load_each.c` are compiled once for each tree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::{kernel_tree, root};

/// What became of a program that was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// What its annotation says that it returns.
    pub wanted: i32,
    /// What it returned; an error is the number of one.
    pub got: Result<i32, i32>,
}

impl Run {
    /// Reads `WANTED=GOT`.
    fn parse(text: &str) -> Option<Run> {
        let (wanted, got) = text.split_once('=')?;
        let got = match got.strip_prefix('E') {
            Some(error) => Err(error.parse().ok()?),
            None => Ok(got.parse().ok()?),
        };
        Some(Run { wanted: wanted.parse().ok()?, got })
    }
}

/// What a kernel makes of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its section.
    pub section: String,
    /// 0, or the number of the error.
    pub error: i32,
    /// Instructions that the verifier walked.
    pub walked: u64,
    /// What it returned when it was run: only the kernel's annotated tests are, those that say with
    /// `__retval` what they return.
    pub run: Option<Run>,
    /// The end of what was said, of a program that is refused.
    pub said: String,
}

/// The verdict on each program, by name; an error if libbpf does not open the object.
pub type Verdicts = Result<BTreeMap<String, Verdict>, String>;

/// Loads each program of an object into the running kernel, one by one.
pub fn verdicts(object: &Path) -> Verdicts {
    let loader = loader().ok_or("the loader does not compile")?;
    let output = Command::new(loader).arg(object).stdin(Stdio::null()).output();
    let output = output.map_err(|error| error.to_string())?;
    let verdicts = parse(&String::from_utf8_lossy(&output.stdout))?;
    if output.status.success() {
        Ok(verdicts)
    } else {
        Err(format!("the loader ends with {}", output.status))
    }
}

/// Reads what the loader prints of one object.
pub fn parse(text: &str) -> Verdicts {
    let mut verdicts = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.splitn(7, '\t').collect();
        let [_, program, section, error, walked, run, said] = fields.as_slice() else {
            return Err(format!("not seven fields: {line}"));
        };
        if *program == "-" {
            return Err(said.to_string());
        }
        let (error, walked, run) =
            (error.parse().unwrap_or(-1), walked.parse().unwrap_or(0), Run::parse(run));
        let (section, said) = (section.to_string(), said.to_string());
        verdicts.insert(program.to_string(), Verdict { section, error, walked, run, said });
    }
    Ok(verdicts)
}

/// The loader for this machine; compiled the first time.
pub fn loader() -> Option<&'static Path> {
    static LOADER: OnceLock<Option<PathBuf>> = OnceLock::new();
    LOADER.get_or_init(|| build(&kernel_tree()?.join("tools"), "load_each", &[])).as_deref()
}

/// The loader with all its libraries in it.
pub fn portable() -> Option<&'static Path> {
    static LOADER: OnceLock<Option<PathBuf>> = OnceLock::new();
    LOADER.get_or_init(|| build(&kernel_tree()?.join("tools"), "load_each_static", &["-static"])).as_deref()
}

fn build(tools: &Path, name: &str, flags: &[&str]) -> Option<PathBuf> {
    let folder = root().join("target/test-tools");
    let (binary, source) = (folder.join(name), root().join("tests/tools/load_each.c"));
    let age = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    if age(&binary) > age(&source) {
        return Some(binary);
    }
    std::fs::create_dir_all(&folder).ok()?;
    // Other test processes may be at the same.
    let neighbour = folder.join(format!("{name}.{}", std::process::id()));
    let mut command = Command::new("cc");
    command.args(["-O1", "-w", "-D_GNU_SOURCE", "-D_LARGEFILE64_SOURCE", "-D_FILE_OFFSET_BITS=64"]);
    command.args(flags);
    for dir in ["lib/bpf", "lib", "include", "include/uapi"] {
        command.arg("-I").arg(tools.join(dir));
    }
    command.arg(&source).args(crate::corpora::sources(&tools.join("lib/bpf"), ".c"));
    command.args(["-lelf", "-lz", "-o"]).arg(&neighbour);
    let built = command.stdin(Stdio::null()).status().ok()?.success();
    (built && std::fs::rename(&neighbour, &binary).is_ok()).then_some(binary)
}
