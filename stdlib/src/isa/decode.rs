//! Bytes to instructions.
//!
//! In: the bytes of a code section and their order. Out: [`Insn`]s, or the reason why the bytes
//! are none. Accepts what the kernel accepts: fields an operation does not use must be zero.

use alloc::vec::Vec;
use core::fmt;

use super::*;
use crate::ByteOrder;

/// Why bytes are not an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeError {
    /// Fewer than 8 bytes.
    Truncated,
    /// No operation has this opcode.
    UnknownOpcode(u8),
    /// The opcode exists, but the field that selects the operation has no such value.
    UnknownOperation {
        /// The opcode.
        opcode: u8,
        /// The field that selects.
        field: Field,
        /// Its value.
        value: i32,
    },
    /// A field that the operation does not use is not zero.
    Reserved {
        /// The opcode.
        opcode: u8,
        /// The field.
        field: Field,
    },
    /// A register above `r10`.
    Register(u8),
    /// The second half of a 16-byte instruction is missing or not blank.
    SecondSlot,
}

/// The fields of an instruction slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Field {
    Dst,
    Src,
    Off,
    Imm,
}

/// An instruction slot taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Slot {
    pub opcode: u8,
    pub dst: u8,
    pub src: u8,
    pub off: i16,
    pub imm: i32,
}

impl Slot {
    pub(crate) fn read(bytes: &[u8], order: ByteOrder) -> Option<Slot> {
        let regs = *bytes.get(1)?;
        let (dst, src) = match order {
            ByteOrder::Little => (regs & 15, regs >> 4),
            ByteOrder::Big => (regs >> 4, regs & 15),
        };
        let off = order.u16(bytes, 2)? as i16;
        let imm = order.u32(bytes, 4)? as i32;
        Some(Slot { opcode: *bytes.first()?, dst, src, off, imm })
    }
}

/// Decodes the instruction at the start of `bytes`; also returns how many 8-byte slots it takes.
pub fn decode(bytes: &[u8], order: ByteOrder) -> Result<(Insn, usize), DecodeError> {
    let slot = Slot::read(bytes, order).ok_or(DecodeError::Truncated)?;
    let row = select(&slot)?;
    check_reserved(row, &slot)?;
    let insn = match row.form {
        Form::LoadImm64(kind) => load_imm64(kind, &slot, bytes, order)?,
        form => one_slot(form, &slot)?,
    };
    Ok((insn, insn.slots()))
}

/// Decodes a whole section; an error comes with the number of its slot.
pub fn decode_program(mut bytes: &[u8], order: ByteOrder) -> Result<Vec<Insn>, (usize, DecodeError)> {
    let mut insns = Vec::with_capacity(bytes.len() / 8);
    let mut at = 0;
    while !bytes.is_empty() {
        let (insn, slots) = decode(bytes, order).map_err(|error| (at, error))?;
        insns.push(insn);
        at += slots;
        bytes = bytes.get(slots * 8..).unwrap_or_default();
    }
    Ok(insns)
}

fn select(slot: &Slot) -> Result<&'static Row, DecodeError> {
    let opcode = slot.opcode;
    let mut error = DecodeError::UnknownOpcode(opcode);
    for row in rows_of(opcode) {
        let (field, wanted, value) = match row.select {
            Select::Opcode => return Ok(row),
            Select::Src(src) => (Field::Src, i32::from(src), i32::from(slot.src)),
            Select::Off(off) => (Field::Off, i32::from(off), i32::from(slot.off)),
            Select::Imm(imm) => (Field::Imm, imm, slot.imm),
        };
        if wanted == value {
            return Ok(row);
        }
        error = DecodeError::UnknownOperation { opcode, field, value };
    }
    Err(error)
}

fn check_reserved(row: &Row, slot: &Slot) -> Result<(), DecodeError> {
    let uses = row.form.uses();
    let checks = [
        (Field::Dst, uses.dst, slot.dst != 0),
        (Field::Src, uses.src || matches!(row.select, Select::Src(_)), slot.src != 0),
        (Field::Off, uses.off || matches!(row.select, Select::Off(_)), slot.off != 0),
        (Field::Imm, uses.imm || matches!(row.select, Select::Imm(_)), slot.imm != 0),
    ];
    match checks.into_iter().find(|&(_, used, set)| set && !used) {
        Some((field, ..)) => Err(DecodeError::Reserved { opcode: slot.opcode, field }),
        None => Ok(()),
    }
}

fn reg(number: u8) -> Result<Reg, DecodeError> {
    Reg::new(number).ok_or(DecodeError::Register(number))
}

fn load_imm64(kind: Imm64Kind, slot: &Slot, bytes: &[u8], order: ByteOrder) -> Result<Insn, DecodeError> {
    let second = bytes.get(8..).and_then(|rest| Slot::read(rest, order));
    let second = second.ok_or(DecodeError::SecondSlot)?;
    let (low, high) = (slot.imm, second.imm);
    let has_high = match kind {
        Imm64Kind::Const | Imm64Kind::MapValue | Imm64Kind::BtfId | Imm64Kind::MapIdxValue => true,
        Imm64Kind::MapFd | Imm64Kind::Func | Imm64Kind::MapIdx => false,
    };
    if second != (Slot { imm: high, ..Slot::default() }) || (!has_high && high != 0) {
        return Err(DecodeError::SecondSlot);
    }
    let value = match kind {
        Imm64Kind::Const => Imm64::Const(u64::from(low as u32) | u64::from(high as u32) << 32),
        Imm64Kind::MapFd => Imm64::MapFd(low),
        Imm64Kind::MapValue => Imm64::MapValue { fd: low, offset: high as u32 },
        Imm64Kind::BtfId => Imm64::BtfId { id: low, module: high },
        Imm64Kind::Func => Imm64::Func(low),
        Imm64Kind::MapIdx => Imm64::MapIdx(low),
        Imm64Kind::MapIdxValue => Imm64::MapIdxValue { index: low, offset: high as u32 },
    };
    Ok(Insn::LoadImm64 { dst: reg(slot.dst)?, value })
}

