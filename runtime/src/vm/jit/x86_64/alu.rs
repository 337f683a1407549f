//! Arithmetic and moves.

use skep_stdlib::isa::{AluOp, Endian, Operand, Reg, Width};

use super::asm::{Cc, Gpr, Op, Rm, Shift, Unary};
use super::{Cold, Translator, gpr};
use crate::vm::jit::labels::Label;

/// The operations that are the processor's.
const SIMPLE: [Option<Op>; 13] = {
    let mut simple = [None; 13];
    simple[AluOp::Add as usize] = Some(Op::Add);
    simple[AluOp::Sub as usize] = Some(Op::Sub);
    simple[AluOp::Or as usize] = Some(Op::Or);
    simple[AluOp::And as usize] = Some(Op::And);
    simple[AluOp::Xor as usize] = Some(Op::Xor);
    simple
};

impl Translator<'_> {
    #[inline]
    pub fn alu(&mut self, width: Width, op: AluOp, dst: Reg, src: Operand) {
        let (wide, to) = (width == Width::W64, gpr(dst));
        // Most are: which one nobody could predict, so it is no question of where to go.
        if let Some(simple) = SIMPLE[op as usize] {
            return self.simple(wide, simple, to, src);
        }
        match (op, src) {
            (AluOp::Add | AluOp::Sub | AluOp::Or | AluOp::And | AluOp::Xor, _) => {}
            (AluOp::Mul, Operand::Reg(src)) => self.asm.imul(wide, to, gpr(src)),
            (AluOp::Mul, Operand::Imm(imm)) if self.is_blind() => {
                let factor = self.blinded(imm);
                self.asm.imul(wide, to, factor);
            }
            (AluOp::Mul, Operand::Imm(imm)) => self.multiply(wide, to, imm),
            (AluOp::Lsh, src) => self.shift(wide, Shift::Shl, to, src),
            (AluOp::Rsh, src) => self.shift(wide, Shift::Shr, to, src),
            (AluOp::Arsh, src) => self.shift(wide, Shift::Sar, to, src),
            (AluOp::Div, src) => self.divide(Division { width, signed: false, remainder: false }, dst, src),
            (AluOp::Mod, src) => self.divide(Division { width, signed: false, remainder: true }, dst, src),
            (AluOp::Sdiv, src) => self.divide(Division { width, signed: true, remainder: false }, dst, src),
            (AluOp::Smod, src) => self.divide(Division { width, signed: true, remainder: true }, dst, src),
        }
    }

    /// By a constant, without the multiplier where an address or a shift does it sooner.
    fn multiply(&mut self, wide: bool, dst: Gpr, factor: i32) {
        match factor {
            3 | 5 | 9 => {
                let shift = (factor - 1).trailing_zeros() as u8;
                self.asm.lea(wide, dst, Rm::Index(dst, dst, shift, 0));
            }
            2.. if factor & (factor - 1) == 0 => {
                self.asm.shift_imm(wide, Shift::Shl, dst, factor.trailing_zeros() as u8);
            }
            _ => self.asm.imul_imm(wide, dst, dst, factor),
        }
    }

    #[inline]
    fn simple(&mut self, wide: bool, op: Op, dst: Gpr, src: Operand) {
        match src {
            Operand::Reg(src) => self.asm.op(wide, op, dst, gpr(src)),
            Operand::Imm(imm) if self.is_blind() => {
                let src = self.blinded(imm);
                self.asm.op(wide, op, dst, src);
            }
            Operand::Imm(imm) => {
                // The upper half of the result is zero with or without a wide operation.
                let wide = wide && !(op == Op::And && imm >= 0);
                self.asm.op_imm(wide, op, Rm::Reg(dst), imm);
            }
        }
    }

    fn shift(&mut self, wide: bool, shift: Shift, dst: Gpr, src: Operand) {
        let src = match src {
            Operand::Imm(imm) => {
                let count = imm & if wide { 63 } else { 31 };
                if count != 0 {
                    self.asm.shift_imm(wide, shift, dst, count as u8);
                } else if !wide {
                    self.asm.mov(false, dst, dst);
                }
                return;
            }
            Operand::Reg(src) => gpr(src),
        };
        if self.source.features.bmi2 {
            return self.asm.shift_bmi2(wide, shift, dst, dst, src);
        }
        // The count must be in `cl`.
        if src == Gpr::RCX && dst != Gpr::RCX {
            return self.asm.shift_cl(wide, shift, dst);
        }
        self.asm.mov(true, Gpr::R11, dst);
        if src != Gpr::RCX {
            self.asm.mov(true, Gpr::R10, Gpr::RCX);
            self.asm.mov(true, Gpr::RCX, src);
        }
        self.asm.shift_cl(wide, shift, Gpr::R11);
        if src != Gpr::RCX {
            self.asm.mov(true, Gpr::RCX, Gpr::R10);
        }
        self.asm.mov(true, dst, Gpr::R11);
    }

    #[inline(always)]
    pub fn mov(&mut self, width: Width, dst: Reg, src: Operand) {
        let (wide, to) = (width == Width::W64, gpr(dst));
        match src {
            Operand::Imm(0) => self.asm.zero(to),
            Operand::Imm(imm) if wide => self.constant(to, i64::from(imm) as u64),
            Operand::Imm(imm) => self.constant(to, u64::from(imm as u32)),
            Operand::Reg(src) if src == dst && (wide || self.known.is_narrow(dst)) => {}
            Operand::Reg(src) => self.asm.mov(wide, to, gpr(src)),
        }
    }

    pub fn mov_sign_extended(&mut self, width: Width, bits: u8, dst: Reg, src: Reg) {
        let bytes = u32::from(bits) / 8;
        match width {
            Width::W64 => self.asm.load(bytes, true, gpr(dst), Rm::Reg(gpr(src))),
            Width::W32 => self.asm.load_signed_narrow(bytes, gpr(dst), Rm::Reg(gpr(src))),
        }
    }

    pub fn neg(&mut self, width: Width, dst: Reg) {
        self.asm.unary(width == Width::W64, Unary::Neg, gpr(dst));
    }

    pub fn swap(&mut self, kind: Endian, bits: u8, dst: Reg) {
        let reg = gpr(dst);
        let swaps = match kind {
            Endian::ToLe => false,
            Endian::ToBe | Endian::Bswap => true,
        };
        match (bits, swaps) {
            (16, true) => {
                self.asm.swap16(reg);
                self.asm.load(2, false, reg, Rm::Reg(reg));
            }
            (16, false) => self.asm.load(2, false, reg, Rm::Reg(reg)),
            (32, true) => self.asm.bswap(false, reg),
            (32, false) => self.asm.mov(false, reg, reg),
            (_, true) => self.asm.bswap(true, reg),
            (_, false) => {}
        }
    }
}

