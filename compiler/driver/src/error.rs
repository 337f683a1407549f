//! How a command ends when it does not end well.

use std::fmt::Display;

/// The result of a command.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// Why a command failed. The exit codes are part of the interface.
#[derive(Debug)]
pub enum Error {
    /// Everything was said already; the exit code remains.
    Reported(u8),
    /// Wrong use of the command line, or a file that cannot be read or written: exit code 2.
    Usage(String),
    /// Valid, but not supported: exit code 3.
    Unsupported(String),
    /// Whoever reads our output has left; nothing is wrong.
    BrokenPipe,
}

impl Error {
    /// There were findings, and they have been shown.
    pub const FINDINGS: Error = Error::Reported(1);

    /// A usage error.
    pub fn usage(message: impl Display) -> Error {
        Error::Usage(message.to_string())
    }

    /// A file that cannot be used.
    pub fn file(path: &str, reason: impl Display) -> Error {
        Error::Usage(format!("`{path}`: {reason}"))
    }

    /// What is left to say.
    pub fn message(&self) -> Option<String> {
        match self {
            Error::Reported(_) | Error::BrokenPipe => None,
            Error::Usage(message) => Some(message.clone()),
            Error::Unsupported(message) => Some(format!("{message} is not supported")),
        }
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Reported(code) => *code,
            Error::Usage(_) => 2,
            Error::Unsupported(_) => 3,
            Error::BrokenPipe => 0,
        }
    }
}

impl From<std::io::Error> for Error {
    /// For the output streams; files are reported with their names through [`Error::file`].
    fn from(error: std::io::Error) -> Error {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Error::BrokenPipe,
            _ => Error::Usage(format!("cannot write the output: {}", crate::io::reason(&error))),
        }
    }
}
