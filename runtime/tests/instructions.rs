//! Interpreter and compiled code against other people's tests of the instruction set.
//!
//! - The public bpf_conformance cases: assembly, memory, expected r0. What our verifier takes of them is
//!   what the kernel takes.
//! - The kernel's table of instruction tests, as the kernel ran them.

mod common;

use std::path::Path;

use common::{oracles, vm};
use skep_runtime::Image;
use skep_runtime::kernel::Kernel;
use skep_runtime::object::Code;
use skep_runtime::verify::{Options, verify};
use skep_runtime::vm::{Engine, Input, Outcome};
use skep_stdlib::ByteOrder;
use skep_stdlib::isa::{Insn, asm, decode_program, mnemonic};

fn run(section: &str, insns: Vec<Insn>, data: Vec<u8>) -> Outcome {
    let image = Image::bare(section, Code::new(insns)).unwrap();
    vm(image).run(0, &Input { data, ..Input::default() }).unwrap()
}

/// The text of a section `-- NAME`.
fn section(text: &str, name: &str) -> Option<String> {
    let mut found = None;
    let mut inside = false;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("-- ") {
            inside = title.trim() == name;
            if inside {
                found = Some(String::new());
            }
        } else if let (true, Some(found)) = (inside, &mut found) {
            found.push_str(line);
            found.push('\n');
        }
    }
    found
}

/// The dialect's `exit` is also a label: that of the last `exit`.
fn label_exit(asm: &str) -> String {
    let mut lines: Vec<&str> = asm.lines().collect();
    let is_exit = |line: &&str| line.split('#').next().unwrap_or_default().trim() == "exit";
    if let Some(last) = lines.iter().rposition(is_exit) {
        lines.insert(last, "exit:");
    }
    lines.join("\n")
}

/// Runs a case in all engines. Says whether verifiers take it too.
fn conform(path: &Path) -> Result<bool, String> {
    let text = std::fs::read_to_string(path).unwrap();
    let insns = mnemonic::assemble(&label_exit(&section(&text, "asm").unwrap()))
        .map_err(|error| format!("{error:?}"))?;
    let memory: Vec<u8> = section(&text, "mem")
        .unwrap_or_default()
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or_default().split_whitespace())
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    let wanted = section(&text, "result").unwrap();
    let wanted = wanted.lines().next().unwrap().trim();
    let wanted = match wanted.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
        None => wanted.parse().unwrap(),
    };
    match run("syscall", insns.clone(), memory.clone()).result {
        Ok(result) if result == wanted => behind_verifiers(&insns, memory, wanted),
        Ok(result) => Err(format!("{result:#x} instead of {wanted:#x}")),
        Err(fault) => Err(fault.to_string()),
    }
}

/// The same as a function that is called with a packet that has the memory's bytes, and whose result is stored
/// behind them: what may be misaligned must not be in the stack. Do both verifiers take it? If so, all engines
/// and the kernel must find the result.
fn behind_verifiers(insns: &[Insn], mut memory: Vec<u8>, wanted: u64) -> Result<bool, String> {
    let (length, place) = (memory.len(), memory.len().next_multiple_of(8));
    // The kernel has no shorter ones than an Ethernet header.
    memory.resize((place + 8).max(16), 0);
    let caller = format!(
        "r6 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r2 = r6; r2 += {}; if r2 > r3 goto out; r1 = r6; \
         r2 = {length}; call pc+3; *(u64 *)(r6 + {place}) = r0; out: r0 = 0; exit",
        memory.len()
    );
    let caller = asm::assemble(&caller).unwrap();
    let image = Image::bare("xdp", Code::new(caller.into_iter().chain(insns.iter().copied()))).unwrap();
    let input = Input { data: memory, ..Input::default() };
    let check = |outcome: Outcome| match (outcome.result, outcome.data.get(place..place + 8)) {
        (Ok(0), Some(found)) if found == wanted.to_le_bytes() => Ok(()),
        (result, found) => Err(format!("behind a verifier: {result:?}, {found:?}")),
    };
    let is_taken = verify(image.clone(), &Options::default()).is_ok();
    if is_taken {
        check(vm(image.clone()).run(0, &input).unwrap())?;
    }
    if common::have(&[common::Need::Kernel]) {
        match Kernel::load(&image) {
            Ok(mut kernel) if is_taken => check(kernel.run(0, &input).unwrap())?,
            Err(_) if !is_taken => {}
            Ok(_) => return Err("only the kernel's verifier takes it".into()),
            Err(error) => return Err(format!("only our verifier takes it: {error}")),
        }
    }
    Ok(is_taken)
}

