//! `skep explain`: what a code means, and what a kernel's log means on the source.

use skep_runtime::verify::verify_program;
use skep_syntax::diag::Style;

use crate::error::{Error, Result};
use crate::explain;
use crate::io::Io;
use crate::kernel_log::{self, Failure};
use crate::load::{self, VerifyArgs};
use crate::rejection;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// A code, like V0101, or with --log an object file
    #[arg(value_name = "CODE|OBJECT")]
    subject: Option<String>,
    /// A kernel's verifier log, as loaders print it: where in the object's source it ends, and why
    #[arg(long, value_name = "FILE", requires = "subject")]
    log: Option<String>,
    /// The program that the log is of, if it does not say
    #[arg(short, long, value_name = "NAME", requires = "log")]
    prog: Option<String>,
    #[command(flatten)]
    verify: VerifyArgs,
}

/// Runs it.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    match (&args.log, &args.subject) {
        (Some(log), Some(object)) => explain_log(&args, log, object, io),
        (_, Some(code)) => explain_code(code, io),
        (_, None) => list(io),
    }
}

/// Prints the page on a code.
fn explain_code(code: &str, io: &mut Io<'_>) -> Result {
    let code = code.to_ascii_uppercase();
    if let Some(page) = explain::page(&code) {
        return Ok(write!(io.out, "{}", page.text)?);
    }
    match explain::titles().into_iter().find(|row| row.0 == code) {
        Some((code, title)) => Ok(writeln!(io.out, "# {code}: {title}\n\nThere is no page on it yet.")?),
        None => Err(Error::usage(format!("there is no code `{code}`; `skep explain` lists them all"))),
    }
}

fn list(io: &mut Io<'_>) -> Result {
    for (code, title) in explain::titles() {
        writeln!(io.out, "{code}  {title}")?;
    }
    Ok(())
}

/// Draws the end of a kernel's log on the source of the object.
fn explain_log(args: &Args, log: &str, object: &str, io: &mut Io<'_>) -> Result {
    let text = io.read(log)?;
    let text = String::from_utf8_lossy(&text);
    let bytes = io.read(object)?;
    let image = load::link(object, &bytes, &args.verify, io)?;
    let Some(failure) = kernel_log::last_failure(&text) else {
        return Err(Error::usage(format!("`{log}` has no instruction and no error of a verifier in it")));
    };
    let Some(index) = kernel_log::program_of(&failure, args.prog.as_deref(), &image) else {
        let names = load::program_names(&image);
        return Err(Error::usage(format!("which program is the log of? `--prog` names one of {names}")));
    };
    let style = Style { short: false, color: io.color };
    let picture = picture(args, &failure, &image, index, style, io)?;
    write!(io.out, "{picture}")?;
    Ok(())
}

/// Our own report where it fails at the same instruction, for it knows more; the kernel's words
/// otherwise.
fn picture(
    args: &Args,
    failure: &Failure,
    image: &skep_runtime::Image,
    index: usize,
    style: Style,
    io: &mut Io<'_>,
) -> Result<String> {
    let ours = verify_program(image, index, &args.verify.options(io)?).0.err();
    Ok(match ours.filter(|report| report.slot == failure.slot) {
        Some(report) => {
            let words = failure.words.join("\n  = ");
            format!("{}  = the kernel says: {words}\n", rejection::render_object(&report, image, style))
        }
        None => rejection::render_words(failure, image, index, style),
    })
}
