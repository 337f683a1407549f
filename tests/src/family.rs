//! Families of C test cases: one text with placeholders stands for many functions.
//!
//! In: a C file whose header names axes. Out: plain C and the names of its cases, the functions
//! `u64 NAME(u64 a, u64 b)`. Paragraphs (parts between empty lines) are repeated for every
//! combination of the axes they mention: `$T` is the text of an item of axis `T`, `@T` its name.
//!
//! ```
//! let text = "//@ axes.O = { plus = \"+\", minus = \"-\" }\n\nu64 do_@O(u64 a, u64 b)\n{\n\treturn a $O b;\n}\n";
//! let family = skep_tests::family::expand(text).expect("its header is right");
//! assert_eq!(family.cases, ["do_minus", "do_plus"]);
//! assert!(family.text.contains("return a - b;"));
//! ```

use std::collections::BTreeSet;

use crate::case::{self, Axis};

/// A family without placeholders.
#[derive(Clone, Debug)]
pub struct Family {
    /// The functions that are called, in order.
    pub cases: Vec<String>,
    /// C with all of them.
    pub text: String,
}

/// One name and one text for each item.
fn items(axis: &Axis) -> Vec<(String, String)> {
    match axis {
        Axis::List(items) => items.iter().map(|item| (item.clone(), item.clone())).collect(),
        Axis::Range { from, to } => (*from..=*to).map(|n| (n.to_string(), n.to_string())).collect(),
        Axis::Named(items) => items.iter().map(|(name, text)| (name.clone(), text.clone())).collect(),
    }
}

/// Writes out all cases of a family.
pub fn expand(source: &str) -> Result<Family, String> {
    let header = case::header(source)?;
    let body: Vec<&str> = source.lines().skip_while(|line| line.starts_with("//@")).collect();
    let mut text = String::new();
    for paragraph in body.split(|line| line.is_empty()) {
        let mut copies = vec![paragraph.join("\n")];
        for (letter, axis) in &header.axes {
            let (of_text, of_name) = (format!("${letter}"), format!("@{letter}"));
            if !copies[0].contains(&of_text) && !copies[0].contains(&of_name) {
                continue;
            }
            let items = items(axis);
            let with = |copy: &String| -> Vec<String> {
                let put =
                    |(name, text): &(String, String)| copy.replace(&of_text, text).replace(&of_name, name);
                items.iter().map(put).collect()
            };
            copies = copies.iter().flat_map(with).collect();
        }
        for copy in copies {
            text += &copy;
            text += "\n\n";
        }
    }
    if let Some(line) = text.lines().find(|line| line.contains(['$', '@'])) {
        return Err(format!("an axis is not declared: `{line}`"));
    }
    let cases = entries(&text);
    let unique: BTreeSet<&String> = cases.iter().collect();
    if unique.len() != cases.len() || cases.is_empty() {
        return Err("the cases need names of their own".to_string());
    }
    Ok(Family { cases, text })
}

/// The names of the functions `u64 NAME(u64 a, u64 b)` that are defined at the start of a line.
pub fn entries(text: &str) -> Vec<String> {
    let name = |line: &str| Some(line.strip_prefix("u64 ")?.split_once("(u64 a, u64 b)")?.0.to_string());
    text.lines().filter_map(name).collect()
}
