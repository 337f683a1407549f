//! Conversions made explicit, and expression nodes that fold when their operands are constants.
//!
//! Out of here comes every [`ExprKind::Convert`]; what a conversion does follows from the two
//! types. The rules for implicit conversions, with their errors, are [`Sema::assigned`].

use skep_syntax::diag::{Diag, codes};
use skep_syntax::source::Span;

use crate::hir::{BinaryOp, Builtin, CompareOp, Expr, ExprKind, Place, PlaceKind, UnaryOp};
use crate::types::{IntKind, Type, TypeId};

use super::Sema;
use super::consteval::{self, Constant};

/// Where an implicit conversion happens, for the wording of its errors.
#[derive(Clone, Copy, Debug)]
pub enum Use {
    Assign,
    Init,
    /// The argument of this number, from 1.
    Arg(usize),
    Return,
}

impl Use {
    fn words(self) -> String {
        match self {
            Use::Assign => "assigned to".into(),
            Use::Init => "used to initialise".into(),
            Use::Arg(n) => format!("passed as argument {n} to a parameter of type"),
            Use::Return => "returned from a function with result".into(),
        }
    }
}

impl Sema<'_, '_> {
    // ------------------------------------------------------------ nodes

    /// A node that stands for an error.
    pub(super) fn error_expr(&self, span: Span) -> Expr {
        Expr { kind: ExprKind::Error, ty: TypeId::ERROR, span }
    }

    /// An integer constant.
    pub(super) fn int_expr(&self, value: i128, kind: IntKind, span: Span) -> Expr {
        let bits = consteval::truncate(value as u128, kind);
        Expr { kind: ExprKind::Const(bits), ty: TypeId::int(kind), span }
    }

    fn constant_expr(&self, value: Constant, ty: TypeId, span: Span) -> Option<Expr> {
        let kind = match value {
            Constant::Int(bits) => ExprKind::Const(bits),
            Constant::Float(value) => ExprKind::Float(value),
            Constant::Address { .. } => return None,
        };
        Some(Expr { kind, ty, span })
    }

    /// The value of a constant leaf.
    fn leaf(e: &Expr) -> Option<Constant> {
        match e.kind {
            ExprKind::Const(bits) => Some(Constant::Int(bits)),
            ExprKind::Float(value) => Some(Constant::Float(value)),
            _ => None,
        }
    }

