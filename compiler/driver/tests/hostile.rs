//! Programs of sizes that nobody writes: each ends in a result or a clear error, and soon.

mod common;

use std::time::{Duration, Instant};

use common::Scratch;

/// How long one may take: what is promised for a build as it is shipped, and far more without the optimiser
/// on a machine that does other things.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 1 });

/// Name, text, and the code of the error; none if the program is fine.
type Case = (&'static str, String, &'static str);

fn cases() -> Vec<Case> {
    let nested = |open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(100_000), close.repeat(100_000))
    };
    let body = |text: String| format!("int f(int x) {{ {text} }}\n");
    let bomb = |first: &str, call: &str| {
        let line = |i: usize| format!("#define M{i}{first} {}\n", format!("M{}{call} ", i - 1).repeat(10));
        format!("#define M0{first} x x x x x x x x x x\n{}", (1..12).map(line).collect::<String>())
    };
    let million = vec!["1"; 1_000_000].join(",");
    let case = |i: usize| format!("case {i}: return {};\n", i * 7919 % 10007);
    vec![
        ("a line of 10 MB", format!("int x = {}1;\n", "1+".repeat(5_000_000)), "E0104"),
        ("a name of 10 MB", format!("int {};\n", "a".repeat(10_000_000)), ""),
        ("a string of 10 MB", format!("char x[] = \"{}\";\n", "a".repeat(10_000_000)), ""),
        ("a comment of 10 MB", format!("/*{}*/ int x;\n", "*".repeat(10_000_000)), ""),
        ("blanks", format!("int x;{}\n", " ".repeat(10_000_000)), ""),
        ("empty declarations", format!("{}\n", ";".repeat(1_700_000)), ""),
        ("parentheses", format!("int x = {};\n", nested("(", "1", ")")), "E0104"),
        ("braces", format!("int f(void) {}\n", nested("{", "", "}")), "E0104"),
        ("brackets", format!("int x{};\n", nested("[", "", "]")), "E0100"),
        ("structs", format!("{}\n", nested("struct {", "int x;", "} y;")), "E0104"),
        ("calls", body(format!("return {};", nested("f(", "x", ")"))), "E0104"),
        ("ifs", body(format!("{} return 1; return 0;", "if (x) ".repeat(100_000))), "E0104"),
        ("elses", body(format!("{} return 1; return 0;", "if (x) x++; else ".repeat(100_000))), "E0104"),
        ("operators", body(format!("return {}x;", "!".repeat(100_000))), "E0104"),
        ("choices", body(format!("return {}0;", "x ? 1 : ".repeat(100_000))), "E0104"),
        ("pointers", format!("int {}x;\n", "*".repeat(100_000)), "E0104"),
        ("conditionals", format!("{}int x;\n{}", "#if 1\n".repeat(100_000), "#endif\n".repeat(100_000)), ""),
        ("a file that includes itself", "#include \"p.c\"\n".into(), "E0022"),
        ("and twice", "#include \"p.c\"\n#include \"p.c\"\n".into(), "E0022"),
        ("a macro bomb", bomb("", "") + "int M11;\n", "E0017"),
        ("a bomb of calls", bomb("(x)", "(x x)") + "int M11(y);\n", "E0017"),
        ("a million arguments", format!("#define M(...) #__VA_ARGS__\nchar *s = M({million});\n"), ""),
        ("a million of them unused", format!("#define M(x, ...) x\nint s = M({million});\n"), ""),
        ("two million elements", format!("int x[] = {{{million},{million}}};\n"), "E0112"),
        (
            "a switch of 20,000 cases",
            body(format!("switch (x) {{ {} }} return 0;", (0..20_000).map(case).collect::<String>())),
            "E0400",
        ),
        ("closing brackets", ") ] } ".repeat(500_000), "E0103"),
        ("the same error again and again", "int x = y;\n".repeat(100_000), "E0208"),
    ]
}

#[test]
fn hostile_sizes_end_soon() {
    let place = Scratch::new(&[]);
    let mut wrong = Vec::new();
    for (name, text, code) in cases() {
        std::fs::write(place.0.join("p.c"), text).expect("writable");
        let start = Instant::now();
        let done = place.skep(&["cc", "-O2", "-g", "-target", "bpf", "-c", "p.c", "-o", "p.o"]);
        let time = start.elapsed();
        let fine = match code {
            "" => done.code == Some(0),
            code => done.code == Some(1) && done.err.contains(&format!("error[{code}]")),
        };
        if !fine || time > LIMIT || done.err.len() > 100_000 {
            let said: String = done.err.chars().take(200).collect();
            wrong.push(format!("{name}: {:?} after {time:?}, {} bytes: {said}", done.code, done.err.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
