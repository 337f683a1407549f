//! A page of the source: each line with how often it was executed, coloured by the instructions it
//! cost. The page needs nothing but itself.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Coverage, FileCoverage};
use crate::io::Io;
use crate::xml::escape;

const STYLE: &str = "body{font:14px sans-serif;margin:2em;color:#222}
table{border-collapse:collapse;font:13px/1.45 monospace}
td{padding:0 .8em;white-space:pre;vertical-align:top}
td.n{text-align:right;color:#777;border-right:1px solid #ddd}
tr.never td.s{background:#fdd}
p.k span{display:inline-block;padding:0 .6em}";

/// The page; where a source cannot be read, it has the lines that the object knows.
pub fn page(coverage: &Coverage, io: &mut Io<'_>) -> String {
    let (hit, all) = coverage.executed();
    let mut page = format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Executed lines</title>\n\
         <style>{STYLE}</style></head><body>\n<h1>Executed lines</h1>\n<p>{hit} of {all} lines.</p>\n\
         <p class=\"k\"><span style=\"background:#fdd\">never</span><span style=\"background:{}\">few</span>\
         <span style=\"background:{}\">many instructions</span></p>\n",
        colour(0.0),
        colour(1.0)
    );
    for (path, file) in &coverage.files {
        let _ = writeln!(page, "<h2>{}</h2>", escape(path));
        let source = io.read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).ok();
        table(&mut page, file, source.as_deref());
    }
    page.push_str("</body></html>\n");
    page
}

fn table(page: &mut String, file: &FileCoverage, source: Option<&str>) {
    let known = || file.lines.iter().map(|(&number, line)| (number, line.text.as_str())).collect();
    let lines: BTreeMap<u32, &str> = match source {
        Some(text) => (1..).zip(text.lines()).collect(),
        None => known(),
    };
    let most = file.lines.values().map(|line| line.insns).max().unwrap_or(0);
    page.push_str(
        "<table><tr><td class=\"n\">line<td class=\"n\">hits<td class=\"n\">instructions<td>source</tr>\n",
    );
    for (number, text) in lines {
        let (class, style, hits, insns) = match file.lines.get(&number) {
            None => ("", String::new(), String::new(), String::new()),
            Some(line) if line.hits == 0 => (" class=\"never\"", String::new(), "0".into(), "0".into()),
            Some(line) => {
                let style = format!(" style=\"background:{}\"", colour(heat(line.insns, most)));
                ("", style, line.hits.to_string(), line.insns.to_string())
            }
        };
        let _ = writeln!(
            page,
            "<tr{class}><td class=\"n\">{number}<td class=\"n\">{hits}<td class=\"n\">{insns}\
             <td class=\"s\"{style}>{}</tr>",
            escape(text)
        );
    }
    page.push_str("</table>\n");
}

/// Where a line is between the cheapest and the dearest: by orders of magnitude.
fn heat(insns: u64, most: u64) -> f64 {
    let bits = |number: u64| f64::from(64 - number.leading_zeros());
    bits(insns) / bits(most).max(1.0)
}

/// From green to orange.
fn colour(heat: f64) -> String {
    format!("hsl({:.0},75%,{:.0}%)", 120.0 - 85.0 * heat, 92.0 - 17.0 * heat)
}
