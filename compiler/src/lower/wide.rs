//! 128-bit integers as pairs of 64-bit halves.
//!
//! Addition, subtraction, bit operations, comparisons and shifts by constants are done here; the
//! rest becomes [`Intrinsic::Wide`], which is refused unless it turns out to be dead.

use super::expr::{Rvalue, compare_op};
use super::func::Lowering;
use crate::hir::{BinaryOp, CompareOp, UnaryOp};
use crate::ir::{self, Compare, ConvertOp, Intrinsic, Type, Value};

impl Lowering<'_> {
    pub fn wide_unary(&mut self, op: UnaryOp, lo: Value, hi: Value) -> Rvalue {
        match op {
            UnaryOp::BitNot => {
                Rvalue::Two { lo: self.unary(ir::UnaryOp::Not, lo), hi: self.unary(ir::UnaryOp::Not, hi) }
            }
            UnaryOp::Neg => {
                let zero = self.iconst(Type::I64, 0);
                self.wide_sub([zero, zero], [lo, hi])
            }
        }
    }

    fn pair(&mut self, value: Rvalue, signed: bool) -> Option<[Value; 2]> {
        match value {
            Rvalue::Two { lo, hi } => Some([lo, hi]),
            Rvalue::One(value) => match self.widened(value, signed) {
                Rvalue::Two { lo, hi } => Some([lo, hi]),
                Rvalue::Void | Rvalue::One(_) | Rvalue::Memory(_) => None,
            },
            Rvalue::Void | Rvalue::Memory(_) => None,
        }
    }

    pub fn wide_binary(&mut self, op: BinaryOp, left: Rvalue, right: Rvalue, signed: bool) -> Rvalue {
        let (Some(a), Some(b)) = (self.pair(left, signed), self.pair(right, signed)) else {
            return Rvalue::Void;
        };
        match op {
            BinaryOp::Add => self.wide_add(a, b),
            BinaryOp::Sub => self.wide_sub(a, b),
            BinaryOp::And => self.halfwise(ir::BinaryOp::And, a, b),
            BinaryOp::Or => self.halfwise(ir::BinaryOp::Or, a, b),
            BinaryOp::Xor => self.halfwise(ir::BinaryOp::Xor, a, b),
            BinaryOp::Shl | BinaryOp::Shr => match self.f.constant(b[0]) {
                Some(count) => self.wide_shift(op == BinaryOp::Shl, a, count as u32 % 128, signed),
                None => self.unsupported_wide(a, b),
            },
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => self.unsupported_wide(a, b),
        }
    }

    fn unsupported_wide(&mut self, a: [Value; 2], b: [Value; 2]) -> Rvalue {
        let part = self.intrinsic(Intrinsic::Wide, vec![a[0], a[1], b[0], b[1]], Type::I64);
        Rvalue::Two { lo: part, hi: part }
    }

    fn halfwise(&mut self, op: ir::BinaryOp, a: [Value; 2], b: [Value; 2]) -> Rvalue {
        Rvalue::Two { lo: self.binary(op, a[0], b[0]), hi: self.binary(op, a[1], b[1]) }
    }

    fn wide_add(&mut self, a: [Value; 2], b: [Value; 2]) -> Rvalue {
        let lo = self.binary(ir::BinaryOp::Add, a[0], b[0]);
        let carry = self.compare(Compare::Ult, lo, a[0]);
        let carry = self.convert(ConvertOp::Zext, Type::I64, carry);
        let hi = self.binary(ir::BinaryOp::Add, a[1], b[1]);
        Rvalue::Two { lo, hi: self.binary(ir::BinaryOp::Add, hi, carry) }
    }

    fn wide_sub(&mut self, a: [Value; 2], b: [Value; 2]) -> Rvalue {
        let lo = self.binary(ir::BinaryOp::Sub, a[0], b[0]);
        let borrow = self.compare(Compare::Ult, a[0], b[0]);
        let borrow = self.convert(ConvertOp::Zext, Type::I64, borrow);
        let hi = self.binary(ir::BinaryOp::Sub, a[1], b[1]);
        Rvalue::Two { lo, hi: self.binary(ir::BinaryOp::Sub, hi, borrow) }
    }

    fn wide_shift(&mut self, left: bool, [lo, hi]: [Value; 2], count: u32, signed: bool) -> Rvalue {
        let up = ir::BinaryOp::Shl;
        let down = if signed { ir::BinaryOp::Ashr } else { ir::BinaryOp::Lshr };
        if count == 0 {
            return Rvalue::Two { lo, hi };
        }
        if left && count >= 64 {
            let hi = self.binary_const(up, lo, (count - 64).into());
            return Rvalue::Two { lo: self.iconst(Type::I64, 0), hi };
        }
        if left {
            let moved = self.binary_const(ir::BinaryOp::Lshr, lo, (64 - count).into());
            let hi = self.binary_const(up, hi, count.into());
            let hi = self.binary(ir::BinaryOp::Or, hi, moved);
            return Rvalue::Two { lo: self.binary_const(up, lo, count.into()), hi };
        }
        if count >= 64 {
            let lo = self.binary_const(down, hi, (count - 64).into());
            let hi = if signed { self.binary_const(down, hi, 63) } else { self.iconst(Type::I64, 0) };
            return Rvalue::Two { lo, hi };
        }
        let moved = self.binary_const(up, hi, (64 - count).into());
        let lo = self.binary_const(ir::BinaryOp::Lshr, lo, count.into());
        let lo = self.binary(ir::BinaryOp::Or, lo, moved);
        Rvalue::Two { lo, hi: self.binary_const(down, hi, count.into()) }
    }

    pub fn wide_compare(&mut self, op: CompareOp, a: [Value; 2], b: [Value; 2], signed: bool) -> Value {
        let lo = self.binary(ir::BinaryOp::Xor, a[0], b[0]);
        let hi = self.binary(ir::BinaryOp::Xor, a[1], b[1]);
        if let CompareOp::Eq | CompareOp::Ne = op {
            let differs = self.binary(ir::BinaryOp::Or, lo, hi);
            let zero = self.iconst(Type::I64, 0);
            return self.compare(compare_op(op, signed), differs, zero);
        }
        let zero = self.iconst(Type::I64, 0);
        let same_hi = self.compare(Compare::Eq, hi, zero);
        let by_lo = self.compare(compare_op(op, false), a[0], b[0]);
        let by_hi = self.compare(compare_op(op, signed), a[1], b[1]);
        self.select(same_hi, by_lo, by_hi)
    }
}
