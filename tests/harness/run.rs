//! Runs a `skep` command line in this process and compares what it prints with a snapshot.

use std::path::Path;

use skep_driver::io::Io;

/// What a command did.
pub struct Done {
    /// Exit code.
    pub code: u8,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs `skep` with these arguments.
pub fn skep(args: &[&str]) -> Done {
    let args: Vec<String> = ["skep"].iter().chain(args).map(|arg| arg.to_string()).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut io = Io { stdin: &mut std::io::empty(), out: &mut out, err: &mut err, color: false };
    let code = skep_driver::main_with(&args, &mut io);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Done { code, out: text(out), err: text(err) }
}

/// Compares with the file; `UPDATE=1` writes it instead.
pub fn compare(path: &Path, text: &str) -> Result<(), String> {
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(path, text).map_err(|error| error.to_string());
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if expected == text {
        return Ok(());
    }
    let shown = path.display();
    Err(format!("{shown} differs (UPDATE=1 writes it); expected:\n{expected}\ngot:\n{text}"))
}

/// Splits a command line at blanks; single quotes keep blanks together.
pub fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().expect("there is one").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
