//! What build systems ask before they compile: version, help, processors, search directories.
//!
//! The answers have clang's form, because they are cut out of the text by scripts.

use std::path::Path;

use crate::cc::args::{Info, Invocation};
use crate::cc::flags::{FLAGS, Form};
use crate::error::Result;
use crate::io::{EMBEDDED, Io};

/// The version of clang that the command line and the predefined macros are modelled on.
const CLANG_VERSION: &str = "19.1.7";

/// Answers a question.
pub fn answer(info: Info, cx: &Invocation, io: &mut Io<'_>) -> Result {
    match info {
        Info::Version => io.out.write_all(version(cx).as_bytes())?,
        Info::Help => io.out.write_all(help().as_bytes())?,
        Info::Cpus => {
            write!(io.err, "{}", version(cx))?;
            let cpus = "generic\n\tprobe\n\tv1\n\tv2\n\tv3\n\tv4";
            write!(io.err, "Available CPUs for this target:\n\n\t{cpus}\n\n")?;
            writeln!(io.err, "Use -mcpu to choose one: clang --target=bpf -mcpu=v3")?;
        }
        Info::DumpVersion => writeln!(io.out, "{CLANG_VERSION}")?,
        Info::Target => writeln!(io.out, "{}", target(cx))?,
    }
    Ok(())
}

/// `clang version X.Y`, a target, a thread model.
pub fn version(cx: &Invocation) -> String {
    let (ours, target) = (env!("CARGO_PKG_VERSION"), target(cx));
    format!(
        "clang version {CLANG_VERSION} (compatible; skep {ours})\nTarget: {target}\nThread model: posix\n"
    )
}

/// The target that was named. Without one, clang would say its host; scripts take the name of the
/// machine from there.
fn target(cx: &Invocation) -> String {
    let vendor = if std::env::consts::ARCH == "x86_64" { "pc" } else { "unknown" };
    let host = || format!("{}-{vendor}-linux-gnu", std::env::consts::ARCH);
    cx.target.clone().unwrap_or_else(host)
}

fn help() -> String {
    let mut text = String::from(
        "Compiles BPF C with clang's command line.\n\nUsage: skep cc [options] file...\n\nOptions:\n",
    );
    for flag in FLAGS.iter().filter(|flag| !flag.about.is_empty()) {
        let value = match flag.form {
            Form::Alone => String::new(),
            Form::Joined => "<value>".into(),
            Form::Separate => " <value>".into(),
            Form::Either => " <value>".into(),
        };
        let spelling = format!("{}{value}", flag.spelling);
        text.push_str(&format!("  {spelling:<26} {}\n", flag.about));
    }
    text.push_str("  @<file>                    Take arguments from a file\n");
    let ignored: Vec<&str> =
        FLAGS.iter().filter(|flag| flag.about.is_empty()).map(|flag| flag.spelling).collect();
    text.push_str("\nAccepted, without effect on BPF programs:\n");
    let mut column = 0;
    for spelling in ignored {
        if column == 0 || column + spelling.len() + 1 > 96 {
            text.push_str(if column == 0 { " " } else { "\n " });
            column = 1;
        }
        text.push(' ');
        text.push_str(spelling);
        column += spelling.len() + 1;
    }
    text.push('\n');
    text
}

/// The directories that are searched, between the lines that scripts look for.
pub fn search_directories(cx: &Invocation, io: &mut Io<'_>) -> Result {
    let bracket = cx.pp.include_dirs.iter().chain(&cx.pp.system_dirs).chain(&cx.pp.after_dirs);
    let bracket: Vec<&String> = bracket.filter(|directory| *directory != EMBEDDED).collect();
    let is_there = |directory: &&String| Path::new(directory).is_dir();
    for missing in cx.pp.quote_dirs.iter().chain(bracket.iter().copied()).filter(|d| !is_there(d)) {
        writeln!(io.err, "ignoring nonexistent directory \"{missing}\"")?;
    }
    writeln!(io.err, "#include \"...\" search starts here:")?;
    for directory in cx.pp.quote_dirs.iter().filter(is_there) {
        writeln!(io.err, " {directory}")?;
    }
    writeln!(io.err, "#include <...> search starts here:")?;
    for directory in bracket.into_iter().filter(is_there) {
        writeln!(io.err, " {directory}")?;
    }
    writeln!(io.err, "End of search list.")?;
    Ok(())
}
