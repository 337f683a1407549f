//! Streams and files: the only door between the libraries and the machine.

use std::fs;
use std::io::{self, Read, Write};
use std::sync::Arc;

use skep_stdlib::headers;
use skep_syntax::pp::{Files, ReadError, Text};

use crate::error::{Error, Result};

/// The directory name under which the embedded headers appear. No real directory is called that.
pub const EMBEDDED: &str = "<skep>";
/// The name of standard input on the command line.
pub const STDIN: &str = "-";
/// The name of standard input in messages and in `__FILE__`.
pub const STDIN_FILE: &str = "<stdin>";
/// Files above this size are refused before they are read.
const MAX_FILE: u64 = 1 << 30;

/// The streams of one command.
pub struct Io<'a> {
    /// Standard input.
    pub stdin: &'a mut dyn Read,
    /// Data goes here.
    pub out: &'a mut dyn Write,
    /// Diagnostics go here.
    pub err: &'a mut dyn Write,
    /// Diagnostics may use colours.
    pub color: bool,
}

impl Io<'_> {
    /// The bytes of a file, or of standard input for `-`.
    pub fn read(&mut self, path: &str) -> Result<Vec<u8>> {
        if path == STDIN {
            let mut bytes = Vec::new();
            let read = self.stdin.take(MAX_FILE).read_to_end(&mut bytes);
            return read.map(|_| bytes).map_err(|error| Error::file(STDIN_FILE, reason(&error)));
        }
        read_file(path).map_err(|error| Error::file(path, reason(&error)))
    }

    /// Writes a whole file or nothing: to a neighbour first, then renamed. `-` is standard output.
    pub fn write(&mut self, path: &str, bytes: &[u8]) -> Result {
        if path == STDIN {
            return Ok(self.out.write_all(bytes)?);
        }
        let regular = fs::metadata(path).map_or(true, |meta| meta.is_file());
        let written = if regular { write_atomically(path, bytes) } else { fs::write(path, bytes) };
        written.map_err(|error| Error::file(path, reason(&error)))
    }
}

fn write_atomically(path: &str, bytes: &[u8]) -> io::Result<()> {
    let neighbour = format!("{path}.{}.tmp", std::process::id());
    let written = fs::write(&neighbour, bytes).and_then(|()| fs::rename(&neighbour, path));
    if written.is_err() {
        // The failure that matters is the first one.
        let _ = fs::remove_file(&neighbour);
    }
    written
}

fn read_file(path: &str) -> io::Result<Vec<u8>> {
    let meta = fs::metadata(path)?;
    if meta.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
    }
    if meta.len() > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "is larger than 1 GiB"));
    }
    let mut bytes = Vec::with_capacity(meta.len() as usize);
    fs::File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same, without a second copy of a file whose size is known.
fn read_shared(path: &str) -> io::Result<Arc<[u8]>> {
    let mut file = fs::File::open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() && meta.len() <= MAX_FILE {
        let mut text: Arc<[u8]> = std::iter::repeat_n(0, meta.len() as usize).collect();
        let whole = Arc::get_mut(&mut text).is_some_and(|text| file.read_exact(text).is_ok());
        // Files that are being written, and those of /proc, have another size than they say.
        if whole && file.read(&mut [0])? == 0 {
            return Ok(text);
        }
    }
    Ok(read_file(path)?.into())
}

/// The error without the operating system's number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

/// Files of the disk, with the embedded headers below [`EMBEDDED`] and standard input as
/// [`STDIN_FILE`].
#[derive(Default)]
pub struct DiskFiles {
    /// What standard input held, when it is the main file.
    pub stdin: Option<Vec<u8>>,
}

impl Files for DiskFiles {
    fn read(&self, path: &str) -> std::result::Result<Text, ReadError> {
        if let Some(name) = path.strip_prefix(EMBEDDED) {
            let text = headers::get(name.trim_start_matches('/')).ok_or(ReadError::NotFound)?;
            return Ok(Text::Embedded(text.as_bytes()));
        }
        if let (STDIN_FILE, Some(bytes)) = (path, &self.stdin) {
            return Ok(bytes.as_slice().into());
        }
        match read_shared(path) {
            Ok(text) => Ok(text.into()),
            Err(error) => Err(match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
                    ReadError::NotFound
                }
                _ => ReadError::Failed(reason(&error)),
            }),
        }
    }

    fn identity(&self, path: &str) -> String {
        if path.starts_with(EMBEDDED) {
            return skep_syntax::pp::normalize(path);
        }
        match fs::canonicalize(path) {
            Ok(real) => real.to_string_lossy().into_owned(),
            Err(_) => skep_syntax::pp::normalize(path),
        }
    }
}
