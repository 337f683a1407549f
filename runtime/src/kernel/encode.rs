//! An image in the kernel's terms: instruction bytes, records, BTF that it accepts.
//!
//! The kernel knows nothing of externs in BTF: their records are rewritten, in place and without
//! changing ids, into kinds it takes. Strings of line records are offsets into the object's BTF,
//! which is loaded as it is otherwise.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use skep_stdlib::ByteOrder;
use skep_stdlib::btf::{Btf, Kind};
use skep_stdlib::isa::{CallTarget, Imm64, Insn, encode};

use crate::object::Program;

/// The instructions of a program that is loaded with so many maps.
///
/// The kernel reads descriptors from an array whose length it is not told: indices past its end, and
/// descriptors that were not made for this program, are refused here.
pub(super) fn instructions(program: &Program, maps: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(program.code.len() as usize * 8);
    for (slot, insn) in program.code.iter() {
        if names_foreign_descriptor(insn, maps) {
            return Err(format!(
                "instruction {slot} (`{insn}`) names a descriptor that is not the program's"
            ));
        }
        encode(insn, ByteOrder::HOST, &mut bytes).map_err(|error| error.to_string())?;
    }
    Ok(bytes)
}

fn names_foreign_descriptor(insn: &Insn, maps: usize) -> bool {
    match *insn {
        Insn::LoadImm64 { value, .. } => match value {
            Imm64::MapIdx(index) | Imm64::MapIdxValue { index, .. } => {
                usize::try_from(index).map_or(true, |index| index >= maps)
            }
            Imm64::MapFd(_) | Imm64::MapValue { .. } => true,
            Imm64::BtfId { module, .. } => module != 0,
            Imm64::Const(_) | Imm64::Func(_) => false,
        },
        Insn::Call(target) => match target {
            CallTarget::Kfunc { module, .. } => module != 0,
            CallTarget::Helper(_) | CallTarget::Local(_) | CallTarget::Reg(_) => false,
        },
        // No other instruction has a place for one.
        _ => false,
    }
}

/// `struct bpf_func_info` records; none unless every function has one, as the kernel asks.
pub(super) fn func_info(program: &Program) -> Vec<u8> {
    let mut bytes = Vec::new();
    for function in &program.functions {
        let Some(id) = function.btf_func else { return Vec::new() };
        bytes.extend(function.start.to_ne_bytes());
        bytes.extend(id.0.to_ne_bytes());
    }
    bytes
}

/// `struct bpf_line_info` records.
pub(super) fn line_info(program: &Program) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in &program.lines {
        let words = [line.slot, line.file_at.0, line.text_at.0, line.line << 10 | line.column & 0x3ff];
        bytes.extend(words.into_iter().flat_map(u32::to_ne_bytes));
    }
    bytes
}

/// The object's BTF as the kernel accepts it.
pub(super) fn btf(btf: &Btf) -> Vec<u8> {
    let mut bytes = btf.bytes().to_vec();
    let _ = rewrite(&mut bytes);
    bytes
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    ByteOrder::HOST.u32(bytes, at)
}

fn set(bytes: &mut [u8], at: usize, value: u32) -> Option<()> {
    bytes.get_mut(at..at + 4)?.copy_from_slice(&value.to_ne_bytes());
    Some(())
}

/// Rewrites what the kernel refuses:
/// - extern functions become typedefs of their prototypes;
/// - extern variables count as global;
/// - sections of externs, and empty ones, become enumerations, whose records are as long.
fn rewrite(bytes: &mut [u8]) -> Option<()> {
    let mut at = (word(bytes, 4)? + word(bytes, 8)?) as usize;
    let end = at + word(bytes, 12)? as usize;
    while at < end {
        let info = word(bytes, at + 4)?;
        let kind = Kind::from_number(info >> 24 & 0x1f)?;
        let count = (info & 0xffff) as usize;
        let extra = match kind {
            Kind::Int | Kind::DeclTag => 4,
            Kind::Var => {
                if word(bytes, at + 12)? == 2 {
                    set(bytes, at + 12, 1)?;
                }
                4
            }
            Kind::Func => {
                if count == 2 {
                    set(bytes, at + 4, (Kind::Typedef as u32) << 24)?;
                }
                0
            }
            Kind::Datasec => {
                if word(bytes, at + 8)? == 0 {
                    section_to_enum(bytes, at, count)?;
                }
                12 * count
            }
            Kind::Array => 12,
            Kind::Struct | Kind::Union | Kind::Enum64 => 12 * count,
            Kind::Enum | Kind::FuncProto => 8 * count,
            Kind::Void
            | Kind::Ptr
            | Kind::Fwd
            | Kind::Typedef
            | Kind::Volatile
            | Kind::Const
            | Kind::Restrict
            | Kind::Float
            | Kind::TypeTag => 0,
        };
        at += 12 + extra;
    }
    Some(())
}

/// A section without size is one of externs: `.ksyms` and `.kconfig` are in no file.
fn section_to_enum(bytes: &mut [u8], at: usize, count: usize) -> Option<()> {
    let name = any_identifier(bytes)?;
    set(bytes, at, 0)?;
    set(bytes, at + 4, (Kind::Enum64 as u32) << 24 | count as u32)?;
    set(bytes, at + 8, 8)?;
    for entry in (0..count).map(|n| at + 12 + n * 12) {
        set(bytes, entry, name)?;
        set(bytes, entry + 4, 0)?;
        set(bytes, entry + 8, 0)?;
    }
    Some(())
}

/// A string that is a C identifier: enumerators must have one, whatever it is.
fn any_identifier(bytes: &[u8]) -> Option<u32> {
    let strings = (word(bytes, 4)? + word(bytes, 16)?) as usize;
    let all = bytes.get(strings..strings + word(bytes, 20)? as usize)?;
    let mut start = 0;
    for text in all.split(|&byte| byte == 0) {
        let first = text.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
        if first && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            return Some(start);
        }
        start += text.len() as u32 + 1;
    }
    None
}
