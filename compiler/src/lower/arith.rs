//! Arithmetic, comparisons and conversions of scalars; 128-bit operands go on to `wide`.

use super::expr::{Rvalue, binary_op, compare_op};
use super::func::Lowering;
use super::symbols::Kind;
use crate::hir::{BinaryOp, CompareOp, Expr, UnaryOp};
use crate::ir::{self, ConvertOp, Intrinsic, Type, Value};
use crate::types::TypeId;

impl Lowering<'_> {
    /// An integer in another width: extended by its sign or with zeros, or truncated.
    pub fn int_resize(&mut self, value: Value, ty: Type, signed: bool) -> Value {
        let from = self.ty(value);
        match from.bits().cmp(&ty.bits()) {
            std::cmp::Ordering::Equal => value,
            std::cmp::Ordering::Greater => self.convert(ConvertOp::Trunc, ty, value),
            std::cmp::Ordering::Less if signed && from != Type::I1 => {
                self.convert(ConvertOp::Sext, ty, value)
            }
            std::cmp::Ordering::Less => self.convert(ConvertOp::Zext, ty, value),
        }
    }

    /// An integer in a width that arithmetic has.
    pub fn at_least_i32(&mut self, value: Value, signed: bool) -> Value {
        if self.ty(value).bits() < 32 { self.int_resize(value, Type::I32, signed) } else { value }
    }

    pub fn unary_value(&mut self, op: UnaryOp, ty: TypeId, arg: Rvalue) -> Rvalue {
        let ir_op = match op {
            UnaryOp::Neg => ir::UnaryOp::Neg,
            UnaryOp::BitNot => ir::UnaryOp::Not,
        };
        match (arg, self.cx.kind(ty)) {
            (Rvalue::Two { lo, hi }, _) => self.wide_unary(op, lo, hi),
            (Rvalue::One(arg), Kind::Float(ty)) => {
                Rvalue::One(self.intrinsic(Intrinsic::Float, vec![arg], ty))
            }
            (Rvalue::One(arg), kind) => {
                let arg = self.at_least_i32(arg, kind.is_signed());
                let result = self.unary(ir_op, arg);
                Rvalue::One(self.narrow(result, kind))
            }
            (Rvalue::Void | Rvalue::Memory(_), _) => Rvalue::Void,
        }
    }

    /// `left op right` in the type `ty`; a shift count may have another width.
    pub fn arithmetic(&mut self, op: BinaryOp, ty: TypeId, left: Rvalue, right: Rvalue) -> Rvalue {
        let kind = self.cx.kind(ty);
        match (left, right) {
            (Rvalue::Two { .. }, _) | (_, Rvalue::Two { .. }) => {
                self.wide_binary(op, left, right, kind.is_signed())
            }
            (Rvalue::One(left), Rvalue::One(right)) => match kind {
                Kind::Float(ty) => Rvalue::One(self.intrinsic(Intrinsic::Float, vec![left, right], ty)),
                _ => {
                    let signed = kind.is_signed();
                    let left = self.at_least_i32(left, signed);
                    let right = self.int_resize(right, self.ty(left), signed);
                    let result = self.binary(binary_op(op, signed), left, right);
                    Rvalue::One(self.narrow(result, kind))
                }
            },
            _ => Rvalue::Void,
        }
    }

    /// A comparison of two values of type `ty`.
    pub fn comparison(&mut self, op: CompareOp, ty: TypeId, left: Rvalue, right: Rvalue) -> Value {
        let kind = self.cx.kind(ty);
        let signed = kind.is_signed();
        if let (Rvalue::Two { lo: a, hi: b }, Rvalue::Two { lo: c, hi: d }) = (left, right) {
            return self.wide_compare(op, [a, b], [c, d], signed);
        }
        let (left, right) = (self.as_scalar(left, ty), self.as_scalar(right, ty));
        if matches!(kind, Kind::Float(_)) {
            return self.intrinsic(Intrinsic::Float, vec![left, right], Type::I1);
        }
        let (left, right) = (self.at_least_i32(left, signed), self.at_least_i32(right, signed));
        self.compare(compare_op(op, signed), left, right)
    }

    pub fn convert_expr(&mut self, inner: &Expr, to: TypeId) -> Rvalue {
        if let Kind::Int { bool: true, .. } = self.cx.kind(to) {
            let truth = self.truth(inner);
            return Rvalue::One(self.truth_as(truth, to));
        }
        let value = self.expr(inner);
        self.converted(value, inner.ty, to)
    }

    /// A value converted from one C type to another.
    pub fn converted(&mut self, value: Rvalue, from: TypeId, to: TypeId) -> Rvalue {
        let (source, target) = (self.cx.kind(from), self.cx.kind(to));
        if source == target {
            return value;
        }
        match (source, target) {
            (_, Kind::Void) => Rvalue::Void,
            (Kind::Void | Kind::Memory(_), _) | (_, Kind::Memory(_)) => value,
            (_, Kind::Int { bool: true, .. }) => {
                let truth = self.non_zero(value, from);
                Rvalue::One(self.truth_as(truth, to))
            }
            (Kind::Float(_), Kind::Wide { .. }) => {
                let value = self.as_scalar(value, from);
                let part = self.intrinsic(Intrinsic::Float, vec![value], Type::I64);
                Rvalue::Two { lo: part, hi: part }
            }
            (Kind::Float(_), _) | (_, Kind::Float(_)) => {
                let value = self.as_scalar(value, from);
                let ty = target.scalar().unwrap_or(Type::I64);
                Rvalue::One(self.intrinsic(Intrinsic::Float, vec![value], ty))
            }
            (Kind::Wide { .. }, Kind::Wide { .. }) => value,
            (_, Kind::Wide { .. }) => {
                let value = self.as_int(value, from, source);
                self.widened(value, source.is_signed())
            }
            (Kind::Int { .. } | Kind::Pointer | Kind::Wide { .. }, Kind::Int { ty, .. }) => {
                let value = self.as_int(value, from, source);
                Rvalue::One(self.int_resize(value, ty, source.is_signed()))
            }
            (Kind::Int { .. } | Kind::Pointer | Kind::Wide { .. }, Kind::Pointer) => {
                let value = self.as_int(value, from, source);
                let value = self.int_resize(value, Type::I64, source.is_signed());
                Rvalue::One(self.convert(ConvertOp::IntToPtr, Type::Ptr, value))
            }
        }
    }

    /// The low part of a value as an integer.
    fn as_int(&mut self, value: Rvalue, ty: TypeId, kind: Kind) -> Value {
        let value = self.as_scalar(value, ty);
        if kind == Kind::Pointer { self.convert(ConvertOp::PtrToInt, Type::I64, value) } else { value }
    }

    /// A 128-bit integer from one of at most 64 bits.
    pub fn widened(&mut self, value: Value, signed: bool) -> Rvalue {
        let lo = self.int_resize(value, Type::I64, signed);
        let hi =
            if signed { self.binary_const(ir::BinaryOp::Ashr, lo, 63) } else { self.iconst(Type::I64, 0) };
        Rvalue::Two { lo, hi }
    }
}
