//! Functions `u64 NAME(u64 a, u64 b)` as BPF programs, compiled by either compiler and called in
//! any engine.
//!
//! The context of a program holds the arguments and takes the result, so a program is of type
//! `syscall`: the kernel runs that too.

use std::path::Path;
use std::process::Command;

use skep_compiler::{Options, compile};
use skep_runtime::host::{Deterministic, Host};
use skep_runtime::object::LinkOptions;
use skep_runtime::verify::{self, Verified};
use skep_runtime::vm::{Engine, Input, Vm};
use skep_runtime::{Image, Object};
use skep_stdlib::isa::Cpu;
use skep_syntax::Session;
use skep_syntax::diag::{Severity, Style, codes};
use skep_syntax::pp::MemoryFiles;
use skep_test_tools::CLANG;

use crate::native;

/// What programs need besides the functions.
const ENTRY: &str = "
struct call { u64 a, b, result; };
#define ENTRY(name) \\
\t__attribute__((section(\"syscall\"), used)) int test_##name(struct call *call) \\
\t{ call->result = name(call->a, call->b); return 0; }
char _license[] __attribute__((section(\"license\"), used)) = \"GPL\";
";

/// C with a program around each of the functions.
pub fn programs(text: &str, names: &[String]) -> String {
    let entries: String = names.iter().map(|name| format!("ENTRY({name})\n")).collect();
    format!("{text}{ENTRY}{entries}")
}

/// The name of the program around a function.
pub fn program_of(function: &str) -> String {
    format!("test_{function}")
}

/// Why there is no object.
#[derive(Debug)]
pub enum Refusal {
    /// The program does not fit the machine: its stack, the registers of a call.
    Limit(String),
    /// Anything else.
    Error(String),
}

impl Refusal {
    /// What was said.
    pub fn text(self) -> String {
        match self {
            Refusal::Limit(text) | Refusal::Error(text) => text,
        }
    }
}

/// Our object.
pub fn ours(text: &str, cpu: Cpu, level: u8) -> Result<Vec<u8>, Refusal> {
    let mut files = MemoryFiles::new();
    files.add("case.bpf.c", text);
    let mut cx = Session::new(&files, Default::default());
    let options = Options { cpu, level, ..Options::default() };
    match compile(&mut cx, "case.bpf.c", &options, &mut |_, _| {}) {
        Ok(compiled) => Ok(compiled.object),
        Err(_) => {
            let said = cx.render(Style::default());
            Err(if is_limit(&cx) { Refusal::Limit(said) } else { Refusal::Error(said) })
        }
    }
}

/// Is all that is wrong with a program that it does not fit the machine?
pub fn is_limit(cx: &Session<'_>) -> bool {
    let mut errors = cx.diags.iter().filter(|diag| diag.severity == Severity::Error);
    errors.all(|diag| diag.code.id == codes::LIMIT.id)
}

/// clang's object, written beside the source.
pub fn clang(source: &Path) -> Result<Vec<u8>, String> {
    let object = source.with_extension("o");
    let mut command = Command::new(CLANG);
    command.args(native::FLAGS).args(["-O2", "-target", "bpf", "-mcpu=v4", "-c"]);
    native::execute(command.arg(source).arg("-o").arg(&object))?;
    std::fs::read(object).map_err(|error| error.to_string())
}

/// An object of which everything is resolved.
pub fn link(object: &[u8]) -> Result<Image, String> {
    let object = Object::parse(object).map_err(|error| error.to_string())?;
    object.link(&LinkOptions::default()).map_err(|error| error.to_string())
}

/// The results of each function.
pub type Results = Vec<Result<Vec<u64>, String>>;

/// The results of functions in our virtual machine: the same from all of its engines, with and without a
/// proof.
pub fn interpret(image: Image, names: &[String], arguments: &[(u64, u64)]) -> Result<Results, String> {
    let host = || -> Box<dyn Host> { Box::new(Deterministic::default()) };
    let plain = image.clone();
    let mut vms = Vm::every(&plain, Some(provable(image)), &host).map_err(|error| error.to_string())?;
    let run = |name: &String| {
        let mut results = vms.iter_mut().filter_map(|vm| {
            let program = vm.program(&program_of(name))?;
            Some((vm.name(), calls(vm, program, arguments)))
        });
        let (_, first) = results.next().ok_or("its program is missing")?;
        match results.find(|(_, result)| *result != first) {
            Some((engine, other)) => Err(format!("{engine}: {other:?}, interpreted {first:?}")),
            None => first,
        }
    };
    Ok(names.iter().map(run).collect())
}

/// The image without the programs that are not verified.
fn provable(mut image: Image) -> Verified {
    let options = verify::Options::default();
    match verify::verify(image.clone(), &options) {
        Ok(verified) => verified,
        Err(reports) => {
            let mut index = 0;
            image.programs.retain(|_| {
                index += 1;
                reports.iter().all(|report| report.program != index - 1)
            });
            verify::verify(image, &options).expect("what is left was verified")
        }
    }
}

/// The results of one program, called with each pair of arguments.
pub fn calls(engine: &mut dyn Engine, program: usize, arguments: &[(u64, u64)]) -> Result<Vec<u64>, String> {
    let call = |&(a, b): &(u64, u64)| {
        let data = [a, b, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
        let input = Input { data, list_maps: false, ..Input::default() };
        let outcome = engine.run(program, &input).map_err(|error| error.to_string())?;
        if outcome.result != Ok(0) {
            return Err(format!("({a:#x}, {b:#x}): {:?}", outcome.result));
        }
        let word = outcome.data.get(16..24).and_then(|bytes| bytes.try_into().ok());
        word.map(u64::from_le_bytes).ok_or_else(|| "the context is too short".to_string())
    };
    arguments.iter().map(call).collect()
}

/// The first difference.
pub fn against(
    found: Result<Vec<u64>, String>,
    wanted: &[u64],
    arguments: &[(u64, u64)],
) -> Result<(), String> {
    let found = found?;
    match found.iter().zip(wanted).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(at) => {
            let (a, b) = arguments[at];
            Err(format!("({a:#x}, {b:#x}) = {:#x}, natively {:#x}", found[at], wanted[at]))
        }
    }
}
