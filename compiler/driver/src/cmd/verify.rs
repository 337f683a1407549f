//! `skep verify`: any object, by the kernel's rules.


use skep_syntax::diag::Style;

use crate::error::{Error, Result};
use crate::io::Io;
use crate::load::{self, VerifyArgs};
use crate::rejection;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Object files
    #[arg(required = true, value_name = "OBJECT")]
    objects: Vec<String>,
    /// Only this program
    #[arg(short, long, value_name = "NAME")]
    prog: Option<String>,
    #[command(flatten)]
    verify: VerifyArgs,
}

/// Runs it: every program of every object gets a line.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    let mut all_safe = true;
    for path in &args.objects {
        let bytes = io.read(path)?;
        let image = load::link(path, &bytes, &args.verify, io)?;
        let mut seen = false;
        for verdict in load::verdict_list(&image, &args.verify, io)? {
            if args.prog.as_ref().is_some_and(|name| *name != verdict.program) {
                continue;
            }
            seen = true;
            let word = if verdict.report.is_none() { "safe" } else { "rejected" };
            let (name, stats) = (&verdict.program, verdict.stats);
            writeln!(
                io.out,
                "{path}: {name}: {word}, {} instructions walked, {} states, {} bytes of stack",
                stats.insns, stats.states, stats.stack
            )?;
            if let Some(report) = &verdict.report {
                all_safe = false;
                let style = Style { short: false, color: io.color };
                write!(io.err, "{}", rejection::render_object(report, &image, style))?;
                if args.verify.kernel_log {
                    writeln!(io.err, "the kernel's words:\n{}", rejection::kernel_log(report, &image))?;
                }
            }
        }
        if let (false, Some(name)) = (seen, &args.prog) {
            return Err(Error::usage(format!("`{path}` has no program `{name}`")));
        }
    }
    if all_safe { Ok(()) } else { Err(Error::FINDINGS) }
}
