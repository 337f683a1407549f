//! Which registers' upper halves are known to be zero between two instructions.
//!
//! Known is what every way to the next instruction makes so: nothing where jumps lead to.

use skep_stdlib::isa::{AluOp, Imm64, Operand, Reg, Size, Width};

use crate::vm::jit::flow::{Registers, bit};

/// Registers whose upper half is zero.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Narrow(Registers);

impl Narrow {
    /// Is this one of them?
    pub fn has(self, reg: Reg) -> bool {
        self.0 & bit(reg) != 0
    }

    /// The register has been written.
    #[inline]
    pub fn write(&mut self, reg: Reg, is_narrow: bool) {
        self.0 = self.0 & !bit(reg) | Registers::from(is_narrow) << reg.number();
    }

    /// `dst op= src` has been computed.
    #[inline]
    pub fn computed(&mut self, width: Width, op: AluOp, dst: Reg, src: Operand) {
        self.write(dst, width == Width::W32 || cuts(op, src));
    }

    /// `dst = src` has been done.
    #[inline]
    pub fn moved(&mut self, width: Width, dst: Reg, src: Operand) {
        let is_narrow = match src {
            Operand::Imm(imm) => imm >= 0,
            Operand::Reg(src) => self.has(src),
        };
        self.write(dst, is_narrow || width == Width::W32);
    }

    /// `dst = value` has been done.
    pub fn loaded(&mut self, dst: Reg, value: Imm64) {
        let is_narrow = match value {
            Imm64::Const(value) => u32::try_from(value).is_ok(),
            Imm64::MapIdxValue { .. } => true,
            Imm64::MapFd(_)
            | Imm64::MapValue { .. }
            | Imm64::BtfId { .. }
            | Imm64::Func(_)
            | Imm64::MapIdx(_) => false,
        };
        self.write(dst, is_narrow);
    }

    /// An atomic access has been made.
    pub fn accessed(&mut self, size: Size, writes: Registers) {
        self.0 = if size == Size::DW { self.0 & !writes } else { self.0 | writes };
    }
}

/// Does the operation leave nothing in the upper half, whatever was there?
fn cuts(op: AluOp, src: Operand) -> bool {
    match (op, src) {
        (AluOp::And, Operand::Imm(imm)) => imm >= 0,
        (AluOp::Rsh, Operand::Imm(imm)) => (32..64).contains(&imm),
        _ => false,
    }
}
