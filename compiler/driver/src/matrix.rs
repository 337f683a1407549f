//! The verdicts of several kernels on the programs of an object: as a table, as JSON, as JUnit.
//!
//! A kernel is a version, by which the tables say what it knows, and types: those of a file, or the
//! running kernel's.

use std::fmt::Write;

use serde_json::json;

use crate::xml::escape;

/// The verdict of one kernel on one program: nothing, or the code and the sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cell {
    /// The code of the rule, `V0307`; `link` if the object does not fit the kernel's types.
    pub code: String,
    /// Our sentence.
    pub message: String,
}

/// One program: a cell for each kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The object's path.
    pub object: String,
    /// The program.
    pub program: String,
    /// In the order of the kernels.
    pub cells: Vec<Option<Cell>>,
}

/// The forms a matrix is printed in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Form {
    /// A table for people.
    Text,
    /// An array of objects.
    Json,
    /// Test cases for the reports of CI systems.
    Junit,
}

/// The rows in this form; `kernels` are the names of the columns.
pub fn print(rows: &[Row], kernels: &[String], form: Form) -> String {
    match form {
        Form::Text => table(rows, kernels),
        Form::Json => json(rows, kernels),
        Form::Junit => junit(rows, kernels),
    }
}

fn table(rows: &[Row], kernels: &[String]) -> String {
    let name = |row: &Row| format!("{}: {}", row.object, row.program);
    let wide = rows.iter().map(|row| name(row).len()).max().unwrap_or(0);
    let mut text = format!("{:wide$}", "");
    kernels.iter().for_each(|kernel| write(&mut text, kernel));
    text.push('\n');
    for row in rows {
        let _ = write!(text, "{:wide$}", name(row));
        row.cells.iter().for_each(|cell| write(&mut text, cell.as_ref().map_or("safe", |cell| &cell.code)));
        text.push('\n');
    }
    for row in rows {
        // Each sentence once, with the kernels that it is about.
        let mut said: Vec<(&Cell, Vec<&str>)> = Vec::new();
        for (cell, kernel) in row.cells.iter().zip(kernels) {
            let Some(cell) = cell else { continue };
            match said.iter_mut().find(|(known, _)| *known == cell) {
                Some((_, kernels)) => kernels.push(kernel),
                None => said.push((cell, vec![kernel])),
            }
        }
        for (cell, kernels) in said {
            let _ =
                writeln!(text, "{}: {} on {}: {}", row.program, cell.code, kernels.join(", "), cell.message);
        }
    }
    text
}

fn write(text: &mut String, word: &str) {
    let _ = write!(text, "  {word:>6}");
}

fn json(rows: &[Row], kernels: &[String]) -> String {
    let verdict = |(cell, kernel): (&Option<Cell>, &String)| match cell {
        None => json!({ "kernel": kernel, "safe": true }),
        Some(cell) => {
            json!({ "kernel": kernel, "safe": false, "code": cell.code, "message": cell.message })
        }
    };
    let row = |row: &Row| {
        let verdicts: Vec<_> = row.cells.iter().zip(kernels).map(verdict).collect();
        json!({ "object": row.object, "program": row.program, "verdicts": verdicts })
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    format!("{:#}\n", json!(rows))
}

fn junit(rows: &[Row], kernels: &[String]) -> String {
    let failures = rows.iter().flat_map(|row| &row.cells).flatten().count();
    let tests = rows.len() * kernels.len();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"skep verify\" tests=\"{tests}\" failures=\"{failures}\">\n"
    );
    for row in rows {
        for (cell, kernel) in row.cells.iter().zip(kernels) {
            let (class, name) = (escape(&row.object), escape(&row.program));
            let _ = write!(text, "  <testcase classname=\"{class}\" name=\"{name} on {}\"", escape(kernel));
            let _ = match cell {
                None => writeln!(text, "/>"),
                Some(cell) => writeln!(
                    text,
                    ">\n    <failure type=\"{}\" message=\"{}\"/>\n  </testcase>",
                    escape(&cell.code),
                    escape(&cell.message)
                ),
            };
        }
    }
    text.push_str("</testsuite>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let cell = Cell { code: "V0307".into(), message: "`a` < 6.1".into() };
        let row = Row { object: "x.o".into(), program: "p".into(), cells: vec![Some(cell), None] };
        let kernels = ["5.4".to_owned(), "6.1".to_owned()];
        let print = |form| print(std::slice::from_ref(&row), &kernels, form);
        assert_eq!(
            print(Form::Text),
            "           5.4     6.1\nx.o: p   V0307    safe\np: V0307 on 5.4: `a` < 6.1\n"
        );
        assert!(print(Form::Json).contains("\"code\": \"V0307\""));
        assert!(print(Form::Junit).contains("failures=\"1\"") && print(Form::Junit).contains("`a` &lt; 6.1"));
    }
}
