//! `skep size`: what the functions of objects take.

use skep_runtime::verify::verdicts;

use crate::error::Result;
use crate::io::Io;
use crate::load::{self, VerifyArgs};
use crate::measure;

/// Arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Object files
    #[arg(required = true, value_name = "OBJECT")]
    objects: Vec<String>,
    #[command(flatten)]
    verify: VerifyArgs,
}

/// Runs it: a line for each function, and one for the whole object.
pub fn run(args: Args, io: &mut Io<'_>) -> Result {
    for path in &args.objects {
        let rows = measure(path, &args.verify, io)?;
        writeln!(io.out, "{:>8} {:>6} {:>6} {:>9} {:>7}  {path}", "slots", "stack", "calls", "walked", "states")?;
        let work = |number: Option<u64>| number.map_or_else(|| "-".to_string(), |number| number.to_string());
        for (name, row) in &rows {
            let (walked, states) = (row.verified.map(|work| work.walked), row.verified.map(|work| work.states));
            writeln!(
                io.out,
                "{:>8} {:>6} {:>6} {:>9} {:>7}  {name}",
                row.slots,
                row.stack,
                row.calls,
                work(walked),
                work(states)
            )?;
        }
        let sum = |of: &dyn Fn(&measure::Row) -> u64| rows.values().map(of).sum::<u64>();
        let verified = |of: &dyn Fn(measure::Work) -> u64| sum(&|row| row.verified.map_or(0, of));
        writeln!(
            io.out,
            "{:>8} {:>6} {:>6} {:>9} {:>7}  in all",
            sum(&|row| row.slots),
            rows.values().map(|row| row.stack).max().unwrap_or(0),
            sum(&|row| row.calls),
            verified(&|work| work.walked),
            verified(&|work| work.states)
        )?;
    }
    Ok(())
}

/// What the functions of an object take.
pub fn measure(path: &str, args: &VerifyArgs, io: &mut Io<'_>) -> Result<measure::Rows> {
    let bytes = io.read(path)?;
    let image = load::link(path, &bytes, args, io)?;
    let verdicts = verdicts(&image, &args.options(io)?);
    Ok(measure::rows(&image, &verdicts))
}
