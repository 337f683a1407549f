//! Builtins that compute: counts of bits, rotations, alignment, checked arithmetic, absolute values.
//!
//! In: the arguments of a call, already counted. Out: an expression of the builtin's type, which
//! evaluates each argument once; a constant where the arguments are.

use skep_syntax::ast::ExprId;
use skep_syntax::diag::codes;
use skep_syntax::source::Span;

use crate::hir::{BinaryOp, Builtin, CompareOp, Expr, ExprKind, UnaryOp};
use crate::types::{IntKind, TypeId};

use super::Sema;

/// What an alignment builtin asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Align {
    /// Is the value aligned?
    Is,
    /// The next aligned value, or this one.
    Up,
    /// The last aligned value, or this one.
    Down,
}

impl Sema<'_, '_> {
    /// `(x)` or `(x, otherwise)`: counts the bits of an unsigned operand of any size; with a second
    /// argument, that is the answer for zero.
    pub(super) fn count_generic(&mut self, count: Builtin, args: &[ExprId], span: Span) -> Option<Expr> {
        let value = self.rvalue(*args.first()?);
        let kind = self.types.int_kind(value.ty).filter(|kind| !kind.is_signed() && kind.size() <= 8);
        let Some(kind) = kind else {
            if !self.is_error(value.ty) {
                let message = format!("the bits of {} are not counted", self.shown(value.ty));
                self.error(&codes::BUILTIN_USE, span, message);
            }
            return None;
        };
        let Some(&otherwise) = args.get(1) else { return Some(self.count_bits(count, value, kind, span)) };
        let otherwise = self.rvalue(otherwise);
        let otherwise = self.convert(otherwise, TypeId::int(IntKind::Int));
        let (store, value) = self.temporary(value, span)?;
        let zero = self.int_expr(0, kind, span);
        let zero = self.convert(zero, value.ty);
        let is_zero = self.compare_expr(CompareOp::Eq, value.clone(), zero, span);
        let counted = self.count_bits(count, value, kind, span);
        Some(self.after(store, self.choice(is_zero, otherwise, counted)))
    }

    /// Counts bits of an operand of that kind; operands narrower than `int` are counted as one.
    pub(super) fn count_bits(&mut self, count: Builtin, value: Expr, kind: IntKind, span: Span) -> Expr {
        let wide = if kind.size() < 4 { IntKind::UInt } else { kind };
        let value = self.convert(value, TypeId::int(wide));
        let counted = self.builtin(count, vec![value], TypeId::int(IntKind::Int), span);
        let above = i128::from((wide.size() - kind.size()) * 8);
        if count != Builtin::Clz || above == 0 {
            return counted;
        }
        let above = self.int_expr(above, IntKind::Int, span);
        self.binary_expr(BinaryOp::Sub, counted, above, TypeId::int(IntKind::Int), span)
    }

    /// `(x, n)`: the bits of x moved up by n places, those that fall off coming in below; or down.
    pub(super) fn rotate(&mut self, left: bool, kind: IntKind, args: &[ExprId], span: Span) -> Option<Expr> {
        let ty = TypeId::int(kind);
        let value = self.builtin_arg(args, 0, ty)?;
        let places = self.builtin_arg(args, 1, ty)?;
        let places = if left { places } else { self.unary_expr(UnaryOp::Neg, places, span) };
        Some(self.builtin(Builtin::RotateLeft, vec![value, places], ty, span))
    }

    /// `(x, alignment)`, for integers and pointers. A pointer stays one: what is added to it or taken
    /// from it is computed from its address.
    pub(super) fn align(&mut self, what: Align, args: &[ExprId], span: Span) -> Option<Expr> {
        let [value, alignment] = args else { return None };
        let (value, alignment) = (self.rvalue(*value), self.rvalue(*alignment));
        let errors = self.is_error(value.ty) || self.is_error(alignment.ty);
        let pointer = self.is_pointer(value.ty);
        if errors || !(pointer || self.is_integer(value.ty)) || !self.is_integer(alignment.ty) {
            if !errors {
                let message = "the operands are an integer or pointer, and an alignment";
                self.error(&codes::BUILTIN_USE, span, message);
            }
            return None;
        }
        let kind = self.scalar_kind(value.ty)?;
        let word = TypeId::int(kind);
        let one = self.int_expr(1, kind, span);
        let alignment = self.convert(alignment, word);
        let mask = self.binary_expr(BinaryOp::Sub, alignment, one, word, span);
        let (store, value) = self.temporary(value, span)?;
        let number = self.convert(value.clone(), word);
        let number = if what == Align::Up { self.unary_expr(UnaryOp::Neg, number, span) } else { number };
        let rest = self.binary_expr(BinaryOp::And, number, mask, word, span);
        let result = match what {
            Align::Is => {
                let zero = self.int_expr(0, kind, span);
                let zero = self.compare_expr(CompareOp::Eq, rest, zero, span);
                self.convert(zero, TypeId::int(IntKind::Bool))
            }
            Align::Up | Align::Down if pointer => {
                let negate = what == Align::Down;
                let ty = value.ty;
                let (pointer, index) = (Box::new(value), Box::new(rest));
                self.fold(Expr { kind: ExprKind::PtrAdd { pointer, index, scale: 1, negate }, ty, span })
            }
            Align::Up => self.binary_expr(BinaryOp::Add, value, rest, word, span),
            Align::Down => self.binary_expr(BinaryOp::Sub, value, rest, word, span),
        };
        Some(self.after(store, result))
    }

