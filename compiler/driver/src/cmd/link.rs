//! `skep link`: several objects into one.

use skep_compiler::link::{self, Input};

use crate::error::{Error, Result};
use crate::io::Io;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Objects, in the order in which their parts follow each other
    #[arg(required = true, value_name = "OBJECT")]
    objects: Vec<String>,
    /// Where the result goes
    #[arg(short, long, value_name = "FILE")]
    output: String,
}

/// Runs it.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    let files = args.objects.iter().map(|path| io.read(path)).collect::<Result<Vec<_>>>()?;
    let inputs = args.objects.iter().zip(&files).map(|(name, bytes)| Input { name, bytes });
    match link::link(&inputs.collect::<Vec<_>>()) {
        Ok(bytes) => io.write(&args.output, &bytes),
        Err(error) => {
            writeln!(io.err, "error: {error}")?;
            Err(Error::FINDINGS)
        }
    }
}
