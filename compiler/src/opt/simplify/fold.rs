//! Arithmetic on constants.
//!
//! In: an operation and the bits of its operands. Out: the bits of the result, truncated to its
//! type. Invariant: every operation is total and means what the BPF instruction set says:
//! `x / 0 = 0`, `x % 0 = x`, shift counts modulo the width.

use crate::ir::{BinaryOp, Compare, ConvertOp, Type, UnaryOp};

/// `a op b` on `ty`.
pub fn binary(op: BinaryOp, ty: Type, a: u64, b: u64) -> u64 {
    let (a, b) = (a & ty.mask(), b & ty.mask());
    let (sa, sb) = (ty.sign_extend(a), ty.sign_extend(b));
    let shift = (b % u64::from(ty.bits())) as u32;
    let result = match op {
        BinaryOp::Add => a.wrapping_add(b),
        BinaryOp::Sub => a.wrapping_sub(b),
        BinaryOp::Mul => a.wrapping_mul(b),
        BinaryOp::Udiv => a.checked_div(b).unwrap_or(0),
        BinaryOp::Urem => a.checked_rem(b).unwrap_or(a),
        BinaryOp::Sdiv if sb == 0 => 0,
        BinaryOp::Sdiv => sa.wrapping_div(sb) as u64,
        BinaryOp::Srem if sb == 0 => a,
        BinaryOp::Srem => sa.wrapping_rem(sb) as u64,
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
        BinaryOp::Shl => a << shift,
        BinaryOp::Lshr => a >> shift,
        BinaryOp::Ashr => (sa >> shift) as u64,
    };
    result & ty.mask()
}

/// `op a` on `ty`.
pub fn unary(op: UnaryOp, ty: Type, a: u64) -> u64 {
    let a = a & ty.mask();
    let result = match op {
        UnaryOp::Neg => a.wrapping_neg(),
        UnaryOp::Not => !a,
        UnaryOp::Bswap => a.swap_bytes() >> (64 - ty.bits()),
    };
    result & ty.mask()
}

/// `a op b` for operands of type `ty`.
pub fn compare(op: Compare, ty: Type, a: u64, b: u64) -> bool {
    let (a, b) = (a & ty.mask(), b & ty.mask());
    let (sa, sb) = (ty.sign_extend(a), ty.sign_extend(b));
    match op {
        Compare::Eq => a == b,
        Compare::Ne => a != b,
        Compare::Ult => a < b,
        Compare::Ule => a <= b,
        Compare::Ugt => a > b,
        Compare::Uge => a >= b,
        Compare::Slt => sa < sb,
        Compare::Sle => sa <= sb,
        Compare::Sgt => sa > sb,
        Compare::Sge => sa >= sb,
    }
}

/// A conversion of `a` from `from` to `to`.
pub fn convert(op: ConvertOp, from: Type, to: Type, a: u64) -> u64 {
    let result = match op {
        ConvertOp::Zext | ConvertOp::Trunc | ConvertOp::PtrToInt | ConvertOp::IntToPtr => a & from.mask(),
        ConvertOp::Sext => from.sign_extend(a) as u64,
    };
    result & to.mask()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_is_total() {
        assert_eq!(binary(BinaryOp::Udiv, Type::I32, 7, 0), 0);
        assert_eq!(binary(BinaryOp::Urem, Type::I32, 7, 0), 7);
        assert_eq!(binary(BinaryOp::Sdiv, Type::I32, 1 << 31, u64::MAX), 1 << 31);
        assert_eq!(binary(BinaryOp::Srem, Type::I64, 1 << 63, u64::MAX), 0);
    }

    #[test]
    fn narrow_operations_wrap_at_their_width() {
        assert_eq!(binary(BinaryOp::Add, Type::I32, 0xffff_ffff, 1), 0);
        assert_eq!(binary(BinaryOp::Shl, Type::I32, 1, 33), 2);
        assert_eq!(binary(BinaryOp::Ashr, Type::I32, 0x8000_0000, 31), 0xffff_ffff);
        assert_eq!(unary(UnaryOp::Bswap, Type::I16, 0x1234), 0x3412);
        assert_eq!(unary(UnaryOp::Not, Type::I1, 1), 0);
        assert_eq!(convert(ConvertOp::Sext, Type::I8, Type::I32, 0x80), 0xffff_ff80);
        assert!(compare(Compare::Slt, Type::I32, 0xffff_ffff, 0));
    }
}