    /// `store, value`.
    pub(super) fn after(&self, store: Expr, value: Expr) -> Expr {
        if matches!(&store.kind, ExprKind::Convert(inner) if matches!(inner.kind, ExprKind::Const(_))) {
            return value;
        }
        let (ty, span) = (value.ty, value.span);
        Expr { kind: ExprKind::Comma(Box::new(store), Box::new(value)), ty, span }
    }

    /// `cond ? then : els`, both of one type.
    pub(super) fn choice(&self, cond: Expr, then: Expr, els: Expr) -> Expr {
        let (ty, span) = (then.ty, cond.span);
        self.fold(Expr {
            kind: ExprKind::Cond { cond: Box::new(cond), then: Box::new(then), els: Box::new(els) },
            ty,
            span,
        })
    }

    /// `x < 0 ? -x : x`, with x evaluated once.
    pub(super) fn abs(&mut self, args: &[ExprId], kind: IntKind, span: Span) -> Option<Expr> {
        let ty = TypeId::int(kind);
        let value = self.builtin_arg(args, 0, ty)?;
        let (store, local) = self.temporary(value, span)?;
        let zero = self.int_expr(0, kind, span);
        let negative = self.compare_expr(CompareOp::Lt, local.clone(), zero, span);
        let negated = self.unary_expr(UnaryOp::Neg, local.clone(), span);
        Some(self.after(store, self.choice(negative, negated, local)))
    }

    /// `(a, b, p)`: computed as if without limit, stored through p, true if it did not fit.
    pub(super) fn overflow(
        &mut self,
        op: BinaryOp,
        kind: Option<IntKind>,
        args: &[ExprId],
        span: Span,
    ) -> Option<Expr> {
        let [a, b, p] = args else { return None };
        let pointer = self.rvalue(*p);
        let (mut a, mut b) = (self.rvalue(*a), self.rvalue(*b));
        let target = self.types.pointee(pointer.ty).and_then(|to| self.types.int_kind(to));
        let (Some(target), true, true) = (target, self.is_integer(a.ty), self.is_integer(b.ty)) else {
            if ![pointer.ty, a.ty, b.ty].iter().any(|&ty| self.is_error(ty)) {
                let message = "the operands are two integers and a pointer to an integer";
                self.error(&codes::BUILTIN_USE, span, message);
            }
            return None;
        };
        let fits = |s: &mut Self, e: &Expr| match (s.const_int(e), s.types.int_kind(e.ty)) {
            (Some(value), _) => {
                super::consteval::extend(super::consteval::truncate(value as u128, target), target) == value
            }
            (None, Some(from)) if from.is_signed() == target.is_signed() => from.size() <= target.size(),
            (None, Some(from)) => from.size() < target.size() && target.is_signed(),
            (None, None) => false,
        };
        if let Some(kind) = kind {
            // The parameters have types: the arguments are converted to them like any others.
            a = self.convert(a, TypeId::int(kind));
            b = self.convert(b, TypeId::int(kind));
        } else if fits(self, &a) && fits(self, &b) {
            a = self.convert(a, TypeId::int(target));
            b = self.convert(b, TypeId::int(target));
        } else if let Some(wide) =
            [&a, &b].into_iter().find(|e| self.types.int_kind(e.ty).is_some_and(|k| k.size() > 8))
        {
            self.unsupported(wide.span, "checked arithmetic of operands that are wider than the result");
            return None;
        }
        Some(self.builtin(Builtin::Overflow(op), vec![a, b, pointer], TypeId::int(IntKind::Bool), span))
    }
}
