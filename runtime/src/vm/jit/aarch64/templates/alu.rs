//! Arithmetic and moves. The processor divides as BPF does: by zero it gives zero, and the smallest number
//! by -1 itself.

use skep_stdlib::isa::{AluOp, Endian, Operand, Reg, Width};

use super::{NUMBER, Translator, VALUE, gpr};
use crate::vm::jit::aarch64::asm::Gpr;
use crate::vm::jit::aarch64::encode::{Field, Op, Product, Unary};

impl Translator<'_> {
    /// `dst op= src`
    pub fn alu(&mut self, width: Width, op: AluOp, dst: Reg, src: Operand) {
        let (wide, to) = (width == Width::W64, gpr(dst));
        match op {
            AluOp::Add | AluOp::Sub => self.sum(wide, op == AluOp::Sub, to, src),
            AluOp::Or => self.simple(wide, Op::Orr, to, src),
            AluOp::And => self.simple(wide, Op::And, to, src),
            AluOp::Xor => self.simple(wide, Op::Eor, to, src),
            AluOp::Mul => self.multiply(wide, to, src),
            AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => self.shift(wide, op, to, src),
            AluOp::Div => self.divide(wide, Op::Udiv, to, src),
            AluOp::Sdiv => self.divide(wide, Op::Sdiv, to, src),
            AluOp::Mod => self.remainder(wide, Op::Udiv, to, src),
            AluOp::Smod => self.remainder(wide, Op::Sdiv, to, src),
        }
    }

    /// The operand in a register: a number in `x9`.
    pub fn in_register(&mut self, wide: bool, src: Operand) -> Gpr {
        match src {
            Operand::Reg(src) => gpr(src),
            Operand::Imm(0) => Gpr::ZERO,
            Operand::Imm(imm) => {
                self.constant(NUMBER, if wide { i64::from(imm) as u64 } else { u64::from(imm as u32) });
                NUMBER
            }
        }
    }

    fn sum(&mut self, wide: bool, is_difference: bool, dst: Gpr, src: Operand) {
        if let Operand::Imm(imm) = src
            && !self.is_blind()
        {
            let imm = i64::from(imm);
            return self.add(wide, dst, dst, if is_difference { -imm } else { imm });
        }
        self.simple(wide, if is_difference { Op::Sub } else { Op::Add }, dst, src);
    }

    fn simple(&mut self, wide: bool, op: Op, dst: Gpr, src: Operand) {
        if let Operand::Imm(imm) = src
            && !self.is_blind()
            && self.asm.op_imm(wide, op, dst, dst, i64::from(imm) as u64)
        {
            return;
        }
        let src = self.in_register(wide, src);
        self.asm.op(wide, op, dst, dst, src);
    }

    fn multiply(&mut self, wide: bool, dst: Gpr, src: Operand) {
        if let Operand::Imm(imm @ 1..) = src
            && imm & (imm - 1) == 0
            && !self.is_blind()
        {
            return self.asm.shift_left(wide, dst, dst, imm.trailing_zeros());
        }
        let src = self.in_register(wide, src);
        self.asm.product(wide, Product::Added, dst, Gpr::ZERO, (dst, src));
    }

    fn shift(&mut self, wide: bool, op: AluOp, dst: Gpr, src: Operand) {
        let of_registers = match op {
            AluOp::Lsh => Op::Lsl,
            AluOp::Arsh => Op::Asr,
            _ => Op::Lsr,
        };
        match (src, of_registers) {
            // The processor takes the low bits of the count, too.
            (Operand::Reg(src), op) => self.asm.op(wide, op, dst, dst, gpr(src)),
            (Operand::Imm(imm), op) => {
                let count = imm as u32 & if wide { 63 } else { 31 };
                match op {
                    Op::Lsl => self.asm.shift_left(wide, dst, dst, count),
                    Op::Asr => self.asm.shift_right(wide, Field::Signed, dst, dst, count),
                    _ => self.asm.shift_right(wide, Field::Unsigned, dst, dst, count),
                }
            }
        }
    }

    fn divide(&mut self, wide: bool, op: Op, dst: Gpr, src: Operand) {
        if let Some(bits) = self.power_of_two(wide, op, src) {
            return self.asm.shift_right(wide, Field::Unsigned, dst, dst, bits);
        }
        let src = self.in_register(wide, src);
        self.asm.op(wide, op, dst, dst, src);
    }

    /// What the quotient's product with the divisor leaves; all of it, if the divisor is zero.
    fn remainder(&mut self, wide: bool, op: Op, dst: Gpr, src: Operand) {
        if let Some(bits @ 1..) = self.power_of_two(wide, op, src) {
            self.asm.op_imm(wide, Op::And, dst, dst, (1 << bits) - 1);
            return;
        }
        let src = self.in_register(wide, src);
        self.asm.op(wide, op, VALUE, dst, src);
        self.asm.product(wide, Product::Taken, dst, dst, (VALUE, src));
    }

    /// The logarithm of a divisor without a sign, if shifts can divide by it.
    fn power_of_two(&self, wide: bool, op: Op, src: Operand) -> Option<u32> {
        let Operand::Imm(imm) = src else { return None };
        let value = if wide { i64::from(imm) as u64 } else { u64::from(imm as u32) };
        let is_plain = op == Op::Udiv && !self.is_blind() && value.is_power_of_two();
        is_plain.then(|| value.trailing_zeros())
    }

    /// `dst = src`
    pub fn mov(&mut self, width: Width, dst: Reg, src: Operand) {
        let (wide, to) = (width == Width::W64, gpr(dst));
        match src {
            Operand::Imm(0) => self.asm.mov_imm(to, 0),
            Operand::Imm(imm) if wide => self.constant(to, i64::from(imm) as u64),
            Operand::Imm(imm) => self.constant(to, u64::from(imm as u32)),
            Operand::Reg(src) if src == dst && (wide || self.known.is_narrow(dst)) => {}
            Operand::Reg(src) => self.asm.mov(wide, to, gpr(src)),
        }
    }

    /// `dst = src`, as a signed number of so many bits.
    pub fn mov_sign_extended(&mut self, width: Width, bits: u8, dst: Reg, src: Reg) {
        let last = u32::from(bits) - 1;
        self.asm.field(width == Width::W64, Field::Signed, gpr(dst), gpr(src), (0, last));
    }

    /// `dst = -dst`
    pub fn neg(&mut self, width: Width, dst: Reg) {
        self.asm.op(width == Width::W64, Op::Sub, gpr(dst), Gpr::ZERO, gpr(dst));
    }

    /// Puts bytes in another order, and cuts.
    pub fn swap(&mut self, kind: Endian, bits: u8, dst: Reg) {
        let reg = gpr(dst);
        let swaps = match kind {
            Endian::ToLe => false,
            Endian::ToBe | Endian::Bswap => true,
        };
        match (bits, swaps) {
            (16, _) => {
                if swaps {
                    self.asm.unary(Unary::Rev16, reg, reg);
                }
                self.asm.field(false, Field::Unsigned, reg, reg, (0, 15));
            }
            (32, true) => self.asm.unary(Unary::Rev32, reg, reg),
            (32, false) => self.asm.mov(false, reg, reg),
            (_, true) => self.asm.unary(Unary::Rev64, reg, reg),
            (_, false) => {}
        }
    }
}
