//! The compiler against native compilers: the same C functions run on the machine, in the IR
//! interpreter (as lowered and as optimised) and as BPF code in our virtual machine, with the same
//! arguments, and must yield the same numbers.
//!
//! Every function `u64 NAME(u64 a, u64 b)` of a file is called. The files in `suite/lower` hold
//! what a person thinks of; the random programs hold the rest.

use std::path::PathBuf;

use skep_compiler::ir::interp::{Interp, NoHost, Options, Uninit};
use skep_compiler::ir::{self, Module, SymbolKind, verify};
use skep_compiler::{lower, opt, sema};
use skep_runtime::host::Deterministic;
use skep_runtime::object::LinkOptions;
use skep_runtime::{Engine, Input, Object, Verified, Vm};
use skep_stdlib::isa::Cpu;
use skep_syntax::diag::Style;
use skep_syntax::pp::MemoryFiles;
use skep_syntax::{Session, parse, pp};
use skep_tests::engines;
use skep_tests::family::entries;
use skep_tests::generate::program;
use skep_tests::native;
use skep_tests::tools::{CLANG, Need, check};

/// Calls of each function.
const CALLS: usize = 24;

/// The arguments of every function.
fn arguments() -> Vec<(u64, u64)> {
    native::arguments(CALLS)
}

/// The IR of a C text.
fn compile(name: &str, text: &str) -> Result<Module, String> {
    let mut files = MemoryFiles::new();
    files.add(name, text);
    let mut session = Session::new(&files, Default::default());
    let tokens = pp::preprocess(&mut session, name);
    let unit = parse::unit(&mut session, &tokens);
    let program = sema::analyze(&unit, &mut session);
    if session.diags.has_errors() {
        return Err(session.render(Style::default()));
    }
    let module = lower::lower(&program, &session.names, lower::Options::default());
    verify::verify_module(&module, verify::Options { locs: true }).map_err(|broken| broken.to_string())?;
    Ok(module)
}

/// What our IR yields, in the order of `native`.
fn interpret(module: &Module, names: &[String], uninit: Uninit) -> Result<Vec<u64>, String> {
    let symbols: Vec<_> = names
        .iter()
        .map(|name| {
            let found = |(_, symbol): &(_, &ir::Symbol)| {
                symbol.name == *name && matches!(symbol.kind, SymbolKind::Func(_))
            };
            module.symbols.iter().find(found).map(|(id, _)| id).ok_or_else(|| format!("`{name}` is missing"))
        })
        .collect::<Result<_, _>>()?;
    let options = Options { budget: 50_000_000, uninit, ..Options::default() };
    let mut interp = Interp::new(module, options).map_err(|fault| fault.to_string())?;
    let mut results = Vec::new();
    for (&symbol, name) in symbols.iter().zip(names) {
        for (a, b) in arguments() {
            let result = interp.call(&mut NoHost, symbol, &[a, b]);
            let result = result.map_err(|fault| format!("{name}({a:#x}, {b:#x}): {fault}"))?;
            results.push(result.ok_or_else(|| format!("`{name}` yields nothing"))?);
        }
    }
    Ok(results)
}

/// The first difference, as a message.
fn difference(names: &[String], ours: &[u64], theirs: &[u64]) -> Option<String> {
    let at = ours.iter().zip(theirs).position(|(a, b)| a != b)?;
    let (a, b) = arguments()[at % CALLS];
    let name = &names[at / CALLS];
    Some(format!("{name}({a:#x}, {b:#x}) = {:#x}, natively {:#x}", ours[at], theirs[at]))
}

/// Compares all functions of a text, as lowered and as optimised; yields the right results.
fn compare(name: &str, text: &str) -> Result<Vec<u64>, String> {
    let names = entries(text);
    assert!(!names.is_empty(), "{name} defines functions");
    let copy = scratch().join(name);
    std::fs::write(&copy, text).expect("the directory can be written to");
    let theirs = native::run(CLANG, &["-O1"], &copy, &names, &arguments())?;
    let mut module = compile(name, text)?;
    check_results(name, &module, &names, &theirs)?;
    let options = opt::Options { check: true, ..opt::Options::default() };
    opt::run(&mut module, &options, &mut |_, _, _| {});
    check_results(&format!("{name}, optimised"), &module, &names, &theirs)?;
    Ok(theirs)
}

/// The results do not depend on what is in the stack.
fn check_results(name: &str, module: &Module, names: &[String], theirs: &[u64]) -> Result<(), String> {
    for byte in [0, 0xa5] {
        let ours =
            interpret(module, names, Uninit::Byte(byte)).map_err(|fault| format!("{name}: {fault}"))?;
        if let Some(difference) = difference(names, &ours, theirs) {
            return Err(format!("{name}: {difference}"));
        }
    }
    Ok(())
}

fn scratch() -> PathBuf {
    let directory = skep_tests::root().join("target/native-tests");
    std::fs::create_dir_all(&directory).expect("the target directory can be written to");
    directory
}

