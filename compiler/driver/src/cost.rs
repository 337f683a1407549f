//! Where the verifier's work goes: instructions walked by line of the source.
//!
//! In: verdicts and the line records of their programs. Out: a list of the lines that cost most, a page of
//! HTML on which every line is shaded by its share, and a table in the columns of `veristat -o csv`, which
//! `veristat -C` compares with a real kernel's.

use std::collections::BTreeMap;
use std::fmt::Write;

use skep_runtime::object::Program;
use skep_runtime::verify::Verdict;

use crate::xml::escape;

/// Lines that a list shows.
const SHOWN: usize = 20;

/// The work on one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineCost {
    /// Its file, as the line records name it.
    pub file: String,
    /// Its number.
    pub line: u32,
    /// Its text.
    pub text: String,
    /// Instructions walked, over all paths.
    pub insns: u64,
}

/// The work by line, in the order of the source; instructions without a line are left out.
pub fn by_line(program: &Program, visits: &[u32]) -> Vec<LineCost> {
    let mut lines: BTreeMap<(&str, u32), (&str, u64)> = BTreeMap::new();
    for (slot, _) in program.code.iter() {
        let walked = visits.get(slot as usize).copied().unwrap_or(0);
        if let Some(line) = program.line_at(slot) {
            lines.entry((&line.file, line.line)).or_insert((&line.text, 0)).1 += u64::from(walked);
        }
    }
    let cost = |((file, line), (text, insns)): ((&str, u32), (&str, u64))| LineCost {
        file: file.to_owned(),
        line,
        text: text.trim_end().to_owned(),
        insns,
    };
    lines.into_iter().map(cost).collect()
}

/// The lines that cost most, the most expensive first.
pub fn list(program: &Program, verdict: &Verdict) -> String {
    let mut lines = by_line(program, &verdict.visits);
    lines.retain(|line| line.insns > 0);
    lines.sort_by_key(|line| std::cmp::Reverse(line.insns));
    let total = u64::from(verdict.stats.insns).max(1);
    let mut text = String::new();
    for line in lines.iter().take(SHOWN) {
        let share = line.insns as f64 * 100.0 / total as f64;
        let (file, number) = (&line.file, line.line);
        let _ = writeln!(text, "{share:5.1}% {:9} {file}:{number}: {}", line.insns, line.text.trim());
    }
    match lines.len().saturating_sub(SHOWN) {
        0 => {}
        more => {
            let _ = writeln!(text, "                {more} lines more");
        }
    }
    text
}

/// One page with the sources of all programs; `read` gives the text of a file where it is still there.
pub fn page(
    title: &str,
    programs: &[(&Program, &Verdict)],
    read: &mut dyn FnMut(&str) -> Option<String>,
) -> String {
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{0}</title>\n<style>\n{STYLE}</style>\n\
         <h1>{0}</h1>\n<p>Instructions that the verifier walked, by line.</p>\n",
        escape(title)
    );
    for (program, verdict) in programs {
        let word = if verdict.report.is_none() { "safe" } else { "rejected" };
        let (name, stats) = (escape(&program.name), &verdict.stats);
        let _ = writeln!(
            html,
            "<h2>{name}</h2>\n<p>{word}: {} instructions, {} states, {} bytes of stack</p>",
            stats.insns, stats.states, stats.stack
        );
        let lines = by_line(program, &verdict.visits);
        let mut files: Vec<&str> = lines.iter().map(|line| line.file.as_str()).collect();
        files.dedup();
        for file in files {
            let of_file: Vec<&LineCost> = lines.iter().filter(|line| line.file == file).collect();
            table(&mut html, file, &of_file, read(file).as_deref());
        }
    }
    html.push_str("</html>\n");
    html
}

const STYLE: &str = "\
body { font-family: sans-serif; margin: 2em; }
table { border-collapse: collapse; font-family: monospace; }
td { padding: 0 .6em; white-space: pre; }
td.number { text-align: right; color: #666; }
";

/// One file: all of it if its text is known, else the lines that were walked.
fn table(html: &mut String, file: &str, lines: &[&LineCost], source: Option<&str>) {
    let most = lines.iter().map(|line| line.insns).max().unwrap_or(0).max(1);
    let cost = |number: u32| lines.iter().find(|line| line.line == number).map_or(0, |line| line.insns);
    let _ = writeln!(html, "<h3>{}</h3>\n<table>", escape(file));
    let mut row = |number: u32, text: &str, insns: u64| {
        // The colour is by magnitude: a loop would hide all else.
        let heat = if insns == 0 { 0.0 } else { ((insns + 1) as f64).ln() / ((most + 1) as f64).ln() };
        let count = if insns == 0 { String::new() } else { insns.to_string() };
        let _ = writeln!(
            html,
            "<tr style=\"background: rgba(255, 80, 0, {:.2})\"><td class=\"number\">{count}</td>\
             <td class=\"number\">{number}</td><td>{}</td></tr>",
            heat * 0.7,
            escape(text)
        );
    };
    match source {
        Some(source) => (1..).zip(source.lines()).for_each(|(number, text)| row(number, text, cost(number))),
        None => lines.iter().for_each(|line| row(line.line, &line.text, line.insns)),
    }
    html.push_str("</table>\n");
}

/// The first line of a table for `veristat`.
pub const CSV_HEADER: &str = "file_name,prog_name,verdict,duration,total_insns,total_states,peak_states,\
                              max_states_per_insn,max_mark_read_len";

/// A line of that table; the last column is one that newer kernels leave at 0.
pub fn csv(file: &str, verdict: &Verdict, micros: u128) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    let word = if verdict.report.is_none() { "success" } else { "failure" };
    let stats = &verdict.stats;
    format!(
        "{name},{},{word},{micros},{},{},{},{},0",
        verdict.program, stats.insns, stats.states, stats.peak, stats.crowd
    )
}