pub(super) fn one_slot(form: Form, slot: &Slot) -> Result<Insn, DecodeError> {
    let (dst, src) = (reg(slot.dst)?, reg(slot.src)?);
    let (off, imm) = (slot.off, slot.imm);
    let operand = |source| match source {
        Source::Imm => Operand::Imm(imm),
        Source::Reg => Operand::Reg(src),
    };
    Ok(match form {
        Form::Alu(width, op, source) => Insn::Alu { width, op, dst, src: operand(source) },
        Form::Mov(width, source) => Insn::Mov { width, dst, src: operand(source) },
        Form::MovSx(width, bits) => Insn::MovSx { width, bits, dst, src },
        Form::Neg(width) => Insn::Neg { width, dst },
        Form::Swap(kind, bits) => Insn::Swap { kind, bits, dst },
        // Callers take this form apart themselves: it is the only one of two slots.
        Form::LoadImm64(_) => return Err(DecodeError::SecondSlot),
        Form::Load(size, signed) => Insn::Load { size, signed, dst, base: src, off },
        Form::Store(size, source) => Insn::Store { size, base: dst, off, src: operand(source) },
        Form::Atomic(size, op) => Insn::Atomic { size, op, base: dst, off, src },
        Form::LoadAcquire(size) => Insn::LoadAcquire { size, dst, base: src, off },
        Form::StoreRelease(size) => Insn::StoreRelease { size, base: dst, off, src },
        Form::LoadAbs(size) => Insn::LoadAbs { size, imm },
        Form::LoadInd(size) => Insn::LoadInd { size, src, imm },
        Form::AddrSpaceCast => Insn::AddrSpaceCast { dst, src, spaces: imm },
        Form::Jump { long: false } => Insn::Jump { off: i32::from(off), long: false },
        Form::Jump { long: true } => Insn::Jump { off: imm, long: true },
        Form::Branch(width, cond, source) => Insn::Branch { width, cond, dst, src: operand(source), off },
        Form::MayGoto => Insn::MayGoto { off },
        Form::Call(CallKind::Helper) => Insn::Call(CallTarget::Helper(imm)),
        Form::Call(CallKind::Local) => Insn::Call(CallTarget::Local(imm)),
        Form::Call(CallKind::Kfunc) => Insn::Call(CallTarget::Kfunc { id: imm, module: off }),
        Form::Call(CallKind::Reg) => Insn::Call(CallTarget::Reg(dst)),
        Form::Exit => Insn::Exit,
    })
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Dst => "destination register",
            Field::Src => "source register",
            Field::Off => "offset",
            Field::Imm => "immediate",
        })
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Truncated => f.write_str("instruction is cut off"),
            DecodeError::UnknownOpcode(opcode) => write!(f, "unknown opcode {opcode:02x}"),
            DecodeError::UnknownOperation { opcode, field, value } => {
                write!(f, "opcode {opcode:02x} has no operation with {field} {value}")
            }
            DecodeError::Reserved { opcode, field } => {
                write!(f, "opcode {opcode:02x} uses reserved field {field}")
            }
            DecodeError::Register(number) => write!(f, "register r{number} does not exist"),
            DecodeError::SecondSlot => f.write_str("second half of a 16-byte load is malformed"),
        }
    }
}

impl core::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Independent of the table: the opcodes and reserved fields as the kernel lists them.
    #[test]
    fn rejects_reserved_fields() {
        let reject = |bytes: [u8; 8]| decode(&bytes, ByteOrder::Little).unwrap_err();
        assert_eq!(
            reject([0x95, 1, 0, 0, 0, 0, 0, 0]),
            DecodeError::Reserved { opcode: 0x95, field: Field::Dst }
        );
        assert_eq!(
            reject([0xb7, 0x10, 0, 0, 0, 0, 0, 0]),
            DecodeError::Reserved { opcode: 0xb7, field: Field::Src }
        );
        assert_eq!(
            reject([0x0f, 0x21, 0, 0, 1, 0, 0, 0]),
            DecodeError::Reserved { opcode: 0x0f, field: Field::Imm }
        );
        assert_eq!(
            reject([0x0f, 0x21, 1, 0, 0, 0, 0, 0]),
            DecodeError::UnknownOperation { opcode: 0x0f, field: Field::Off, value: 1 }
        );
        assert_eq!(reject([0xff; 8]), DecodeError::UnknownOpcode(0xff));
        assert_eq!(reject([0xb7, 0x0b, 0, 0, 0, 0, 0, 0]), DecodeError::Register(11));
        assert_eq!(reject([0x18, 0, 0, 0, 0, 0, 0, 0]), DecodeError::SecondSlot);
        assert_eq!(decode(&[0x95, 0, 0], ByteOrder::Big), Err(DecodeError::Truncated));
    }

    #[test]
    fn any_bytes_decode_or_fail() {
        let mut state = 1u64;
        for _ in 0..200_000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&state.to_le_bytes());
            bytes[0] = (state >> 56) as u8;
            if state & 0x100 != 0 {
                bytes[2..8].fill(0);
            }
            for order in [ByteOrder::Little, ByteOrder::Big] {
                if let Ok((insn, slots)) = decode(&bytes, order) {
                    let mut out = Vec::new();
                    encode(&insn, order, &mut out).unwrap();
                    assert_eq!(out, bytes[..slots * 8]);
                }
            }
        }
    }
}
