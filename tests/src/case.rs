//! A test case in a file: C (or IR, or assembly) with its expectations in front.
//!
//! Leading lines that start with `//@` are TOML; unknown keys are refused, so that a misspelled
//! expectation fails instead of passing silently. `// ERROR[E0203]: text` at the end of a line
//! expects a diagnostic of that code on that line whose message contains the text.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The `//@` lines.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Header {
    /// Stages whose dump is compared with a snapshot.
    pub emit: Vec<String>,
    /// Instruction set: `v1` to `v4`.
    pub cpu: Option<String>,
    /// Runs of programs.
    pub run: Vec<Run>,
    /// What must be there for the case to run.
    pub needs: Vec<String>,
    /// Warnings that are asked for, by clang's names.
    pub warnings: Vec<String>,
    /// The guarantee of the code generator that the programs are about, by its number.
    pub guarantee: Option<u32>,
    /// Programs that the verifier refuses when clang compiles them.
    pub refused: Vec<String>,
    /// Where it is shown that our code never has the shape that no clang here makes of such programs either.
    pub shown_by: Option<String>,
    /// What the placeholders of a family of cases stand for, by their letter.
    pub axes: BTreeMap<char, Axis>,
}

/// The items that a placeholder stands for, one after the other.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Axis {
    /// Items that are their own names.
    List(Vec<String>),
    /// Numbers from the first to the last.
    Range {
        /// The first.
        from: u32,
        /// The last.
        to: u32,
    },
    /// Texts by their names.
    Named(BTreeMap<String, String>),
}

/// One run and what must come out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Run {
    /// Arguments of `skep run`, the file excluded.
    pub args: Vec<String>,
    /// Expected exit code.
    pub exit: u8,
    /// Lines that standard output must contain, in this order.
    pub out: Vec<String>,
    /// The same of standard error.
    pub err: Vec<String>,
}

/// An expected diagnostic.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Expected {
    /// Line, counted from 1.
    pub line: usize,
    /// Its code.
    pub code: String,
    /// Part of its message.
    pub text: String,
}

/// Parses the header of a case.
pub fn header(text: &str) -> Result<Header, String> {
    let lines = text.lines().map_while(|line| line.strip_prefix("//@"));
    let toml: String = lines.flat_map(|line| [line, "\n"]).collect();
    toml::from_str(&toml).map_err(|error| error.to_string())
}

/// The `ERROR[..]` and `WARNING[..]` remarks of a case.
pub fn expected(text: &str) -> Vec<Expected> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for marker in ["// ERROR[", "// WARNING["] {
            let Some((_, rest)) = line.split_once(marker) else { continue };
            let Some((code, text)) = rest.split_once("]") else { continue };
            let text = text.trim_start_matches(':').trim().to_owned();
            found.push(Expected { line: index + 1, code: code.to_owned(), text });
        }
    }
    found
}

/// Whether the expected lines appear in the text in order; the first that does not is the error.
pub fn contains_in_order(text: &str, expected: &[String]) -> Result<(), String> {
    let mut lines = text.lines();
    for wanted in expected {
        if !lines.any(|line| line.contains(wanted.as_str())) {
            return Err(format!("no line with `{wanted}` (after the ones before) in:\n{text}"));
        }
    }
    Ok(())
}

/// Counts of each key, for summaries.
pub fn tally<K: Ord>(keys: impl IntoIterator<Item = K>) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}
