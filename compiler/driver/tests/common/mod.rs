//! Runs the real `skep` as a process, in a directory of its own.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The program under test.
pub const SKEP: &str = env!("CARGO_BIN_EXE_skep");

/// What a process did.
#[derive(Debug)]
pub struct Done {
    /// Exit code; none after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// A directory with these files that goes away with the value.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(files: &[(&str, &[u8])]) -> Scratch {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let unique = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
        for (name, bytes) in files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("it is below a folder")).expect("writable");
            std::fs::write(path, bytes).expect("writable");
        }
        std::fs::create_dir_all(&folder).expect("writable");
        Scratch(folder)
    }

    /// Runs a program here, with this on its standard input.
    pub fn run(&self, program: &str, args: &[&str], stdin: &[u8]) -> Done {
        let mut child = Command::new(program)
            .args(args)
            .current_dir(&self.0)
            .env_remove("NO_COLOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        // Who does not read its input may be gone by now.
        let _ = child.stdin.take().expect("piped").write_all(stdin);
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Done { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs `skep` here.
    pub fn skep(&self, args: &[&str]) -> Done {
        self.run(SKEP, args, b"")
    }

    /// All files with their contents.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("readable") {
                let path = entry.expect("readable").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&self.0).expect("it is below").to_string_lossy().into_owned();
                found.insert(name, std::fs::read(&path).expect("readable"));
            }
        }
        found
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
