//! `-imacros`: the macros that files define, without their text.
//!
//! In: the command line. Out: the options of the preprocessor with these macros defined after those of
//! `-D`, and the files that were read. A header read in front of an empty program leaves the macros
//! that it leaves; what differs from an empty program without it is defined or undefined.

use std::collections::BTreeMap;

use skep_syntax::Session;
use skep_syntax::diag::Style;
use skep_syntax::pp::{self, Dep, MacroOption, Options};

use crate::cc::args::Invocation;
use crate::error::{Error, Result};
use crate::io::{DiskFiles, Io, STDIN_FILE};

/// Adds the macros; yields the files that they come from.
pub fn add(cx: &Invocation, options: &mut Options, io: &mut Io<'_>) -> Result<Vec<Dep>> {
    if cx.macro_files.is_empty() {
        return Ok(Vec::new());
    }
    let text: String = cx.macro_files.iter().map(|file| format!("#include \"{file}\"\n")).collect();
    let alone = Options { includes: Vec::new(), eager_headers: true, ..options.clone() };
    let (before, _) = macros(String::new(), &alone, io)?;
    let (after, deps) = macros(text, &alone, io)?;
    for (name, body) in &after {
        if before.get(name) != Some(body) {
            options.macros.push(MacroOption::Define(format!("{name}={body}")));
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        let bare = name.split('(').next().unwrap_or(name);
        options.macros.push(MacroOption::Undef(bare.to_string()));
    }
    Ok(deps.into_iter().filter(|dep| dep.path != STDIN_FILE).collect())
}

/// The macros at the end of a text, with their parameters and what they stand for.
fn macros(text: String, options: &Options, io: &mut Io<'_>) -> Result<(BTreeMap<String, String>, Vec<Dep>)> {
    let files = DiskFiles { stdin: Some(text.into_bytes()) };
    let mut session = Session::new(&files, options.clone());
    let output = pp::run(&mut session, STDIN_FILE);
    if session.diags.has_errors() {
        io.err.write_all(session.render(Style { short: false, color: io.color }).as_bytes())?;
        return Err(Error::FINDINGS);
    }
    let list = output.macros.print(&session.source, &session.names);
    let define = |line: &str| {
        let (name, body) = line.strip_prefix("#define ")?.split_once(' ')?;
        Some((name.to_string(), body.to_string()))
    };
    Ok((list.lines().filter_map(define).collect(), output.deps))
}
