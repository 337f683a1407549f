//! Instructions to bytes.
//!
//! In: an [`Insn`] and the byte order. Out: 8 or 16 bytes that [`decode`](super::decode()) reads
//! as the same instruction, or an error if no opcode has that combination of operands.

use alloc::vec::Vec;
use core::fmt;

use super::decode::Slot;
use super::*;
use crate::ByteOrder;

/// An instruction that has no encoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeError {
    /// No opcode combines these widths, sizes and operations.
    NoSuchOperation(Insn),
    /// The distance of a short jump does not fit 16 bits.
    JumpTooFar(i32),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::NoSuchOperation(insn) => write!(f, "no opcode encodes `{insn}`"),
            EncodeError::JumpTooFar(off) => write!(f, "jump distance {off} does not fit 16 bits"),
        }
    }
}

impl core::error::Error for EncodeError {}

/// Appends the bytes of `insn`.
pub fn encode(insn: &Insn, order: ByteOrder, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let row = insn.row().ok_or(EncodeError::NoSuchOperation(*insn))?;
    let (mut slot, high) = operands(insn)?;
    slot.opcode = row.opcode;
    match row.select {
        Select::Opcode => {}
        Select::Src(src) => slot.src = src,
        Select::Off(off) => slot.off = off,
        Select::Imm(imm) => slot.imm = imm,
    }
    slot.write(order, out);
    if let Some(imm) = high {
        Slot { imm, ..Slot::default() }.write(order, out);
    }
    Ok(())
}

/// Encodes a whole program.
pub fn encode_program(insns: &[Insn], order: ByteOrder) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::with_capacity(insns.len() * 8);
    for insn in insns {
        encode(insn, order, &mut out)?;
    }
    Ok(out)
}

impl Slot {
    fn write(&self, order: ByteOrder, out: &mut Vec<u8>) {
        out.push(self.opcode);
        out.push(match order {
            ByteOrder::Little => self.dst | self.src << 4,
            ByteOrder::Big => self.src | self.dst << 4,
        });
        order.put_u16(out, self.off as u16);
        order.put_u32(out, self.imm as u32);
    }
}

/// The fields of an instruction that are operands, and the immediate of its second slot.
fn operands(insn: &Insn) -> Result<(Slot, Option<i32>), EncodeError> {
    let slot = |dst: Option<Reg>, src: Option<Reg>, off: i16, imm: i32| {
        let number = |reg: Option<Reg>| reg.map_or(0, Reg::number);
        Slot { opcode: 0, dst: number(dst), src: number(src), off, imm }
    };
    let with = |dst: Reg, src: Operand, off: i16| match src {
        Operand::Reg(src) => slot(Some(dst), Some(src), off, 0),
        Operand::Imm(imm) => slot(Some(dst), None, off, imm),
    };
    let fields = match *insn {
        Insn::Alu { dst, src, .. } | Insn::Mov { dst, src, .. } => with(dst, src, 0),
        Insn::MovSx { dst, src, .. } => slot(Some(dst), Some(src), 0, 0),
        Insn::Neg { dst, .. } | Insn::Swap { dst, .. } => slot(Some(dst), None, 0, 0),
        Insn::LoadImm64 { dst, value } => {
            let (low, high) = halves(value);
            return Ok((slot(Some(dst), None, 0, low), Some(high)));
        }
        Insn::Load { dst, base, off, .. } | Insn::LoadAcquire { dst, base, off, .. } => {
            slot(Some(dst), Some(base), off, 0)
        }
        Insn::Store { base, off, src, .. } => with(base, src, off),
        Insn::Atomic { base, off, src, .. } | Insn::StoreRelease { base, off, src, .. } => {
            slot(Some(base), Some(src), off, 0)
        }
        Insn::LoadAbs { imm, .. } => slot(None, None, 0, imm),
        Insn::LoadInd { src, imm, .. } => slot(None, Some(src), 0, imm),
        Insn::AddrSpaceCast { dst, src, spaces } => slot(Some(dst), Some(src), 0, spaces),
        Insn::Jump { off, long: true } => slot(None, None, 0, off),
        Insn::Jump { off, long: false } => {
            let short = i16::try_from(off).map_err(|_| EncodeError::JumpTooFar(off))?;
            slot(None, None, short, 0)
        }
        Insn::Branch { dst, src, off, .. } => with(dst, src, off),
        Insn::MayGoto { off } => slot(None, None, off, 0),
        Insn::Call(CallTarget::Helper(imm) | CallTarget::Local(imm)) => slot(None, None, 0, imm),
        Insn::Call(CallTarget::Kfunc { id, module }) => slot(None, None, module, id),
        Insn::Call(CallTarget::Reg(reg)) => slot(Some(reg), None, 0, 0),
        Insn::Exit => slot(None, None, 0, 0),
    };
    Ok((fields, None))
}

