//! Which bits of a value are known, from the expression that computes it.
//!
//! In: a function and a value. Out: the bits that are certainly zero and certainly one. Nothing
//! depends on the place of use, so the facts hold wherever the value is. Invariant: only facts that
//! the kernel's verifier derives as well (zero-extending loads, masks, shifts) are used, so what
//! becomes simpler because of them stays provable: of quotients and remainders it knows nothing
//! as of 6.18.

use crate::ir::{BinaryOp, Compare, ConvertOp, Function, InstData, Intrinsic, Type, UnaryOp, Value};
use crate::opt::simplify::fold;

/// How far expressions are followed.
const DEPTH: u32 = 6;

/// Bits of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bits {
    /// Certainly 0; bits above the width of the type are set too.
    pub zeros: u64,
    /// Certainly 1.
    pub ones: u64,
}

impl Bits {
    fn constant(value: u64) -> Bits {
        Bits { zeros: !value, ones: value }
    }

    fn unknown(ty: Type) -> Bits {
        Bits { zeros: !ty.mask(), ones: 0 }
    }

    /// Bits that may be 1.
    pub fn maybe(self) -> u64 {
        !self.zeros
    }

    /// The value when all bits are known.
    pub fn exact(self) -> Option<u64> {
        (self.zeros | self.ones == u64::MAX).then_some(self.ones)
    }

    /// Is the sign bit of this type certainly 0?
    pub fn is_non_negative(self, ty: Type) -> bool {
        self.zeros >> (ty.bits() - 1) & 1 == 1
    }

    /// Does the value fit a narrower type, zero-extended?
    pub fn fits(self, ty: Type) -> bool {
        self.maybe() & !ty.mask() == 0
    }

    /// The result of a comparison, if these bits decide it.
    pub fn compare(self, op: Compare, other: Bits, ty: Type) -> Option<bool> {
        if self.ones & other.zeros != 0 || self.zeros & ty.mask() & other.ones != 0 {
            match op {
                Compare::Eq => return Some(false),
                Compare::Ne => return Some(true),
                _ => {}
            }
        }
        let unsigned = |low: u64, high: u64, low2: u64, high2: u64| match op {
            Compare::Ult | Compare::Slt if high < low2 => Some(true),
            Compare::Ult | Compare::Slt if low >= high2 => Some(false),
            Compare::Ule | Compare::Sle if high <= low2 => Some(true),
            Compare::Ule | Compare::Sle if low > high2 => Some(false),
            Compare::Ugt | Compare::Sgt if low > high2 => Some(true),
            Compare::Ugt | Compare::Sgt if high <= low2 => Some(false),
            Compare::Uge | Compare::Sge if low >= high2 => Some(true),
            Compare::Uge | Compare::Sge if high < low2 => Some(false),
            _ => None,
        };
        let signed = matches!(op, Compare::Slt | Compare::Sle | Compare::Sgt | Compare::Sge);
        if signed && !(self.is_non_negative(ty) && other.is_non_negative(ty)) {
            return match (self.exact(), other.exact()) {
                (Some(a), Some(b)) => Some(fold::compare(op, ty, a, b)),
                // `x < 0` and `x >= 0` for an `x` that is not negative were decided above.
                _ if self.is_non_negative(ty) && other.ones >> (ty.bits() - 1) & 1 == 1 => {
                    Some(matches!(op, Compare::Sgt | Compare::Sge))
                }
                _ => None,
            };
        }
        unsigned(self.ones, self.maybe(), other.ones, other.maybe())
    }
}

/// What is known of a value.
pub fn known(f: &Function, value: Value) -> Bits {
    at_depth(f, value, DEPTH)
}

