//! C functions run on this machine: the judge of what C means.
//!
//! In: a C file and the names of functions `u64 NAME(u64 a, u64 b)` in it. Out: their results.
//! Signed arithmetic wraps and memory has no types, as in the kernel's own C.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::generate::Random;

/// The dialect in which clang means the same natively and for BPF.
pub const FLAGS: [&str; 4] = ["-w", "-fwrapv", "-fno-strict-aliasing", "-std=gnu17"];

/// Pairs of arguments: small ones first, then numbers at the edges of types.
pub fn arguments(count: usize) -> Vec<(u64, u64)> {
    let mut random = Random::new(1);
    let mut arguments = vec![(0, 0), (1, 0), (0, 1), (u64::MAX, u64::MAX), (7, 3), (1 << 63, 1)];
    while arguments.len() < count {
        arguments.push((random.interesting(), random.interesting()));
    }
    arguments.truncate(count);
    arguments
}

/// What the functions of a file yield: the results of each function are neighbours.
pub fn run(
    compiler: &str,
    flags: &[&str],
    source: &Path,
    names: &[String],
    arguments: &[(u64, u64)],
) -> Result<Vec<u64>, String> {
    let binary = source.with_extension("out");
    let main = source.with_extension("main.c");
    std::fs::write(&main, main_of(names, arguments)).map_err(|error| error.to_string())?;
    execute(
        Command::new(compiler).args(FLAGS).args(flags).arg("-o").arg(&binary).args([source, main.as_path()]),
    )?;
    let output = execute(&mut Command::new(&binary))?;
    let results: Vec<u64> = output.lines().filter_map(|line| line.parse().ok()).collect();
    let expected = names.len() * arguments.len();
    if results.len() == expected { Ok(results) } else { Err(format!("{expected} results, not:\n{output}")) }
}

fn main_of(names: &[String], arguments: &[(u64, u64)]) -> String {
    let mut text = String::from("#include <stdio.h>\ntypedef unsigned long long u64;\n");
    for name in names {
        let _ = writeln!(text, "u64 {name}(u64, u64);");
    }
    text += "static u64 (*const functions[])(u64, u64) = {\n";
    for name in names {
        let _ = writeln!(text, "\t{name},");
    }
    text += "};\nstatic const u64 arguments[][2] = {\n";
    for (a, b) in arguments {
        let _ = writeln!(text, "\t{{ {a}ull, {b}ull }},");
    }
    let (functions, calls) = (names.len(), arguments.len());
    let _ = writeln!(text, "}};\nint main(void)\n{{\n\tfor (int f = 0; f < {functions}; f++)");
    let _ = writeln!(text, "\t\tfor (int i = 0; i < {calls}; i++)");
    text += "\t\t\tprintf(\"%llu\\n\", functions[f](arguments[i][0], arguments[i][1]));\n\treturn 0;\n}\n";
    text
}

/// Runs a command to its successful end; yields what it prints.
pub fn execute(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = errors.lines().take(20).collect();
    Err(format!("{}\n{}", command.get_program().to_string_lossy(), lines.join("\n")))
}