#[test]
fn conformance() {
    let Some(oracles) = oracles() else { return };
    let mut failures = Vec::new();
    let (mut count, mut taken) = (0, 0);
    let mut paths: Vec<_> = std::fs::read_dir(oracles.join("bpf_conformance"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|ext| ext == "data")) {
        count += 1;
        match conform(path) {
            Ok(is_taken) => taken += usize::from(is_taken),
            Err(why) => failures.push(format!("{}: {why}", path.file_stem().unwrap().to_string_lossy())),
        }
    }
    assert!(failures.is_empty(), "{} of {count} fail:\n{}", failures.len(), failures.join("\n"));
    assert_eq!((count, taken), (313, 300), "cases, and those that a verifier takes");
}

/// Bytes of hex digits. The table is 232 MB of them, so this goes byte by byte.
fn hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| if byte <= b'9' { byte - b'0' } else { byte - b'a' + 10 };
    text.as_bytes().as_chunks::<2>().0.iter().map(|&[high, low]| digit(high) << 4 | digit(low)).collect()
}

/// `FLAG_LARGE_MEM`: the context is plain memory.
const LARGE_MEMORY: u64 = 1 << 4;

/// Cases of the table that say nothing here, by how their names begin.
fn does_not_apply(name: &str) -> bool {
    // The table was extracted with the variants for big-endian machines.
    let big_endian = [
        "BPF_LDX_MEM | BPF_B, base",
        "BPF_LDX_MEM | BPF_B, MSB set",
        "BPF_LDX_MEM | BPF_H, base",
        "BPF_LDX_MEM | BPF_H, MSB set",
        "BPF_LDX_MEM | BPF_W, base",
        "BPF_LDX_MEM | BPF_W, MSB set",
        "BPF_LDX_MEMSX | BPF_B",
        "BPF_LDX_MEMSX | BPF_H",
        "BPF_STX_MEM | BPF_B",
        "BPF_STX_MEM | BPF_H",
        "BPF_STX_MEM | BPF_W",
        "STX_MEM_DW: Store double word: first",
        "STX_MEM_DW: Store double word: second",
    ];
    // They contain an instruction that only the kernel's verifier makes.
    let internal = ["ATOMIC_W_CMPXCHG: register combinations", "ATOMIC_W_CMPXCHG: all operand magnitudes"];
    big_endian.iter().chain(&internal).any(|known| name.starts_with(known))
}

#[test]
fn kernel_instruction_tests() {
    let Some(oracles) = oracles().filter(|_| common::have(&[common::Need::Gzip])) else { return };
    let output = std::process::Command::new("gzip")
        .arg("-dc")
        .arg(oracles.join("test_bpf-6.12.jsonl.gz"))
        .output()
        .unwrap();
    let mut failures = Vec::new();
    let mut count = 0;
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        if case["kind"] != "ebpf" {
            continue;
        }
        let name = case["descr"].as_str().unwrap();
        if does_not_apply(name) {
            continue;
        }
        let plain = case["aux"].as_u64().unwrap() & LARGE_MEMORY != 0;
        let section = if plain { "syscall" } else { "socket" };
        let insns = match decode_program(&hex(case["insns"].as_str().unwrap()), ByteOrder::Little) {
            Ok(insns) => insns,
            Err((slot, error)) => {
                failures.push(format!("{name}: slot {slot}: {error}"));
                continue;
            }
        };
        let data = hex(case["data"].as_str().unwrap());
        for test in case["tests"].as_array().unwrap() {
            count += 1;
            let (size, wanted) = (test[0].as_u64().unwrap() as usize, test[1].as_i64().unwrap() as u32);
            let mut data = data.clone();
            data.resize(size, 0);
            let result = run(section, insns.clone(), data).result;
            if result.as_ref().map(|&value| value as u32) != Ok(wanted) {
                failures.push(format!("{name} ({size}): {result:?} instead of {wanted:#x}"));
            }
        }
    }
    assert!(count > 800, "{count} cases");
    assert!(failures.is_empty(), "{} of {count} fail:\n{}", failures.len(), failures.join("\n"));
}
