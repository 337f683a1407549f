//! The results of cases as text, JUnit and JSON. The same results give the same bytes: no times.

use std::fmt::Write;

use serde_json::{Value, json};

use super::case::Verdict;
use crate::xml::escape;

/// The cases of one file.
#[derive(Debug)]
pub struct Results {
    /// The file.
    pub path: String,
    /// Its cases in their order.
    pub cases: Vec<Verdict>,
}

/// Cases that passed, and that failed.
pub fn counts(all: &[Results]) -> (usize, usize) {
    let cases = all.iter().flat_map(|results| &results.cases);
    let (passed, failed): (Vec<&Verdict>, Vec<&Verdict>) = cases.partition(|case| case.problems.is_empty());
    (passed.len(), failed.len())
}

/// One file's cases, a line each, and what is wrong with them.
pub fn text(results: &Results) -> String {
    let mut text = format!("{}\n", results.path);
    for case in &results.cases {
        let word = if case.problems.is_empty() { "ok    " } else { "FAILED" };
        let _ = writeln!(text, "  {word} {}", case.name);
        for problem in &case.problems {
            let _ = writeln!(text, "         {problem}");
        }
    }
    text
}

/// The form that build servers read.
pub fn junit(all: &[Results]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (passed, failed) = counts(all);
    let _ = writeln!(text, "<testsuites tests=\"{}\" failures=\"{failed}\">", passed + failed);
    for results in all {
        let failures = results.cases.iter().filter(|case| !case.problems.is_empty()).count();
        let (name, tests) = (escape(&results.path), results.cases.len());
        let _ = writeln!(text, "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\">");
        for case in &results.cases {
            let head = format!("    <testcase classname=\"{name}\" name=\"{}\"", escape(&case.name));
            let _ = match case.problems.first() {
                None => writeln!(text, "{head}/>"),
                Some(first) => {
                    let all = escape(&case.problems.join("\n"));
                    let first = escape(first);
                    writeln!(
                        text,
                        "{head}>\n      <failure message=\"{first}\">{all}</failure>\n    </testcase>"
                    )
                }
            };
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// Everything as data.
pub fn json(all: &[Results]) -> Value {
    let (passed, failed) = counts(all);
    let case = |case: &Verdict| {
        json!({
            "name": case.name,
            "passed": case.problems.is_empty(),
            "problems": case.problems,
            "runs": case.runs,
            "instructions": case.insns,
        })
    };
    let file = |results: &Results| json!({ "path": results.path, "cases": results.cases.iter().map(case).collect::<Vec<_>>() });
    json!({ "passed": passed, "failed": failed, "files": all.iter().map(file).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junit_escapes_and_counts() {
        let case = |name: &str, problems: &[&str]| Verdict {
            name: name.into(),
            problems: problems.iter().map(|problem| problem.to_string()).collect(),
            runs: 1,
            insns: 1,
        };
        let results =
            Results { path: "a.toml".into(), cases: vec![case("x < y", &[]), case("z", &["\"1\" & 2"])] };
        let text = junit(&[results]);
        assert!(text.contains("tests=\"2\" failures=\"1\""));
        assert!(text.contains("name=\"x &lt; y\"/>"));
        assert!(text.contains("message=\"&quot;1&quot; &amp; 2\""));
    }
}
