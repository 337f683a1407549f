//! The running kernel's verdict on each program of an object, through libbpf.
//!
//! libbpf is that of the kernel tree, for packaged ones are older than the programs. It and
//! `load_each.c` are compiled once for each tree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::{kernel_tree, root};

/// What the kernel makes of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its section.
    pub section: String,
    /// 0, or the number of the error.
    pub error: i32,
    /// Instructions that the verifier walked.
    pub walked: u64,
    /// The end of what was said, of a program that is refused.
    pub said: String,
}

/// The verdict on each program, by name; an error if libbpf does not open the object.
pub fn verdicts(object: &Path) -> Result<BTreeMap<String, Verdict>, String> {
    let loader = loader().ok_or("the loader does not compile")?;
    let output = Command::new(loader).arg(object).stdin(Stdio::null()).output();
    let output = output.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut verdicts = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.splitn(6, '\t').collect();
        let [_, program, section, error, walked, said] = fields.as_slice() else {
            return Err(format!("not six fields: {line}"));
        };
        if *program == "-" {
            return Err(said.to_string());
        }
        let (error, walked) = (error.parse().unwrap_or(-1), walked.parse().unwrap_or(0));
        let (section, said) = (section.to_string(), said.to_string());
        verdicts.insert(program.to_string(), Verdict { section, error, walked, said });
    }
    if output.status.success() {
        Ok(verdicts)
    } else {
        Err(format!("the loader ends with {}", output.status))
    }
}

/// The loader; compiled the first time.
pub fn loader() -> Option<&'static Path> {
    static LOADER: OnceLock<Option<PathBuf>> = OnceLock::new();
    LOADER.get_or_init(|| build(&kernel_tree()?.join("tools"))).as_deref()
}

fn build(tools: &Path) -> Option<PathBuf> {
    let folder = root().join("target/test-tools");
    let (binary, source) = (folder.join("load_each"), root().join("tests/tools/load_each.c"));
    let age = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    if age(&binary) > age(&source) {
        return Some(binary);
    }
    std::fs::create_dir_all(&folder).ok()?;
    // Other test processes may be at the same.
    let neighbour = folder.join(format!("load_each.{}", std::process::id()));
    let mut command = Command::new("cc");
    command.args(["-O1", "-w", "-D_GNU_SOURCE", "-D_LARGEFILE64_SOURCE", "-D_FILE_OFFSET_BITS=64"]);
    for dir in ["lib/bpf", "lib", "include", "include/uapi"] {
        command.arg("-I").arg(tools.join(dir));
    }
    command.arg(&source).args(crate::corpora::sources(&tools.join("lib/bpf"), ".c"));
    command.args(["-lelf", "-lz", "-o"]).arg(&neighbour);
    let built = command.stdin(Stdio::null()).status().ok()?.success();
    (built && std::fs::rename(&neighbour, &binary).is_ok()).then_some(binary)
}
