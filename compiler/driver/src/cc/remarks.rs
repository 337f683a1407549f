//! What `skep cc` says about the compiler's own work: remarks (`-Rpass=`), times (`-ftime-report`).
//!
//! In: a compiled unit, or the events of its making. Out: text on the error stream, as clang prints it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use skep_compiler::Compiled;
use skep_syntax::Session;

use crate::cc::args::Invocation;
use crate::error::Result;
use crate::io::Io;

/// Says what was done, and not done, of what the patterns ask for.
pub fn print(cx: &Invocation, compiled: &Compiled, session: &Session<'_>, io: &mut Io<'_>) -> Result {
    for remark in &compiled.ir.remarks {
        let (patterns, flag) = match remark.missed {
            false => (&cx.pass_remarks, "-Rpass"),
            true => (&cx.missed_remarks, "-Rpass-missed"),
        };
        if !patterns.iter().any(|pattern| matches(pattern, remark.pass)) {
            continue;
        }
        let span = compiled.ir.locs.get(remark.loc).map(|data| data.span.lo);
        if let Some((file, at)) = span.and_then(|lo| session.source.presumed(lo)) {
            write!(io.err, "{file}:{}:{}: ", at.line, at.col)?;
        }
        writeln!(io.err, "remark: {} [{flag}={}]", remark.message, remark.pass)?;
    }
    Ok(())
}

/// Does a pattern hold of the name of a pass? Of regular expressions these are: `a|b`, `a.*`, `.*`.
fn matches(pattern: &str, name: &str) -> bool {
    let one = |pattern: &str| {
        let mut rest = name;
        pattern.split(".*").all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    };
    pattern.split('|').any(one)
}

/// Measures how long each part of the compiler takes.
pub struct Times {
    last: Instant,
    parts: BTreeMap<&'static str, (Duration, usize)>,
}

impl Times {
    /// Starts now.
    pub fn start() -> Times {
        Times { last: Instant::now(), parts: BTreeMap::new() }
    }

    /// What has passed since the last call was the work of this part.
    pub fn ran(&mut self, name: &'static str) {
        let now = Instant::now();
        let (sum, runs) = self.parts.entry(name).or_default();
        *sum += now - self.last;
        *runs += 1;
        self.last = now;
    }

    /// A line for each part, the longest first.
    pub fn print(&self, io: &mut Io<'_>) -> Result {
        let total: Duration = self.parts.values().map(|(sum, _)| *sum).sum();
        let mut parts: Vec<_> = self.parts.iter().collect();
        parts.sort_by_key(|(name, (sum, _))| (std::cmp::Reverse(*sum), **name));
        let share = |time: Duration| 100.0 * time.as_secs_f64() / total.as_secs_f64().max(f64::MIN_POSITIVE);
        writeln!(io.err, "{:>10} {:>6} {:>7}", "time", "share", "runs")?;
        for (name, (time, runs)) in parts {
            writeln!(io.err, "{:>8.3}ms {:>5.1}% {runs:>7}  {name}", millis(*time), share(*time))?;
        }
        writeln!(io.err, "{:>8.3}ms {:>5.1}% {:>7}  total", millis(total), 100.0, "")?;
        Ok(())
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_are_as_simple_as_they_are_used() {
        assert!(
            matches("inline", "inline") && matches(".*", "regalloc") && matches("a|loop-.*", "loop-unroll")
        );
        assert!(matches("unroll", "loop-unroll") && !matches("gvn", "inline"));
    }
}
