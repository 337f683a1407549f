//! `skep diff`: what the functions of an object take beside those of another.

use crate::cmd::size;
use crate::error::{Error, Result};
use crate::io::Io;
use crate::load::VerifyArgs;
use crate::measure::{Row, Rows};

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// The object to compare with: an earlier build, or another compiler's
    #[arg(value_name = "OLD")]
    old: String,
    /// The object that is looked at
    #[arg(value_name = "NEW")]
    new: String,
    /// Fail if a measure of a function, or of all of them, has grown by more than this, such as 5%
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    fail_over: Option<f64>,
    #[command(flatten)]
    verify: VerifyArgs,
}

fn percent(text: &str) -> std::result::Result<f64, String> {
    let number = text.trim_end_matches('%').parse().ok().filter(|percent: &f64| *percent >= 0.0);
    number.ok_or_else(|| "not a percentage, like 5%".to_string())
}

/// A measure of a function: its name, and its value if there is one.
type Measure = (&'static str, fn(&Row) -> Option<u64>);

const MEASURES: [Measure; 5] = [
    ("slots", |row| Some(row.slots)),
    ("stack", |row| Some(row.stack)),
    ("calls", |row| Some(row.calls)),
    ("walked", |row| row.verified.map(|work| work.walked)),
    ("states", |row| row.verified.map(|work| work.states)),
];

/// Runs it: a line for each measure that differs, and one for each measure of the whole.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    let old = size::measure(&args.old, &args.verify, io)?;
    let new = size::measure(&args.new, &args.verify, io)?;
    let mut grown = false;
    let too_much = |before: u64, after: u64| {
        args.fail_over.is_some_and(|limit| after as f64 > before as f64 * (1.0 + limit / 100.0))
    };
    for (name, row) in &new {
        let Some(before) = old.get(name) else {
            writeln!(io.out, "{name}: new, {} slots", row.slots)?;
            continue;
        };
        for (what, of) in MEASURES {
            match (of(before), of(row)) {
                (Some(before), Some(after)) if before != after => {
                    grown |= too_much(before, after);
                    line(io, name, what, before, after)?;
                }
                (Some(_), None) if what == "walked" => {
                    grown = true;
                    writeln!(io.out, "{name}: the verifier refuses it now")?;
                }
                _ => {}
            }
        }
    }
    for (name, row) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        writeln!(io.out, "{name}: gone, {} slots", row.slots)?;
    }
    for (what, of) in MEASURES {
        let total = |rows: &Rows| rows.values().filter_map(of).sum::<u64>();
        let (before, after) = (total(&old), total(&new));
        grown |= too_much(before, after);
        line(io, "in all", what, before, after)?;
    }
    if grown && args.fail_over.is_some() { Err(Error::FINDINGS) } else { Ok(()) }
}

fn line(io: &mut Io<'_>, name: &str, what: &str, before: u64, after: u64) -> Result {
    let change = (after as f64 / before.max(1) as f64 - 1.0) * 100.0;
    match before == after {
        true => writeln!(io.out, "{name}: {what} {after}")?,
        false => writeln!(io.out, "{name}: {what} {before} -> {after} ({change:+.1}%)")?,
    }
    Ok(())
}
