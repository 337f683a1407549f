//! Our verdicts beside a kernel's.
//!
//! Every difference has a name and a row with its cause in the table of whoever compares: one that is
//! not there fails, and so does a row whose difference is gone. Of what both refuse the words are
//! compared too; where ours are not the kernel's, the rule that we name is in a listing
//! (`tests/words`), with how many each rule refuses in the kernel's, which `UPDATE=1` rewrites. So a check that is lost shows even where a later one
//! refuses the same program.
#![allow(clippy::print_stderr)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use skep_runtime::verify::Report;

/// Instead of our rule: we accept what the kernel refuses.
pub const ACCEPTED: &str = "accepted";

/// A program that the kernel and we judge differently: its name, our rule or [`ACCEPTED`], and the cause.
pub type Difference = (&'static str, &'static str, &'static str);

/// What was compared.
#[derive(Default)]
pub struct Agreement {
    /// How many programs.
    pub compared: usize,
    /// Those judged differently: our rule, or [`ACCEPTED`]; and what the other says.
    differences: BTreeMap<String, (&'static str, String)>,
    /// Those that both refuse, in other words: our rule, and both words.
    words: BTreeMap<String, (&'static str, String)>,
    /// How many are refused by each rule in the kernel's own words.
    same_words: BTreeMap<&'static str, usize>,
}

impl Agreement {
    /// Compares the verdicts on a program. `refused` is the kernel's log, if it refused.
    pub fn count(&mut self, place: String, refused: Option<&str>, ours: Result<(), Report>) {
        self.compared += 1;
        match (refused, ours) {
            (None, Ok(())) => {}
            (None, Err(report)) => {
                let words = format!("at {}: {}", report.slot, report.cause.message());
                self.differences.insert(place, (report.cause.rule().code, words));
            }
            (Some(log), Ok(())) => {
                self.differences.insert(place, (ACCEPTED, last(log).to_owned()));
            }
            (Some(log), Err(report)) => {
                let ours = report.cause.kernel_log();
                let is_said = |words: &String| log.lines().any(|line| line.trim_end() == words.trim_end());
                if ours.iter().all(is_said) {
                    *self.same_words.entry(report.cause.rule().code).or_default() += 1;
                } else {
                    let words = format!("{} | {}", ours.join("; "), last(log));
                    self.words.insert(place, (report.cause.rule().code, words));
                }
            }
        }
    }

    /// What is not as the table says, of the programs that were `judged`.
    pub fn against(&self, known: &[Difference], judged: impl Fn(&str) -> bool) -> Result<(), String> {
        let mut wrong = String::new();
        for (place, (code, words)) in &self.differences {
            if !known.iter().any(|row| (row.0, row.1) == (place.as_str(), *code)) {
                let _ = writeln!(wrong, "not in the table: {place}: {code}: {words}");
            }
        }
        for (place, code, _) in known.iter().filter(|row| judged(row.0)) {
            if self.differences.get(*place).is_none_or(|found| found.0 != *code) {
                let _ = writeln!(wrong, "in the table, but found no more: {place}: {code}");
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// Compares the rules of what is refused in other words with the listing of this name, of the programs
    /// that were `judged`; if that is the `whole`, the number of those in the kernel's words too.
    pub fn against_listing(
        &self,
        name: &str,
        whole: bool,
        judged: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/words").join(format!("{name}.txt"));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let sum = |place: &str| place.ends_with(IN_ITS_WORDS);
        let (kept, known): (Rows, Rows) = (text.lines().filter_map(|line| line.split_once(' ')))
            .map(|(code, place)| (place.to_owned(), code.to_owned()))
            .partition(|(place, _)| if sum(place) { !whole } else { !judged(place) });
        let others = self.words.iter().map(|(place, (code, _))| (place.clone(), (*code).to_owned()));
        let sums = self.same_words.iter().filter(|_| whole);
        let sums = sums.map(|(code, count)| (format!("{count}{IN_ITS_WORDS}"), (*code).to_owned()));
        let found: Rows = others.chain(sums).collect();
        if found == known {
            return Ok(());
        }
        if std::env::var_os("UPDATE").is_some() {
            let rows: Rows = kept.into_iter().chain(found).collect();
            let listing: String = rows.iter().map(|(place, code)| format!("{code} {place}\n")).collect();
            return std::fs::write(&path, listing).map_err(|error| error.to_string());
        }
        let mut wrong = String::new();
        for (place, code) in found.difference(&known) {
            let words = self.words.get(place).map_or("", |(_, words)| words);
            let _ = writeln!(wrong, "not in {name}: {code} {place}: {words}");
        }
        for (place, code) in known.difference(&found) {
            let _ = writeln!(wrong, "in {name}, but found no more: {code} {place}");
        }
        Err(wrong)
    }

    /// Prints how much is the same.
    pub fn print(&self, what: &str) {
        let same = self.compared - self.differences.len();
        eprintln!("{what}: {same} of {} verdicts, {} in other words", self.compared, self.words.len());
    }
}

/// Ends the rows of a listing with sums.
const IN_ITS_WORDS: &str = " in the kernel's words";

/// The rows of a listing: a program, our rule.
type Rows = BTreeSet<(String, String)>;

/// What the log ends with, without the sums.
fn last(log: &str) -> &str {
    let sums = ["processed", "verification time", "stack depth"];
    let mut lines = log.lines().rev().filter(|line| !sums.iter().any(|start| line.starts_with(start)));
    lines.next().unwrap_or_default()
}