fn halves(value: Imm64) -> (i32, i32) {
    match value {
        Imm64::Const(value) => (value as i32, (value >> 32) as i32),
        Imm64::MapFd(fd) => (fd, 0),
        Imm64::MapValue { fd, offset } => (fd, offset as i32),
        Imm64::BtfId { id, module } => (id, module),
        Imm64::Func(distance) => (distance, 0),
        Imm64::MapIdx(index) => (index, 0),
        Imm64::MapIdxValue { index, offset } => (index, offset as i32),
    }
}

impl Operand {
    const fn source(self) -> Source {
        match self {
            Operand::Reg(_) => Source::Reg,
            Operand::Imm(_) => Source::Imm,
        }
    }
}

impl Insn {
    /// The instruction without its operands: the key of the opcode table.
    pub const fn form(&self) -> Form {
        match *self {
            Insn::Alu { width, op, src, .. } => Form::Alu(width, op, src.source()),
            Insn::Mov { width, src, .. } => Form::Mov(width, src.source()),
            Insn::MovSx { width, bits, .. } => Form::MovSx(width, bits),
            Insn::Neg { width, .. } => Form::Neg(width),
            Insn::Swap { kind, bits, .. } => Form::Swap(kind, bits),
            Insn::LoadImm64 { value, .. } => Form::LoadImm64(match value {
                Imm64::Const(_) => Imm64Kind::Const,
                Imm64::MapFd(_) => Imm64Kind::MapFd,
                Imm64::MapValue { .. } => Imm64Kind::MapValue,
                Imm64::BtfId { .. } => Imm64Kind::BtfId,
                Imm64::Func(_) => Imm64Kind::Func,
                Imm64::MapIdx(_) => Imm64Kind::MapIdx,
                Imm64::MapIdxValue { .. } => Imm64Kind::MapIdxValue,
            }),
            Insn::Load { size, signed, .. } => Form::Load(size, signed),
            Insn::Store { size, src, .. } => Form::Store(size, src.source()),
            Insn::Atomic { size, op, .. } => Form::Atomic(size, op),
            Insn::LoadAcquire { size, .. } => Form::LoadAcquire(size),
            Insn::StoreRelease { size, .. } => Form::StoreRelease(size),
            Insn::LoadAbs { size, .. } => Form::LoadAbs(size),
            Insn::LoadInd { size, .. } => Form::LoadInd(size),
            Insn::AddrSpaceCast { .. } => Form::AddrSpaceCast,
            Insn::Jump { long, .. } => Form::Jump { long },
            Insn::Branch { width, cond, src, .. } => Form::Branch(width, cond, src.source()),
            Insn::MayGoto { .. } => Form::MayGoto,
            Insn::Call(target) => Form::Call(match target {
                CallTarget::Helper(_) => CallKind::Helper,
                CallTarget::Local(_) => CallKind::Local,
                CallTarget::Kfunc { .. } => CallKind::Kfunc,
                CallTarget::Reg(_) => CallKind::Reg,
            }),
            Insn::Exit => Form::Exit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_combinations_are_errors() {
        let mut out = Vec::new();
        let swap = Insn::Swap { kind: Endian::ToBe, bits: 7, dst: Reg::R1 };
        assert!(encode(&swap, ByteOrder::Little, &mut out).is_err());
        let jump = Insn::Jump { off: 40_000, long: false };
        let error = encode(&jump, ByteOrder::Little, &mut out);
        assert_eq!(error, Err(EncodeError::JumpTooFar(40_000)));
        assert!(out.is_empty());
    }

    #[test]
    fn big_endian_swaps_register_nibbles() {
        let insn = Insn::Mov { width: Width::W64, dst: Reg::R1, src: Operand::Reg(Reg::R2) };
        let bytes = |order| encode_program(&[insn], order).unwrap();
        assert_eq!(bytes(ByteOrder::Little), [0xbf, 0x21, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes(ByteOrder::Big), [0xbf, 0x12, 0, 0, 0, 0, 0, 0]);
    }
}