    /// `left op right`; both have type `ty` already.
    pub(super) fn binary_expr(&self, op: BinaryOp, left: Expr, right: Expr, ty: TypeId, span: Span) -> Expr {
        let value = match (Self::leaf(&left), Self::leaf(&right)) {
            (Some(Constant::Int(a)), Some(Constant::Int(b))) => {
                self.scalar_kind(ty).and_then(|kind| consteval::binary(op, a, b, kind)).map(ExprKind::Const)
            }
            (Some(Constant::Float(a)), Some(Constant::Float(b))) => {
                consteval::float_binary(op, a, b).map(|value| ExprKind::Float(self.rounded(value, ty)))
            }
            _ => None,
        };
        if let Some(kind) = value {
            return Expr { kind, ty, span };
        }
        Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), ty, span }
    }

    /// `left op right`, both of one type.
    pub(super) fn compare_expr(&self, op: CompareOp, left: Expr, right: Expr, span: Span) -> Expr {
        let int = TypeId::int(IntKind::Int);
        let value = match (Self::leaf(&left), Self::leaf(&right)) {
            (Some(Constant::Int(a)), Some(Constant::Int(b))) => {
                self.scalar_kind(left.ty).map(|kind| consteval::compare(op, a, b, kind))
            }
            (Some(Constant::Float(a)), Some(Constant::Float(b))) => Some(consteval::float_compare(op, a, b)),
            _ => None,
        };
        if let Some(value) = value {
            return Expr { kind: ExprKind::Const(u128::from(value)), ty: int, span };
        }
        Expr { kind: ExprKind::Compare(op, Box::new(left), Box::new(right)), ty: int, span }
    }

    /// `op operand`, which has type `ty` already.
    pub(super) fn unary_expr(&self, op: UnaryOp, operand: Expr, span: Span) -> Expr {
        let ty = operand.ty;
        let node = Expr { kind: ExprKind::Unary(op, Box::new(operand)), ty, span };
        self.fold(node)
    }

    /// The node, or the constant that it is.
    pub(super) fn fold(&self, node: Expr) -> Expr {
        let operands_are_leaves = match &node.kind {
            ExprKind::Unary(_, operand) | ExprKind::Not(operand) | ExprKind::Convert(operand) => {
                Self::leaf(operand).is_some()
            }
            ExprKind::Logical { left, right, .. } => {
                Self::leaf(left).is_some() && Self::leaf(right).is_some()
            }
            ExprKind::Cond { cond, then, els } => {
                Self::leaf(cond).is_some() && Self::leaf(then).is_some() && Self::leaf(els).is_some()
            }
            ExprKind::PtrAdd { pointer, index, .. } => {
                Self::leaf(pointer).is_some() && Self::leaf(index).is_some()
            }
            ExprKind::Builtin(_, args) => args.iter().all(|arg| Self::leaf(arg).is_some()),
            _ => false,
        };
        if operands_are_leaves
            && let Some(value) = self.const_eval(&node)
            && let Some(folded) = self.constant_expr(value, node.ty, node.span)
        {
            return folded;
        }
        node
    }

    /// The address of a place.
    pub(super) fn address_of(&mut self, place: Place) -> Expr {
        let span = place.span;
        let to = place.ty;
        match place.kind {
            PlaceKind::Deref(pointer) => {
                let ty = self.types.pointer(to);
                // The place may have gained qualifiers since.
                Expr { ty, ..*pointer }
            }
            _ => {
                let ty = self.types.pointer(to);
                Expr { kind: ExprKind::Address(place), ty, span }
            }
        }
    }

    // ------------------------------------------------------------ conversions

    /// `e` as a value of type `to`; the conversion has been found to be allowed.
    pub(super) fn convert(&mut self, e: Expr, to: TypeId) -> Expr {
        let to = self.types.unqualified(to);
        if e.ty == to {
            return e;
        }
        if matches!(e.kind, ExprKind::Error) || self.is_error(e.ty) || self.is_error(to) {
            return Expr { kind: ExprKind::Error, ty: to, span: e.span };
        }
        if self.types.canonical(e.ty) == self.types.canonical(to) {
            return Expr { ty: to, ..e };
        }
        if let Some(value) = Self::leaf(&e)
            && let Some(value) = self.converted(value, e.ty, to)
            && let Some(folded) = self.constant_expr(value, to, e.span)
        {
            return folded;
        }
        let span = e.span;
        if let (Some(from), Some(into)) = (self.types.pointee(e.ty), self.types.pointee(to)) {
            let (from, into) = (self.types.address_space(from), self.types.address_space(into));
            if from != into {
                let number = |space: u32| self.int_expr(space.into(), IntKind::UInt, span);
                let args = vec![number(from), number(into)];
                let args = std::iter::once(e).chain(args).collect();
                return Expr { kind: ExprKind::Builtin(Builtin::AddrSpaceCast, args), ty: to, span };
            }
        }
        Expr { kind: ExprKind::Convert(Box::new(e)), ty: to, span }
    }

    /// `e` with the integer promotions.
    pub(super) fn promote(&mut self, e: Expr) -> Expr {
        match self.promoted_kind(&e) {
            Some(kind) => self.convert(e, TypeId::int(kind)),
            None => e,
        }
    }

    /// The kind an integer has after the promotions.
    fn promoted_kind(&self, e: &Expr) -> Option<IntKind> {
        let kind = self.types.int_kind(e.ty)?;
        let width = match &e.kind {
            ExprKind::Load(Place {
                kind: PlaceKind::BitField { width, .. } | PlaceKind::CoreBitField { width, .. },
                ..
            }) => Some(*width),
            _ => None,
        };
        Some(match width {
            // What matters of a bit-field is its width, not its type.
            Some(width) if width < 32 => IntKind::Int,
            Some(32) if kind.is_signed() => IntKind::Int,
            Some(32) => IntKind::UInt,
            Some(_) | None => self.promoted(kind),
        })
    }

    /// The common arithmetic type of two operands.
    pub(super) fn arithmetic_type(&mut self, a: &Expr, b: &Expr) -> TypeId {
        let ty = match (self.types.shape(a.ty), self.types.shape(b.ty)) {
            (Type::Float(x), Type::Float(y)) => {
                if x >= y {
                    a.ty
                } else {
                    b.ty
                }
            }
            (Type::Float(_), _) => a.ty,
            (_, Type::Float(_)) => b.ty,
            _ => match (self.promoted_kind(a), self.promoted_kind(b)) {
                (Some(x), Some(y)) => TypeId::int(self.common_int(x, y)),
                _ => TypeId::ERROR,
            },
        };
        self.types.unqualified(ty)
    }

    /// Both operands in their common arithmetic type.
    pub(super) fn usual_conversions(&mut self, a: Expr, b: Expr) -> (Expr, Expr, TypeId) {
        let ty = self.arithmetic_type(&a, &b);
        self.check_narrowing(&a, ty);
        self.check_narrowing(&b, ty);
        (self.convert(a, ty), self.convert(b, ty), ty)
    }

    /// Is it a null pointer constant: 0, or 0 converted to `void *`?
    pub(super) fn is_null(&self, e: &Expr) -> bool {
        match e.kind {
            ExprKind::Const(0) => match *self.types.shape(e.ty) {
                Type::Int(_) | Type::Enum(_) => true,
                Type::Pointer(to) => *self.types.get(to) == Type::Void,
                _ => false,
            },
            _ => false,
        }
    }

    // ------------------------------------------------------------ implicit conversions

    /// `e` as it is stored in an object of type `to`, with the errors of an implicit conversion.
    pub(super) fn assigned(&mut self, e: Expr, to: TypeId, at: Use) -> Expr {
        let to = self.types.unqualified(to);
        if self.is_error(e.ty) || self.is_error(to) {
            return Expr { kind: ExprKind::Error, ty: to, span: e.span };
        }
        self.forgive_packed_address(e.span, to);
        let (from_pointer, to_pointer) = (self.types.pointee(e.ty), self.types.pointee(to));
        match (from_pointer, to_pointer) {
            (_, Some(_)) if self.is_null(&e) => {}
            (Some(from), Some(into)) => self.check_pointers(&e, from, into, to, at),
            (Some(_), None) if self.types.int_kind(to) == Some(IntKind::Bool) => {}
            (Some(_), None) if self.is_integer(to) => {
                self.int_conversion(&e, to, at, "a pointer", "an integer")
            }
            (None, Some(_)) if self.is_integer(e.ty) => {
                self.int_conversion(&e, to, at, "an integer", "a pointer");
            }
            _ if self.is_arithmetic(e.ty) && self.is_arithmetic(to) => self.check_narrowing(&e, to),
            _ if self.same_record(e.ty, to) => {}
            _ => {
                return self.mismatch(&e, to, at);
            }
        }
        self.convert(e, to)
    }

    fn same_record(&self, a: TypeId, b: TypeId) -> bool {
        let record = self.types.record_of(a);
        record.is_some() && record == self.types.record_of(b)
    }

    fn mismatch(&mut self, e: &Expr, to: TypeId, at: Use) -> Expr {
        let message = if self.is_void(e.ty) {
            "a value is needed here, but the expression is `void`".to_owned()
        } else {
            format!("{} cannot be {} {}", self.shown(e.ty), at.words(), self.shown(to))
        };
        self.error(&codes::MISMATCH, e.span, message);
        Expr { kind: ExprKind::Error, ty: to, span: e.span }
    }

    fn int_conversion(&mut self, e: &Expr, to: TypeId, at: Use, from: &str, into: &str) {
        let message = format!("{} is {} {}", self.shown(e.ty), at.words(), self.shown(to));
        let diag = Diag::new(&codes::INT_CONVERSION, e.span, message);
        self.report(diag.with_help(format!("{from} becomes {into} only by a cast")));
    }

    fn check_pointers(&mut self, e: &Expr, from: TypeId, into: TypeId, to: TypeId, at: Use) {
        let (spaces_from, spaces_to) = (self.types.address_space(from), self.types.address_space(into));
        let words = at.words();
        if spaces_from != spaces_to {
            let message = format!(
                "{} in address space {spaces_from} is {words} {} in address space {spaces_to}",
                self.shown(e.ty),
                self.shown(to)
            );
            self.error(&codes::MISMATCH, e.span, message);
            return;
        }
        let is_function = |s: &Self, ty| matches!(s.types.shape(ty), Type::Function(_));
        let compatible = self.compatible_unqualified(from, into);
        if !compatible && !self.is_void(from) && !self.is_void(into) {
            let message = format!("{} is {words} {}", self.shown(e.ty), self.shown(to));
            if is_function(self, from) && is_function(self, into) {
                self.error(&codes::MISMATCH, e.span, message);
            } else if self.differ_in_sign(from, into) {
                self.warn(&codes::POINTER_SIGN, e.span, message);
            } else {
                self.warn(&codes::POINTER_TYPES, e.span, message);
            }
            return;
        }
        let lost = self.object_quals(from);
        if !self.object_quals(into).contains(lost) && !is_function(self, from) {
            let message =
                format!("{} is {words} {}, which drops a qualifier", self.shown(e.ty), self.shown(to));
            self.warn(&codes::DISCARDS_QUALIFIERS, e.span, message);
        }
    }

    fn differ_in_sign(&self, a: TypeId, b: TypeId) -> bool {
        match (self.types.int_kind(a), self.types.int_kind(b)) {
            (Some(a), Some(b)) => {
                a != IntKind::Bool
                    && b != IntKind::Bool
                    && super::compat::unsigned_of(a) == super::compat::unsigned_of(b)
            }
            _ => false,
        }
    }

    /// `e` as something that is compared with zero.
    pub(super) fn condition(&mut self, e: Expr) -> Expr {
        if self.is_error(e.ty) || self.is_scalar(e.ty) {
            return e;
        }
        let message = if self.is_void(e.ty) {
            "a condition cannot be `void`".to_owned()
        } else {
            format!("a condition cannot be of type {}", self.shown(e.ty))
        };
        self.error(&codes::OPERANDS, e.span, message);
        self.error_expr(e.span)
    }
}
