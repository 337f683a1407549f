//! The tracefile format of lcov, which editors, genhtml and coverage services read.

use std::fmt::Write;

use super::Coverage;

/// One record for each file.
pub fn text(coverage: &Coverage) -> String {
    let mut text = String::from("TN:\n");
    for (path, file) in &coverage.files {
        let _ = writeln!(text, "SF:{path}");
        for (name, (line, _)) in &file.functions {
            let _ = writeln!(text, "FN:{line},{name}");
        }
        for (name, (_, calls)) in &file.functions {
            let _ = writeln!(text, "FNDA:{calls},{name}");
        }
        let called = file.functions.values().filter(|(_, calls)| *calls > 0).count();
        let _ = writeln!(text, "FNF:{}\nFNH:{called}", file.functions.len());
        for (number, line) in &file.lines {
            let _ = writeln!(text, "DA:{number},{}", line.hits);
        }
        let hit = file.lines.values().filter(|line| line.hits > 0).count();
        let _ = writeln!(text, "LF:{}\nLH:{hit}\nend_of_record", file.lines.len());
    }
    text
}
