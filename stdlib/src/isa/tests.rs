//! Round trips over every row of the opcode table, and LLVM as the judge of bytes and text.

extern crate std;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::process::Command;

use super::decode::{Slot, one_slot};
use super::*;
use crate::ByteOrder;

/// Instructions of every row, with several values in each operand field.
fn samples() -> Vec<Insn> {
    let mut out = Vec::new();
    for row in &ROWS {
        for (dst, src, off, imm) in
            [(1, 2, 0, 0), (10, 0, -8, -1), (0, 9, 513, 65_537), (3, 3, i16::MIN, i32::MIN)]
        {
            let uses = row.form.uses();
            let slot = Slot {
                opcode: row.opcode,
                dst: if uses.dst { dst } else { 0 },
                src: if uses.src { src } else { 0 },
                off: if uses.off { off } else { 0 },
                imm: if uses.imm { imm } else { 0 },
            };
            match row.form {
                Form::LoadImm64(kind) => {
                    let (low, high) = (imm, imm as u32 / 3);
                    let value = match kind {
                        Imm64Kind::Const => Imm64::Const((high as u64) << 32 | low as u32 as u64),
                        Imm64Kind::MapFd => Imm64::MapFd(low),
                        Imm64Kind::MapValue => Imm64::MapValue { fd: low, offset: high },
                        Imm64Kind::BtfId => Imm64::BtfId { id: low, module: high as i32 },
                        Imm64Kind::Func => Imm64::Func(low),
                        Imm64Kind::MapIdx => Imm64::MapIdx(low),
                        Imm64Kind::MapIdxValue => Imm64::MapIdxValue { index: low, offset: high },
                    };
                    out.push(Insn::LoadImm64 { dst: Reg::new(dst).unwrap(), value });
                }
                form => out.push(one_slot(form, &slot).unwrap()),
            }
        }
    }
    out
}

#[test]
fn rows_are_unambiguous() {
    for (i, a) in ROWS.iter().enumerate() {
        for b in &ROWS[i + 1..] {
            assert_ne!(a.form, b.form);
            assert!(a.opcode != b.opcode || a.select != b.select, "{a:?} {b:?}");
        }
    }
    for opcode in 0..=255 {
        let rows: Vec<_> = rows_of(opcode).collect();
        assert_eq!(rows.len(), ROWS.iter().filter(|row| row.opcode == opcode).count());
        if let [only] = rows[..] {
            assert!(!matches!(only.select, Select::Off(1)), "{only:?}");
        }
    }
}

#[test]
fn bytes_and_text_round_trip() {
    for insn in samples() {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let mut bytes = Vec::new();
            encode(&insn, order, &mut bytes).unwrap();
            assert_eq!(decode(&bytes, order), Ok((insn, bytes.len() / 8)), "{bytes:x?}");
        }
        let text = insn.to_string();
        assert_eq!(asm::parse(&text), Ok(insn), "{text}");
    }
}

#[test]
fn cpu_versions() {
    let since = |text| asm::parse(text).unwrap().min_cpu();
    assert_eq!(since("r1 += 1"), Some(Cpu::V1));
    assert_eq!(since("if r1 < r2 goto +1"), Some(Cpu::V2));
    assert_eq!(since("w1 += 1"), Some(Cpu::V3));
    assert_eq!(since("if w1 > 3 goto +1"), Some(Cpu::V3));
    assert_eq!(since("lock *(u32 *)(r1 + 0) += w2"), Some(Cpu::V1));
    assert_eq!(since("w2 = xchg32_32(r1 + 0, w2)"), Some(Cpu::V3));
    assert_eq!(since("r1 s/= r2"), Some(Cpu::V4));
    assert_eq!(since("gotol +1"), Some(Cpu::V4));
}

/// What LLVM disassembles these instructions to, one a line; `None` if LLVM is neither installed
/// nor required.
fn llvm_disassembly(insns: &[Insn]) -> Option<Vec<String>> {
    let directory = std::env::temp_dir();
    let [object, source] =
        ["o", "s"].map(|end| directory.join(format!("skep-isa-{}.{end}", std::process::id())));
    let mut text = String::from(".text\n");
    for insn in insns {
        for byte in encode_program(&[*insn], ByteOrder::Little).unwrap() {
            text.push_str(&format!(".byte {byte}\n"));
        }
    }
    std::fs::write(&source, text).unwrap();
    let assembled = Command::new("llvm-mc-19")
        .args(["-triple=bpfel", "-mcpu=v4", "-filetype=obj", "-o"])
        .args([&object, &source])
        .status();
    std::fs::remove_file(&source).unwrap();
    if assembled.is_err() {
        let required = std::env::var("REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|tool| tool == "clang"), "llvm-mc-19 is missing");
        return None;
    }
    assert!(assembled.unwrap().success());
    let dump = Command::new("llvm-objdump-19")
        .args(["-d", "--no-print-imm-hex", "--no-show-raw-insn", "--mcpu=v4"])
        .arg(&object)
        .output()
        .unwrap();
    std::fs::remove_file(object).unwrap();
    let lines = String::from_utf8(dump.stdout).unwrap();
    // `      12:       	goto +3 <.text+0x80>`
    let code = lines.lines().filter_map(|line| line.split_once(':'));
    let code = code.filter(|(slot, _)| slot.trim().parse::<u32>().is_ok());
    Some(code.map(|(_, text)| text.split(" <.text").next().unwrap().trim().into()).collect())
}

/// LLVM disassembles our bytes to the text that we print, where it has a text for them.
#[test]
fn prints_like_llvm() {
    let mut insns = samples();
    insns.retain(|insn| match *insn {
        // LLVM shows the raw fields, or nothing.
        Insn::LoadImm64 { value, .. } => matches!(value, Imm64::Const(_)),
        Insn::LoadInd { imm, .. } => imm == 0,
        Insn::Call(target) => matches!(target, CallTarget::Helper(_) | CallTarget::Reg(_)),
        Insn::LoadAcquire { .. } | Insn::StoreRelease { .. } => false,
        _ => true,
    });
    let Some(dump) = llvm_disassembly(&insns) else { return };
    assert_eq!(dump.len(), insns.len());
    for (theirs, insn) in dump.iter().zip(insns) {
        assert_eq!(asm::parse(theirs), Ok(insn), "{theirs}");
        // LLVM names the narrow half of a register in narrow accesses.
        let narrow = matches!(insn, Insn::Load { signed: false, .. } | Insn::Store { .. });
        if !narrow {
            assert_eq!(*theirs, insn.to_string());
        }
    }
}

#[test]
fn operations_and_conditions_are_listed_by_number() {
    assert!(AluOp::ALL.iter().enumerate().all(|(number, &op)| op as usize == number));
    assert!(Cond::ALL.iter().enumerate().all(|(number, &cond)| cond as usize == number));
}
