//! How compile time grows with the program: `cargo bench -p skep-tests --bench growth`.
//!
//! For generated programs of one function each, in several shapes, and for many small functions: slots of 8
//! bytes, microseconds of CPU for each slot of the optimiser and the code generator, and the exponent of their
//! growth since the size before (1 is proportional; 1.1 and a little noise is n log n); for the largest size the
//! same of each pass that takes most. `SKEP_SIZES=10000,1000000` names other sizes, in instructions, roughly.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use object::read::elf::ElfFile64;
use object::{Endianness, Object as _, ObjectSymbol as _, SymbolKind};
use skep_tests::bench::{binary, report};
use skep_tests::tools::random::Random;

/// Sizes that are measured unless others are named.
const SIZES: [usize; 3] = [3_000, 10_000, 100_000];

/// Passes that are listed for each shape.
const PASSES: usize = 8;

/// What is not the optimiser or the code generator.
const OTHERS: [&str; 4] = ["front end", "lower", "btf", "object"];

/// Statements of a few instructions; how many, roughly. They may use `x`, `y`, `z`, `a`, `b`, `random` and `now`.
type Statement = fn(&mut Random, usize) -> (String, usize);

/// What a program consists of.
const SHAPES: &[(&str, Statement)] = &[
    ("branches", branch),
    ("loops", a_loop),
    ("calls", call),
    ("jumps", jump),
    ("nested", nested),
    ("switches", switch),
];

fn branch(r: &mut Random, _: usize) -> (String, usize) {
    let (bit, k, n) = (1u64 << r.below(20), r.below(8), r.below(9) * 1000);
    match r.below(5) {
        0 => (format!("x = x * {} + c->p;", k + 3), 4),
        1 => (format!("if (x & {bit}) a[{k}] += y; else z ^= {k};"), 7),
        2 => (format!("if (y > {n}) {{ z += x; b[{k}]++; }}"), 7),
        3 => (format!("b[{k}] = y >> {k};"), 4),
        _ => (format!("y += a[{k}] ^ z;"), 4),
    }
}

fn a_loop(r: &mut Random, _: usize) -> (String, usize) {
    let (n, bit) = (20 + r.below(40), 1u64 << r.below(30));
    match r.below(4) {
        0 => (format!("for (u32 i = 0; i < {n}; i++) {{ x += a[i] ^ y; if (x & {bit}) y++; }}"), 12),
        1 => {
            let inner = format!("for (u32 j = 0; j < {n}; j++) {{ y += b[j] * i; if (y > {bit}) break; }}");
            (format!("for (u32 i = 0; i < (z & 31); i++) {{ {inner} }}"), 18)
        }
        2 => {
            let body = "if (x & 1) { a[i] = y; continue; } z += random();";
            (format!("for (u32 i = 0; i < {n}; i++) {{ {body} }}"), 14)
        }
        _ => (format!("if (z > {n}) {{ x -= y; z ^= x; }}"), 5),
    }
}

fn call(r: &mut Random, _: usize) -> (String, usize) {
    let k = r.below(64);
    match r.below(3) {
        0 => ("x += random();".into(), 2),
        1 => (format!("if (random() == {k}) {{ y += now(); a[{k}] = y; }}"), 8),
        _ => (format!("z ^= x + {k}; a[{k}] += z;"), 6),
    }
}

fn jump(r: &mut Random, number: usize) -> (String, usize) {
    let out = if number % 50 == 49 { "if (z == 7) goto out;" } else { "" };
    let bit = 1u64 << r.below(20);
    (format!("x += {number}; if (x & {bit}) goto l{number}; y ^= x; l{number}: z += y; {out}"), 5)
}

fn nested(r: &mut Random, _: usize) -> (String, usize) {
    let depth = 20 + r.below(100);
    let open: String = (0..depth).map(|n| format!("if (x > {n}) {{ x -= y; a[{}] = x; ", n % 64)).collect();
    (format!("{open} z += x; {}", "}".repeat(depth)), 4 * depth)
}

fn switch(r: &mut Random, _: usize) -> (String, usize) {
    let mut case = |n: usize| format!("case {}: y += {n}; x ^= a[{n}]; break; ", 25 * n + r.below(25));
    let cases: String = (0..40).map(&mut case).collect();
    (format!("switch (x & 1023) {{ {cases} default: z++; }}"), 280)
}

/// What comes before the functions.
const START: &str = "typedef unsigned long long u64; typedef unsigned int u32;\nstruct c { u32 p, q, r; };\n\
    u64 a[64]; u32 b[64];\nstatic u32 (*random)(void) = (void *)7; static u64 (*now)(void) = (void *)5;\n";

/// A function of about so many instructions.
fn function(text: &mut String, name: usize, statement: Statement, size: usize, r: &mut Random) {
    let _ = writeln!(text, "__attribute__((section(\"socket\"))) int f{name}(struct c *c)\n{{");
    text.push_str("\tu64 x = c->p, y = c->q, z = c->r;\n");
    let (mut left, mut number) = (size, 0);
    while left > 0 {
        let (statement, instructions) = statement(r, number);
        let _ = writeln!(text, "\t{statement}");
        left = left.saturating_sub(instructions);
        number += 1;
    }
    text.push_str("out:\n\treturn x + y + z;\n}\n");
}