/// What a division computes.
#[derive(Clone, Copy)]
struct Division {
    width: Width,
    signed: bool,
    remainder: bool,
}

impl Translator<'_> {
    fn divide(&mut self, division: Division, dst: Reg, src: Operand) {
        let division = self.narrowed(division, dst, src);
        let Division { width, signed, remainder } = division;
        let (wide, dst) = (width == Width::W64, gpr(dst));
        let src = match src {
            Operand::Imm(imm) => return self.divide_by_constant(division, dst, imm),
            Operand::Reg(src) => src,
        };
        let (divisor, back) = (gpr(src), self.asm.label());
        if !self.known.is_nonzero(width, src) {
            self.asm.test(wide, divisor, divisor);
            let by_zero = self.rare(Cold::ByZero { width, remainder, dst, back });
            self.asm.jump_if(Cc::Equal, by_zero);
        }
        if signed {
            // The smallest number divided by -1 traps.
            self.asm.op_imm(wide, Op::Cmp, Rm::Reg(divisor), -1);
            let by_minus_one = self.rare(Cold::ByMinusOne { width, remainder, dst, back });
            self.asm.jump_if(Cc::Equal, by_minus_one);
        }
        self.divide_by_register(division, dst, divisor);
        self.asm.bind(back);
    }

    /// A division of numbers without upper halves is one of lower halves, which takes the processor less time.
    fn narrowed(&self, division: Division, dst: Reg, src: Operand) -> Division {
        let is_narrow = self.known.is_narrow(dst)
            && match src {
                Operand::Reg(src) => self.known.is_narrow(src),
                Operand::Imm(imm) => imm >= 0,
            };
        match is_narrow && !division.signed {
            true => Division { width: Width::W32, ..division },
            false => division,
        }
    }

    /// The divisor is neither 0 nor, with a sign, -1. The processor divides `rdx:rax`.
    fn divide_by_register(&mut self, division: Division, dst: Gpr, mut divisor: Gpr) {
        let Division { width, signed, remainder } = division;
        let wide = width == Width::W64;
        if divisor == Gpr::RAX || divisor == Gpr::RDX {
            self.asm.mov(true, Gpr::R9, divisor);
            divisor = Gpr::R9;
        }
        if dst != Gpr::RAX {
            self.asm.mov(true, Gpr::R11, Gpr::RAX);
            self.asm.mov(true, Gpr::RAX, dst);
        }
        if dst != Gpr::RDX {
            self.asm.mov(true, Gpr::R10, Gpr::RDX);
        }
        if signed {
            self.asm.sign_to_rdx(wide);
            self.asm.unary(wide, Unary::Idiv, divisor);
        } else {
            self.asm.zero(Gpr::RDX);
            self.asm.unary(wide, Unary::Div, divisor);
        }
        let result = if remainder { Gpr::RDX } else { Gpr::RAX };
        if result != dst {
            self.asm.mov(true, dst, result);
        }
        if dst != Gpr::RAX {
            self.asm.mov(true, Gpr::RAX, Gpr::R11);
        }
        if dst != Gpr::RDX {
            self.asm.mov(true, Gpr::RDX, Gpr::R10);
        }
    }

    fn divide_by_constant(&mut self, division: Division, dst: Gpr, imm: i32) {
        let Division { width, signed, remainder } = division;
        let wide = width == Width::W64;
        let value = i64::from(imm) as u64;
        let unsigned = if wide { value } else { u64::from(imm as u32) };
        match imm {
            0 if remainder => self.keep(width, dst),
            0 => self.asm.zero(dst),
            -1 if signed && remainder => self.asm.zero(dst),
            -1 if signed => self.asm.unary(wide, Unary::Neg, dst),
            _ if !signed && unsigned.is_power_of_two() && remainder => match i32::try_from(unsigned - 1) {
                Ok(mask) if !self.is_blind() => self.asm.op_imm(false, Op::And, Rm::Reg(dst), mask),
                Ok(_) | Err(_) => self.divide_by_loaded(division, dst, unsigned),
            },
            1 if remainder => self.asm.zero(dst),
            1 => self.keep(width, dst),
            _ if !signed && unsigned.is_power_of_two() => {
                self.asm.shift_imm(wide, Shift::Shr, dst, unsigned.trailing_zeros() as u8);
            }
            _ => self.divide_by_loaded(division, dst, if signed { value } else { unsigned }),
        }
    }

    fn divide_by_loaded(&mut self, division: Division, dst: Gpr, divisor: u64) {
        self.constant(Gpr::R9, divisor);
        self.divide_by_register(division, dst, Gpr::R9);
    }

    /// A narrow operation that changes nothing but the upper half.
    fn keep(&mut self, width: Width, dst: Gpr) {
        if width == Width::W32 {
            self.asm.mov(false, dst, dst);
        }
    }

    pub fn divided_by_zero(&mut self, width: Width, remainder: bool, dst: Gpr, back: Label) {
        if remainder {
            self.keep(width, dst);
        } else {
            self.asm.zero(dst);
        }
        self.asm.jump(back);
    }

    pub fn divided_by_minus_one(&mut self, width: Width, remainder: bool, dst: Gpr, back: Label) {
        if remainder {
            self.asm.zero(dst);
        } else {
            self.asm.unary(width == Width::W64, Unary::Neg, dst);
        }
        self.asm.jump(back);
    }
}