/// What calls a function in a program: its arguments and its result lie in the packet.
const ENTRY: &str = "
struct xdp_md { u32 data, data_end; };
__attribute__((section(\"xdp\"), used)) int entry(struct xdp_md *ctx)
{
\tu64 *packet = (void *)(long)ctx->data;
\tif ((void *)(packet + 3) > (void *)(long)ctx->data_end)
\t\treturn 0;
\tpacket[2] = FUNCTION(packet[0], packet[1]);
\treturn 2;
}
";

/// What our machine code of one function yields; `None` when it does not fit the machine.
fn machine(name: &str, text: &str, cpu: Cpu) -> Result<Option<Vec<u64>>, String> {
    let mut files = MemoryFiles::new();
    files.add("x.c", format!("{text}{}", ENTRY.replace("FUNCTION", name)));
    let mut session = Session::new(&files, Default::default());
    let options = skep_compiler::Options { cpu, check: true, ..Default::default() };
    let Ok(compiled) = skep_compiler::compile(&mut session, "x.c", &options, &mut |_, _| {}) else {
        return if engines::is_limit(&session) { Ok(None) } else { Err(session.render(Style::default())) };
    };
    let object = Object::parse(&compiled.object).map_err(|error| error.to_string())?;
    let image = object.link(&LinkOptions::default()).map_err(|error| error.to_string())?;
    let host = Box::new(Deterministic::default());
    let mut vm = Vm::new(Verified::unchecked(image), host).map_err(|error| error.to_string())?;
    let program = vm.program("entry").ok_or("`entry` is missing")?;
    let mut results = Vec::new();
    for (a, b) in arguments() {
        let data = [a, b, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
        let outcome =
            vm.run(program, &Input { data, ..Input::default() }).map_err(|error| error.to_string())?;
        if outcome.result != Ok(2) {
            return Err(format!("{name}({a:#x}, {b:#x}): {:?}", outcome.result));
        }
        let word = outcome.data.get(16..24).and_then(|bytes| bytes.try_into().ok());
        results.push(u64::from_le_bytes(word.ok_or("the packet is too short")?));
    }
    Ok(Some(results))
}

/// Compares the machine code of one function at one version of the instruction set; says whether
/// there was any.
fn compare_machine(name: &str, text: &str, theirs: &[u64], cpu: Cpu) -> Result<bool, String> {
    let found = machine(name, text, cpu).map_err(|error| format!("{name} at {cpu:?}: {error}"))?;
    let Some(ours) = found else { return Ok(false) };
    match difference(&[name.to_string()], &ours, theirs) {
        Some(difference) => Err(format!("at {cpu:?}: {difference}")),
        None => Ok(true),
    }
}

/// The results of one function among those of all.
fn results_of(names: &[String], name: &str, results: &[u64]) -> Vec<u64> {
    let at = names.iter().position(|n| n == name).unwrap_or(0);
    results[at * CALLS..(at + 1) * CALLS].to_vec()
}

/// What the machine cannot do, and the IR interpreter can.
const BEYOND: &str = "beyond.c";

const CPUS: [Cpu; 4] = [Cpu::V1, Cpu::V2, Cpu::V3, Cpu::V4];

#[test]
fn files_agree_with_native_code() {
    if check(&[Need::Clang]).is_err() {
        return;
    }
    let mut failures = Vec::new();
    for file in ["control.c", "memory.c", "values.c", BEYOND] {
        let path = skep_tests::root().join("tests/suite/lower").join(file);
        let text = std::fs::read_to_string(path).expect("the source can be read");
        let theirs = match compare(file, &text) {
            Ok(theirs) => theirs,
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        let names = entries(&text);
        for name in names.iter().filter(|_| file != BEYOND) {
            let right = results_of(&names, name, &theirs);
            match compare_machine(name, &text, &right, Cpu::V4) {
                Ok(compiled) => assert!(compiled, "{name} exceeds a limit"),
                Err(failure) => failures.push(failure),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn random_programs_agree_with_native_code() {
    if check(&[Need::Clang]).is_err() {
        return;
    }
    // Many functions in one file: starting the native compiler is the expensive part. The range of
    // seeds can be moved: `SEEDS=1000..2000`.
    let range = std::env::var("SEEDS").unwrap_or_else(|_| "0..80".to_string());
    let (from, to) = range.split_once("..").expect("`SEEDS` is a range");
    let (from, to) = (from.parse::<u64>().expect("a number"), to.parse::<u64>().expect("a number"));
    let mut failures = Vec::new();
    let (mut compiled, mut tried) = (0, 0);
    for first in (from..to).step_by(40) {
        let programs: Vec<(String, u64)> =
            (first..to.min(first + 40)).map(|seed| (format!("p{seed}"), seed)).collect();
        let mut text = program::PREAMBLE.to_string();
        for (name, seed) in &programs {
            text += &program::function(name, *seed);
        }
        let theirs = match compare(&format!("random{first}.c"), &text) {
            Ok(theirs) => theirs,
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        let names = entries(&text);
        for (name, seed) in &programs {
            let text = format!("{}{}", program::PREAMBLE, program::function(name, *seed));
            let theirs = results_of(&names, name, &theirs);
            tried += 1;
            match compare_machine(name, &text, &theirs, CPUS[*seed as usize % 4]) {
                Ok(true) => compiled += 1,
                Ok(false) => {}
                Err(failure) => failures.push(failure),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(compiled * 2 > tried, "only {compiled} of {tried} programs became machine code");
}
