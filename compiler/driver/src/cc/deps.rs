//! Dependency files (`-M`, `-MD` and friends): which target, which file, which rule.

use skep_syntax::pp::{self, Dep};

use crate::cc::args::{Invocation, Mode};
use crate::error::Result;
use crate::io::{EMBEDDED, Io, STDIN_FILE};

/// `dir/x.bpf.c` becomes `x.bpf.o` in the current directory.
pub fn in_current_directory(input: &str, extension: &str) -> String {
    let name = input.rsplit('/').next().unwrap_or(input);
    with_extension(name, extension)
}

fn with_extension(path: &str, extension: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    format!("{}{stem}.{extension}", &path[..path.len() - name.len()])
}

/// Writes the dependency file if one was asked for beside the output.
pub fn write(cx: &Invocation, input: &str, deps: &[Dep], io: &mut Io<'_>) -> Result {
    if !cx.deps.write {
        return Ok(());
    }
    let file = match (&cx.deps.file, &cx.output) {
        (Some(file), _) => file.clone(),
        (None, Some(output)) => with_extension(output, "d"),
        (None, None) => in_current_directory(input, "d"),
    };
    io.write(&file, rule(cx, input, deps).as_bytes())
}

/// A rule for make: the target, then every file that was read. The embedded headers cannot change,
/// and standard input has no name.
pub fn rule(cx: &Invocation, input: &str, deps: &[Dep]) -> String {
    let on_disk = deps.iter().filter(|dep| !dep.path.starts_with(EMBEDDED) && dep.path != STDIN_FILE);
    let on_disk: Vec<Dep> = on_disk.cloned().collect();
    let targets = match (cx.deps.targets.as_slice(), &cx.output) {
        // The output names what is made, unless it is this very rule.
        ([], Some(output)) if cx.mode != Mode::Dependencies => vec![quote(output)],
        ([], _) => vec![quote(&in_current_directory(input, "o"))],
        (targets, _) => targets.to_vec(),
    };
    pp::make_rule(&targets, &on_disk, cx.deps.user_only, cx.deps.phony)
}

/// `$` and blanks as make wants them in a target.
pub fn quote(target: &str) -> String {
    target.replace('$', "$$").replace(' ', "\\ ").replace('#', "\\#")
}