/// What compiling took.
struct Cost {
    slots: u64,
    /// Microseconds of each part.
    parts: BTreeMap<String, f64>,
}

impl Cost {
    /// Of the optimiser and the code generator.
    fn back(&self) -> f64 {
        self.parts.iter().filter(|(name, _)| !OTHERS.contains(&name.as_str())).map(|(_, time)| time).sum()
    }
}

fn main() {
    let sizes = std::env::var("SKEP_SIZES").unwrap_or_default();
    let named: Vec<usize> = sizes.split(',').filter_map(|size| size.parse().ok()).collect();
    let sizes = if named.is_empty() { SIZES.to_vec() } else { named };
    let skep = binary();
    let scratch = std::env::temp_dir().join(format!("skep-growth-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a scratch directory");
    for &(name, statement) in SHAPES {
        let program = |size: usize| {
            let (mut text, mut random) = (START.to_string(), Random::new(7));
            function(&mut text, 0, statement, size, &mut random);
            text
        };
        measure(&skep, &scratch, name, &sizes, &program);
    }
    let small = |size: usize| {
        let (mut text, mut random) = (START.to_string(), Random::new(7));
        for number in 0..size / 200 {
            let (_, statement) = SHAPES[number % 3];
            function(&mut text, number, statement, 200, &mut random);
        }
        text
    };
    measure(&skep, &scratch, "small functions", &sizes, &small);
    // The scratch directory is below the system's temporary one; leaving it behind is no failure.
    let _ = std::fs::remove_dir_all(scratch);
}

/// Compiles the programs of all sizes, and reports.
fn measure(skep: &Path, scratch: &Path, name: &str, sizes: &[usize], program: &dyn Fn(usize) -> String) {
    let mut costs: Vec<Cost> = Vec::new();
    for &size in sizes {
        let (source, object) = (scratch.join("growth.c"), scratch.join("growth.o"));
        std::fs::write(&source, program(size)).expect("the source is written");
        let Some(cost) = cost(skep, &source, &object) else {
            report(&format!("{name}, {size}: not compiled"));
            continue;
        };
        let each = cost.back() / cost.slots as f64;
        let grown = costs
            .last()
            .map(|before| format!("; exponent {:.2}", exponent(before, &cost, (before.back(), cost.back()))));
        report(&format!("{name}: {} slots, {each:.2} us for each{}", cost.slots, grown.unwrap_or_default()));
        costs.push(cost);
    }
    let Some((last, earlier)) = costs.split_last() else { return };
    let mut parts: Vec<(&String, &f64)> = last.parts.iter().collect();
    parts.sort_by(|a, b| b.1.total_cmp(a.1));
    for (part, &time) in parts.into_iter().take(PASSES) {
        let before = earlier.last().and_then(|before| Some((before, *before.parts.get(part)?)));
        let grown = before.map(|(before, least)| format!("{:5.2}", exponent(before, last, (least, time))));
        let each = time / last.slots as f64;
        report(&format!("    {part:12} {each:7.3} us for each slot; exponent {}", grown.unwrap_or_default()));
    }
}

/// How time grows with size.
fn exponent(before: &Cost, after: &Cost, (least, most): (f64, f64)) -> f64 {
    (most / least).ln() / (after.slots as f64 / before.slots as f64).ln()
}

/// Compiles a file. The times that the compiler reports are scaled to the CPU time that it took.
fn cost(skep: &Path, source: &Path, object: &Path) -> Option<Cost> {
    let before = cpu_time();
    let args = ["cc", "-ftime-report", "-target", "bpf", "-mcpu=v4", "-O2", "-w", "-c"];
    let run = Command::new(skep).args(args).arg(source).arg("-o").arg(object).output().ok()?;
    let spent = cpu_time() - before;
    if !run.status.success() {
        return None;
    }
    let mut parts = BTreeMap::new();
    for line in String::from_utf8_lossy(&run.stderr).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [time, _, runs, name @ ..] = &words[..]
            && let (Some(time), Ok(_)) = (time.strip_suffix("ms"), runs.parse::<u64>())
        {
            parts.insert(name.join(" "), time.parse::<f64>().ok()?);
        }
    }
    let total: f64 = parts.values().sum();
    parts.values_mut().for_each(|time| *time *= spent / total);
    Some(Cost { slots: slots(&std::fs::read(object).ok()?)?, parts })
}

/// Microseconds of CPU of all children so far.
fn cpu_time() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system says what was used");
    usage.user_time().num_microseconds() as f64
}

/// Units of 8 bytes of all functions.
fn slots(file: &[u8]) -> Option<u64> {
    let file = ElfFile64::<Endianness>::parse(file).ok()?;
    let functions = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text);
    Some(functions.map(|symbol| symbol.size() / 8).sum())
}
