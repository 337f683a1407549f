//! Programs that are nearly right: instructions of a program that is accepted, changed a little.

use skep_runtime::object::{Code, Function, Program};
use skep_stdlib::ByteOrder;
use skep_stdlib::isa::{Imm64, Insn, decode_program, encode_program};

use super::random::Random;

/// Immediate values at which checks change their mind.
const IMMEDIATES: &[i32] =
    &[0, 1, -1, 2, 3, 7, 8, -8, 16, 31, 32, 63, 64, 255, 256, 511, 512, 4096, i32::MAX, i32::MIN];

/// Codes of binary arithmetic and of conditions, as the upper four bits of an opcode.
const OPERATIONS: &[u8] = &[0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12];
const CONDITIONS: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13];

/// The program with some instructions changed; none if they are no instructions any more.
pub fn mutate(program: &Program, random: &mut Random) -> Option<Program> {
    let insns: Vec<Insn> = program.code.iter().map(|(_, insn)| *insn).collect();
    let mut bytes = encode_program(&insns, ByteOrder::Little).ok()?;
    for _ in 0..1 + random.below(3) {
        change(&mut bytes, random);
    }
    let code = Code::new(decode_program(&bytes, ByteOrder::Little).ok()?);
    let mut program = program.clone();
    // A function that begins elsewhere has no type information, of which the kernel wants all or none.
    let called = Function::called(&code, &program.section);
    let starts = |functions: &[Function]| functions.iter().map(|f| f.start).collect::<Vec<u32>>();
    match program.functions.iter().all(|function| function.btf_func.is_none()) {
        true => program.functions = called,
        false if starts(&called) != starts(&program.functions) => return None,
        false => {}
    }
    // So are maps and variables: what refers to them stays as it is.
    let fixed = |code: &Code| -> Vec<(u32, Imm64)> {
        let load = |(slot, insn): (u32, &Insn)| match insn {
            Insn::LoadImm64 { value: Imm64::Const(_), .. } => None,
            Insn::LoadImm64 { value, .. } => Some((slot, *value)),
            _ => None,
        };
        code.iter().filter_map(load).collect()
    };
    if fixed(&code) != fixed(&program.code) {
        return None;
    }
    program.code = code;
    Some(program)
}

/// Changes one instruction, or swaps two.
fn change(bytes: &mut [u8], random: &mut Random) {
    let count = bytes.len() / 8;
    let at = random.below(count) * 8;
    let code = bytes[at];
    match random.below(8) {
        0 => bytes[at + 1] = (bytes[at + 1] & 0xf0) | random.below(11) as u8,
        1 => bytes[at + 1] = (bytes[at + 1] & 0x0f) | ((random.below(11) as u8) << 4),
        2 => bytes[at + 4..at + 8].copy_from_slice(&random.pick(IMMEDIATES).to_le_bytes()),
        3 => {
            let old = i16::from_le_bytes([bytes[at + 2], bytes[at + 3]]);
            let new = old.wrapping_add(random.pick(&[1, -1, 2, -2, 4, -4, 8, -8]));
            bytes[at + 2..at + 4].copy_from_slice(&new.to_le_bytes());
        }
        4 => {
            bytes[at] = match code & 7 {
                4 | 7 => (code & 0x0f) | (random.pick(OPERATIONS) << 4),
                5 | 6 => (code & 0x0f) | (random.pick(CONDITIONS) << 4),
                // Another size of access.
                _ => (code & !0x18) | ((random.below(4) as u8) << 3),
            };
        }
        // The other width of arithmetic or comparison; a load becomes a store.
        5 => bytes[at] ^= 3,
        // An immediate becomes a register, or the reverse.
        6 => bytes[at] ^= 8,
        _ => {
            let other = random.below(count) * 8;
            for byte in 0..8 {
                bytes.swap(at + byte, other + byte);
            }
        }
    }
}
