//! Conformance cases of our own, for what the public suite has no test of.
//!
//! `suite/conformance/*.data` are in its format. Each is run interpreted, compiled without a proof,
//! verified and compiled, and in the kernel. The two verifiers must agree: a line `# kernel: ...`
//! in front says what the kernel refuses the program with. The plugin that runs cases for others is
//! tested as a program.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};
use skep_runtime::host::{Deterministic, Host};
use skep_runtime::kernel::Kernel;
use skep_runtime::verify;
use skep_runtime::vm::{Engine, Input, Vm};
use skep_stdlib::isa::Cpu;
use skep_tests::conformance::{self as cases, Case, Wanted};
use skep_tests::tools::{Need, have};
use skep_tests::{engines, root};

/// One trial for each case, and those of the plugin.
pub fn trials() -> Vec<Trial> {
    let folder = root().join("tests/suite/conformance");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "data"));
    files.sort();
    let trial = |path: std::path::PathBuf| {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Trial::test(format!("conformance::{stem}"), move || judge(&path).map_err(Failed::from))
    };
    let mut trials: Vec<Trial> = files.into_iter().map(trial).collect();
    trials.push(Trial::test("conformance::plugin", || plugin().map_err(Failed::from)));
    trials
}

fn judge(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let case = cases::parse(&text)?;
    let host = || -> Box<dyn Host> { Box::new(Deterministic::default()) };
    let image = cases::image(case.insns.clone());
    for vm in &mut Vm::every(&image, None, &host).map_err(|error| error.to_string())? {
        let input = Input { data: case.memory.clone(), ..Input::default() };
        let outcome = vm.run(0, &input).map_err(|error| error.to_string())?;
        expect(vm.name(), outcome.result.map_err(|fault| fault.to_string()), &case.wanted)?;
    }
    behind_verifiers(&case)
}

fn expect(engine: &str, found: Result<u64, String>, wanted: &Wanted) -> Result<(), String> {
    match (found, wanted) {
        (Ok(found), Wanted::Result(wanted)) if found == *wanted => Ok(()),
        (Err(found), Wanted::Fault(wanted)) if found.contains(wanted) => Ok(()),
        (Ok(found), _) => Err(format!("{engine}: {found:#x}, but {wanted:x?} was wanted")),
        (Err(found), _) => Err(format!("{engine}: {found}, but {wanted:x?} was wanted")),
    }
}

/// Our verifier and the kernel's, and what they accept in compiled code and in the kernel.
fn behind_verifiers(case: &Case) -> Result<(), String> {
    let image = cases::called(&case.insns, &case.memory)?;
    match (verify::verify(image.clone(), &verify::Options::default()), &case.refused) {
        (Ok(verified), None) => {
            let host = || -> Box<dyn Host> { Box::new(Deterministic::default()) };
            for vm in &mut Vm::every(&image, Some(verified), &host).map_err(|error| error.to_string())? {
                run_called(vm.name(), vm, case)?;
            }
        }
        (Err(_), Some(_)) => {}
        (Ok(_), Some(_)) => return Err("our verifier accepts what the kernel refuses".into()),
        (Err(reports), None) => {
            let said = reports.first().map(|report| report.cause.message());
            return Err(format!("our verifier: {}", said.unwrap_or_default()));
        }
    }
    if !have(&[Need::Kernel]) {
        return Ok(());
    }
    match (Kernel::load(&image), &case.refused) {
        (Ok(mut kernel), None) => run_called("kernel", &mut kernel, case),
        (Err(error), Some(why)) if error.log.contains(why) => Ok(()),
        (Ok(_), Some(_)) => Err("the kernel takes it now: it need not be marked".into()),
        (Err(error), _) => Err(error.to_string()),
    }
}

fn run_called(name: &str, engine: &mut dyn Engine, case: &Case) -> Result<(), String> {
    let input = Input { data: cases::with_room(&case.memory), ..Input::default() };
    let outcome = engine.run(0, &input).map_err(|error| error.to_string())?;
    let found = outcome.result.map_err(|fault| fault.to_string()).and_then(|_| {
        cases::result_in(&outcome.data, &case.memory).ok_or_else(|| "the result is missing".to_owned())
    });
    expect(name, found, &case.wanted)
}

/// What the plugin prints, or what it says on standard error.
fn ask(input: &str, arguments: &[&str]) -> Result<Result<String, String>, String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_skep-conformance"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        // A wrong argument is reported before anything is read.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    match output.status.code() {
        Some(0) => Ok(Ok(text(&output.stdout))),
        Some(1) if output.stdout.is_empty() => Ok(Err(text(&output.stderr))),
        _ => Err(format!("{}: {}", output.status, text(&output.stderr))),
    }
}

/// `r0 = *(u8 *)(r1 + 1); r0 += r2; exit`.
const SECOND_BYTE: &str = "71 10 01 00 00 00 00 00 0f 20 00 00 00 00 00 00 95 00 00 00 00 00 00 00";

/// Ways to ask, and what is said.
#[rustfmt::skip]
const ANSWERS: [(&str, &[&str], Result<&str, &str>); 14] = [
    (SECOND_BYTE, &["0a ff 0c"], Ok("102")),
    (SECOND_BYTE, &["0aff0c", "--jit"], Ok("102")),
    (SECOND_BYTE, &["0a ff 0c", "--interp"], Ok("102")),
    (SECOND_BYTE, &["--verify", "0a ff 0c"], Ok("102")),
    (SECOND_BYTE, &["--verify", "--interp", "0a ff 0c"], Ok("102")),
    (SECOND_BYTE, &["0a ff 0c", "0d"], Err("the memory is given twice")),
    (SECOND_BYTE, &["0x"], Err("the memory: `x` is not a hex digit")),
    (SECOND_BYTE, &["--fast"], Err("there is no option `--fast`")),
    (SECOND_BYTE, &["--interp"], Err("read of 1 bytes at")),
    ("79 00 00 00 00 00 00 00 95 00 00 00 00 00 00 00", &["--verify"], Err("refused by the verifier: slot 6: ")),
    ("", &[], Err("no instruction starts at slot 0")),
    ("95 00 00", &[], Err("instruction 0: ")),
    ("ff 00 00 00 00 00 00 00", &[], Err("instruction 0: ")),
    (SECOND_BYTE, &["--elf"], Err("ELF")),
];

fn plugin() -> Result<(), String> {
    for (input, arguments, wanted) in ANSWERS {
        let found = ask(input, arguments)?;
        let is_right = match (&found, wanted) {
            (Ok(found), Ok(wanted)) => found == wanted,
            (Err(found), Err(wanted)) => found.contains(wanted),
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        };
        if !is_right {
            return Err(format!("{arguments:?}: {found:?} instead of {wanted:?}"));
        }
    }
    let source = "__attribute__((section(\"xdp\"))) int f(unsigned char *memory) { return memory[1]; }";
    let object = engines::ours(source, Cpu::V4, 2).map_err(engines::Refusal::text)?;
    let object: String = object.iter().map(|byte| format!("{byte:02x} ")).collect();
    for mode in ["--jit", "--interp", "--verify"] {
        let found = ask(&object, &["--elf", mode, "0a ff 0c"])?;
        if found.as_deref() != Ok("ff") {
            return Err(format!("an object, {mode}: {found:?}"));
        }
    }
    Ok(())
}
