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
    let mut result = Ok(());
    for path in &args.objects {
        match verify(&args, path, io) {
            Err(Error::Reported(code)) => result = Err(Error::Reported(code)),
            other => other?,
        }
    }
    result
}

fn verify(args: &Args, path: &str, io: &mut Io<'_>) -> Result {
    let bytes = io.read(path)?;
    let image = load::link(path, &bytes, &args.verify, io)?;
    let mut all_safe = true;
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
    match &args.prog {
        _ if seen => {}
        Some(name) => {
            let list = load::program_names(&image);
            return Err(Error::usage(format!("`{path}` has no program `{name}`; it has {list}")));
        }
        None => writeln!(io.err, "warning: `{path}` has no programs: there is nothing to verify")?,
    }
    if all_safe { Ok(()) } else { Err(Error::FINDINGS) }
}