fn at_depth(f: &Function, value: Value, depth: u32) -> Bits {
    let ty = f.ty(value);
    let unknown = Bits::unknown(ty);
    let Some(data) = f.def(value) else { return unknown };
    if depth == 0 {
        return f.constant(value).map_or(unknown, Bits::constant);
    }
    let of = |v: Value| at_depth(f, v, depth - 1);
    match data {
        InstData::Const { value, .. } => Bits::constant(value & ty.mask()),
        InstData::Convert { op: ConvertOp::Zext, arg, .. } => of(*arg),
        InstData::Convert { op: ConvertOp::Trunc, arg, .. } => {
            let bits = of(*arg);
            Bits { zeros: bits.zeros | !ty.mask(), ones: bits.ones & ty.mask() }
        }
        InstData::Convert { op: ConvertOp::Sext, arg, .. } => {
            let (bits, from) = (of(*arg), f.ty(*arg));
            if bits.is_non_negative(from) { bits } else { unknown }
        }
        InstData::Unary { op: UnaryOp::Neg, .. } => unknown,
        InstData::Unary { op, arg } => unary(*op, ty, of(*arg)),
        // Of these nothing is known, whatever is known of the operands.
        InstData::Binary {
            op: BinaryOp::Sub | BinaryOp::Udiv | BinaryOp::Sdiv | BinaryOp::Urem | BinaryOp::Srem,
            ..
        } => unknown,
        InstData::Binary { op: op @ (BinaryOp::Shl | BinaryOp::Lshr | BinaryOp::Ashr), args: [a, b] } => {
            let count = of(*b);
            if count.exact().is_some() { binary(*op, ty, of(*a), count) } else { unknown }
        }
        InstData::Binary { op, args: [a, b] } => binary(*op, ty, of(*a), of(*b)),
        InstData::Select { args: [a, b], .. } => {
            let (a, b) = (of(*a), of(*b));
            Bits { zeros: a.zeros & b.zeros, ones: a.ones & b.ones }
        }
        InstData::Intrinsic { op: Intrinsic::Clz | Intrinsic::Ctz | Intrinsic::Popcount, .. } => {
            Bits { zeros: !0xff, ones: 0 }
        }
        InstData::Intrinsic { op: Intrinsic::ConstantP, .. } => Bits { zeros: !1, ones: 0 },
        _ => unknown,
    }
}

fn unary(op: UnaryOp, ty: Type, a: Bits) -> Bits {
    match op {
        UnaryOp::Not => Bits { zeros: a.ones | !ty.mask(), ones: a.zeros & ty.mask() },
        UnaryOp::Bswap => {
            let swap = |bits| fold::unary(UnaryOp::Bswap, ty, bits);
            Bits { zeros: swap(a.zeros) | !ty.mask(), ones: swap(a.ones) }
        }
        UnaryOp::Neg => Bits::unknown(ty),
    }
}

fn binary(op: BinaryOp, ty: Type, a: Bits, b: Bits) -> Bits {
    let count = b.exact().map(|n| (n % u64::from(ty.bits())) as u32);
    match (op, count) {
        (BinaryOp::And, _) => Bits { zeros: a.zeros | b.zeros, ones: a.ones & b.ones },
        (BinaryOp::Or, _) => Bits { zeros: a.zeros & b.zeros, ones: a.ones | b.ones },
        (BinaryOp::Xor, _) => Bits {
            zeros: (a.zeros & b.zeros) | (a.ones & b.ones),
            ones: (a.zeros & b.ones) | (a.ones & b.zeros),
        },
        (BinaryOp::Shl, Some(n)) => {
            Bits { zeros: !((!a.zeros << n) & ty.mask()), ones: (a.ones << n) & ty.mask() }
        }
        (BinaryOp::Lshr, Some(n)) => Bits { zeros: !(!a.zeros >> n), ones: a.ones >> n },
        (BinaryOp::Ashr, Some(n)) if a.is_non_negative(ty) => {
            Bits { zeros: !(!a.zeros >> n), ones: a.ones >> n }
        }
        (BinaryOp::Add, _) => match a.maybe().checked_add(b.maybe()) {
            Some(most) if most & !ty.mask() == 0 => below(most),
            _ => Bits::unknown(ty),
        },
        (BinaryOp::Mul, _) => match a.maybe().checked_mul(b.maybe()) {
            Some(most) if most & !ty.mask() == 0 => below(most),
            _ => Bits::unknown(ty),
        },
        _ => Bits::unknown(ty),
    }
}

/// A value of at most `most`.
fn below(most: u64) -> Bits {
    Bits { zeros: u64::MAX.checked_shl(64 - most.leading_zeros()).unwrap_or(0), ones: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most() {
        assert_eq!(below(0).maybe(), 0);
        assert_eq!(below(5).maybe(), 7);
        assert_eq!(below(u64::MAX).maybe(), u64::MAX);
    }

    #[test]
    fn comparisons_that_bits_decide() {
        let byte = Bits { zeros: !0xff, ones: 0 };
        assert_eq!(byte.compare(Compare::Ult, Bits::constant(256), Type::I32), Some(true));
        assert_eq!(byte.compare(Compare::Slt, Bits::constant(0), Type::I32), Some(false));
        assert_eq!(byte.compare(Compare::Eq, Bits::constant(300), Type::I32), Some(false));
        assert_eq!(byte.compare(Compare::Ult, Bits::constant(255), Type::I32), None);
        assert_eq!(byte.compare(Compare::Sgt, Bits::constant(0xffff_ffff), Type::I32), Some(true));
    }
}
