//! A plugin for runners of the public conformance suite: one program, its memory, its r0.
//!
//! In: on standard input the program as hexadecimal bytes (`--elf`: an object, of which the first program
//! counts); as the first argument without dashes the memory, in the same form. The program finds its
//! address in r1 and its length in r2. Out: r0 in hexadecimal; if there is none, what is wrong on
//! standard error, and exit code 1.
//!
//! Nothing is verified in front unless `--verify` is given: the interpreter (`--interp`) checks every
//! access, compiled code (`--jit`, the default) cannot leave the memory of its virtual machine.

use std::io::{Read, Write};
use std::process::ExitCode;

use skep_runtime::host::Deterministic;
use skep_runtime::object::LinkOptions;
use skep_runtime::verify::{self, Verified};
use skep_runtime::vm::{Engine, Input, Vm};
use skep_runtime::{Image, Object};
use skep_stdlib::ByteOrder;
use skep_stdlib::isa::{Insn, decode_program};
use skep_tests::conformance::{called, hex, image, result_in, with_room};

/// Most bytes of standard input that are read.
const INPUT_LIMIT: u64 = 64 << 20;

/// The command line.
#[derive(Default)]
struct Arguments {
    memory: Option<String>,
    elf: bool,
    interpret: bool,
    verify: bool,
}

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let result = parse(arguments).and_then(|arguments| run(&arguments));
    let written = match &result {
        Ok(value) => writeln!(std::io::stdout(), "{value:x}"),
        Err(error) => writeln!(std::io::stderr(), "skep-conformance: {error}"),
    };
    if result.is_ok() && written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments::default();
    for argument in arguments {
        match argument.as_str() {
            "--elf" => parsed.elf = true,
            "--interp" => parsed.interpret = true,
            "--jit" => parsed.interpret = false,
            "--verify" => parsed.verify = true,
            option if option.starts_with('-') => {
                return Err(format!(
                    "there is no option `{option}`: --elf, --interp, --jit and --verify are known"
                ));
            }
            _ if parsed.memory.is_none() => parsed.memory = Some(argument),
            _ => return Err("the memory is given twice".into()),
        }
    }
    Ok(parsed)
}

fn run(arguments: &Arguments) -> Result<u64, String> {
    let memory = arguments.memory.as_deref().unwrap_or_default();
    let memory = hex(memory).map_err(|error| format!("the memory: {error}"))?;
    let bytes = program_bytes()?;
    let image = if arguments.elf { linked(&bytes)? } else { image(decoded(&bytes)?) };
    if arguments.verify {
        return verified(&image, &memory, arguments.interpret);
    }
    let outcome = engine(Verified::unchecked(image), arguments.interpret)?
        .run(0, &Input { data: memory, ..Input::default() })
        .map_err(|error| error.to_string())?;
    outcome.result.map_err(|fault| fault.to_string())
}

fn program_bytes() -> Result<Vec<u8>, String> {
    let mut text = String::new();
    let read = std::io::stdin().take(INPUT_LIMIT + 1).read_to_string(&mut text);
    let length = read.map_err(|error| format!("the program cannot be read: {error}"))?;
    if length as u64 > INPUT_LIMIT {
        return Err(format!("the program: more than {INPUT_LIMIT} bytes of text"));
    }
    hex(&text).map_err(|error| format!("the program: {error}"))
}

fn decoded(bytes: &[u8]) -> Result<Vec<Insn>, String> {
    decode_program(bytes, ByteOrder::Little).map_err(|(slot, error)| format!("instruction {slot}: {error}"))
}

/// The first program of an object, with what it needs of the rest.
fn linked(bytes: &[u8]) -> Result<Image, String> {
    let object = Object::parse(bytes).map_err(|error| error.to_string())?;
    let mut linked = object.link(&LinkOptions::default()).map_err(|error| error.to_string())?;
    linked.programs.truncate(1);
    let Some(program) = linked.programs.first_mut() else {
        return Err("the object has no program: `.text` holds only what others call".into());
    };
    // Whatever its section says: its context is the memory.
    let plain = image([]).programs.into_iter().next();
    (program.ty, program.attach) =
        plain.map_or((program.ty, program.attach), |plain| (plain.ty, plain.attach));
    Ok(linked)
}

/// Runs a program that must be verified first. Verifiers know no length in r2, so a caller sets it.
fn verified(plain: &Image, memory: &[u8], interpret: bool) -> Result<u64, String> {
    let mut image = plain.clone();
    for (program, plain) in image.programs.iter_mut().zip(&plain.programs) {
        let insns: Vec<Insn> = plain.code.iter().map(|(_, insn)| *insn).collect();
        if let Some(caller) = called(&insns, memory)?.programs.pop() {
            *program = caller;
        }
    }
    let image = verify::verify(image, &verify::Options::default()).map_err(|reports| {
        let say = |report: &verify::Report| format!("slot {}: {}", report.slot, report.cause.message());
        format!("refused by the verifier: {}", reports.first().map_or_else(String::new, say))
    })?;
    let input = Input { data: with_room(memory), ..Input::default() };
    let outcome = engine(image, interpret)?.run(0, &input).map_err(|error| error.to_string())?;
    outcome.result.map_err(|fault| fault.to_string())?;
    result_in(&outcome.data, memory).ok_or_else(|| "the result is missing".into())
}

fn engine(image: Verified, interpret: bool) -> Result<Vm, String> {
    let host = Box::new(Deterministic::default());
    let vm = if interpret { Vm::new(image, host) } else { Vm::compiled(image, host) };
    vm.map_err(|error| error.to_string())
}
