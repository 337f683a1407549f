//! `skep strip`: objects without what only debuggers read.

use skep_compiler::link::{self, Input};

use crate::error::{Error, Result};
use crate::io::Io;

/// Arguments, as build systems pass them to `llvm-strip`.
#[derive(clap::Args)]
pub struct Args {
    /// Objects; each is replaced
    #[arg(required = true, value_name = "OBJECT")]
    objects: Vec<String>,
    /// Remove `.debug_*` and nothing else: the only thing that can be asked for
    #[arg(short = 'g', short_aliases = ['d', 'S'], long = "strip-debug")]
    debug: bool,
    /// Write the result there instead
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
}

/// Runs it.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    if !args.debug {
        let why = "without symbols nothing could be loaded: pass -g, which keeps them and BTF";
        return Err(Error::usage(why));
    }
    if args.output.is_some() && args.objects.len() > 1 {
        return Err(Error::usage("one output cannot take several objects"));
    }
    for path in &args.objects {
        let bytes = io.read(path)?;
        match link::strip(&Input { name: path, bytes: &bytes }) {
            Ok(stripped) => io.write(args.output.as_ref().unwrap_or(path), &stripped)?,
            Err(error) => {
                writeln!(io.err, "error: {error}")?;
                return Err(Error::FINDINGS);
            }
        }
    }
    Ok(())
}
