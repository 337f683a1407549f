//! Implicit conversions of integers that can change a value, and comparisons of mixed signs.
//!
//! In: an expression and the type it becomes. Out: warnings, by clang's rules: a conversion is judged by the
//! values that the expression can have as far as its form tells (a mask, a shift, a comparison narrow them),
//! not by its type alone.
//!
//! ```text
//! u8 x = y & 0xff;     // nothing: eight bits fit
//! u8 x = y;            // implicit-int-conversion
//! int n = -1U;         // sign-conversion
//! ```

use skep_syntax::diag::{Code, codes};
use skep_syntax::source::Span;

use crate::hir::{BinaryOp, CompareOp, Expr, ExprKind, Place, PlaceKind, UnaryOp};
use crate::types::{IntKind, Type, TypeId};

use super::Sema;
use super::consteval;

/// What is judged here, as far as it must be asked for.
pub const CODES: [&Code; 4] =
    [&codes::SHORTEN, &codes::IMPLICIT_INT, &codes::SIGN_CONVERSION, &codes::SIGN_COMPARE];

/// The values of an expression: so many bits, and whether all are zero or more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Range {
    width: u32,
    positive: bool,
}

impl Range {
    fn of_kind(kind: IntKind) -> Range {
        let width = if kind == IntKind::Bool { 1 } else { kind.size() * 8 };
        Range { width, positive: !kind.is_signed() || kind == IntKind::Bool }
    }

    fn of_value(bits: u128, kind: IntKind) -> Range {
        let value = consteval::extend(bits, kind);
        match value < 0 {
            true => Range { width: 128 - (!value as u128).leading_zeros() + 1, positive: false },
            false => Range { width: 128 - (value as u128).leading_zeros(), positive: true },
        }
    }

    fn join(self, other: Range) -> Range {
        Range { width: self.width.max(other.width), positive: self.positive && other.positive }
    }

    /// Of `self & other`: what is zero or more limits the result.
    fn masked(self, other: Range) -> Range {
        let widest = self.width.max(other.width);
        let limit = |range: Range| if range.positive { range.width } else { widest };
        Range { width: limit(self).min(limit(other)), positive: self.positive || other.positive }
    }

    /// Of `self % other`.
    fn remainder(self, other: Range) -> Range {
        let width = self.width.min(other.width + u32::from(other.positive && !self.positive));
        Range { width, positive: self.positive }
    }
}

impl Sema<'_, '_> {
    /// Does nobody ask for this, or can it not happen here?
    fn is_moot(&mut self, span: Span) -> bool {
        if self.ctx.unreached || self.ctx.unevaluated {
            return true;
        }
        // What a macro of the system does is its own business.
        span.lo.is_macro() && self.is_quiet(self.cx.source.spelling(span.lo))
    }

    /// An implicit conversion of `e` to `to`, which is assigned, passed, returned or computed with.
    pub(super) fn check_narrowing(&mut self, e: &Expr, to: TypeId) {
        let (Some(from), Some(into)) = (self.types.int_kind(e.ty), self.types.int_kind(to)) else { return };
        match &e.kind {
            ExprKind::Cond { then, els, .. } => {
                for branch in [then, els] {
                    self.check_narrowing(written(branch), to);
                }
                return;
            }
            ExprKind::Comma(_, last) => return self.check_narrowing(last, to),
            ExprKind::Const(_) => {}
            // Constants that do not fit are spoken of in any case.
            _ if !self.judges_conversions => return,
            _ => {}
        }
        if from == into || into == IntKind::Bool || from == IntKind::Bool || self.is_moot(e.span) {
            return;
        }
        let constant = constant(e, from).or_else(|| self.const_int(e));
        let range = constant.map_or_else(|| self.range(e), |value| Range::of_value(value as u128, from));
        let target = Range::of_kind(into);
        let fills_the_sign =
            target.width == range.width && !target.positive && range.positive && from.is_signed();
        let what = match constant {
            Some(value) if range.width > target.width || fills_the_sign => {
                let kept = consteval::extend(consteval::truncate(value as u128, into), into);
                let message = format!("{value} does not fit {}: it becomes {kept}", self.shown(to));
                return self.warn(&codes::CONSTANT_CONVERSION, e.span, message);
            }
            _ if range.width <= target.width => {
                let both_enums = [e.ty, to].iter().all(|&ty| matches!(self.types.shape(ty), Type::Enum(_)));
                let changes = (target.positive && !range.positive)
                    || (!target.positive && range.positive && range.width == target.width);
                if !changes || both_enums || from.is_signed() == into.is_signed() || !self.judges_conversions
                {
                    return;
                }
                (&codes::SIGN_CONVERSION, "changes its sign")
            }
            _ if target.width == 32 && from.size() == 8 => (&codes::SHORTEN, "loses its upper half"),
            _ => (&codes::IMPLICIT_INT, "loses bits"),
        };
        let message = format!("{} {} as {}", self.shown(e.ty), what.1, self.shown(to));
        self.warn(what.0, e.span, message);
    }

    /// `left op right`, before their conversion to a common type.
    pub(super) fn check_signs(&mut self, op: CompareOp, left: &Expr, right: &Expr, at: Span) {
        if !self.judges_conversions {
            return;
        }
        let common = self.arithmetic_type(left, right);
        let Some(kind) = self.types.int_kind(common).filter(|kind| !kind.is_signed()) else { return };
        let (left, right) = (written(left), written(right));
        let signed = |s: &Self, e: &Expr| {
            s.types.int_kind(e.ty).is_some_and(|kind| kind.is_signed() && kind != IntKind::Bool)
        };
        let (signed, unsigned) = match (signed(self, left), signed(self, right)) {
            (true, false) => (left, right),
            (false, true) => (right, left),
            _ => return,
        };
        if self.is_moot(at) || self.range(signed).positive {
            return;
        }
        let is_equality = matches!(op, CompareOp::Eq | CompareOp::Ne);
        if is_equality && self.range(unsigned).width < Range::of_kind(kind).width {
            return;
        }
        let message = format!(
            "comparison of {} and {}, of which one is signed",
            self.shown(left.ty),
            self.shown(right.ty)
        );
        self.warn(&codes::SIGN_COMPARE, at, message);
    }

    /// Are all values of an expression the same in its lower four bytes?
    pub(super) fn fits_word(&self, e: &Expr) -> bool {
        let constant = self.types.int_kind(e.ty).and_then(|kind| constant(e, kind));
        match constant {
            // A negative number may have become an unsigned one.
            Some(value) => i32::try_from(value as i64).is_ok() || u32::try_from(value).is_ok(),
            None => self.range(e).width <= 32,
        }
    }

    /// The values that an expression can have.
    fn range(&self, e: &Expr) -> Range {
        let Some(kind) = self.types.int_kind(e.ty) else { return Range { width: 64, positive: false } };
        let whole = Range::of_kind(kind);
        if let ExprKind::Const(bits) = e.kind {
            return Range::of_value(bits, kind);
        }
        let found = match &e.kind {
            ExprKind::Convert(inner) if inner.span == e.span && self.types.int_kind(inner.ty).is_some() => {
                let inner = self.range(inner);
                match inner.width >= whole.width {
                    true => whole,
                    false => Range { width: inner.width, positive: inner.positive || whole.positive },
                }
            }
            ExprKind::Load(Place {
                kind: PlaceKind::BitField { width, .. } | PlaceKind::CoreBitField { width, .. },
                ..
            }) => Range { width: *width, ..whole },
            // Constant variables are folded wherever a value is asked for.
            ExprKind::Load(_) => match self.required_int(e) {
                Some(value) => Range::of_value(value as u128, kind),
                None => whole,
            },
            ExprKind::Compare(..) | ExprKind::Not(_) | ExprKind::Logical { .. } => {
                Range { width: 1, positive: true }
            }
            ExprKind::Assign { value, .. } => self.range(value),
            ExprKind::Comma(_, last) => self.range(last),
            ExprKind::Cond { then, els, .. } => self.range(then).join(self.range(els)),
            ExprKind::Binary(op, left, right) => self.range_of_binary(*op, left, right, whole),
            ExprKind::Unary(UnaryOp::BitNot, inner) => {
                Range { positive: whole.positive, ..self.range(inner).join(whole) }
            }
            _ => whole,
        };
        Range { width: found.width.min(whole.width), positive: found.positive || whole.positive }
    }

    fn range_of_binary(&self, op: BinaryOp, left: &Expr, right: &Expr, whole: Range) -> Range {
        let number = |e: &Expr| constant(e, self.types.int_kind(e.ty)?);
        let amount = number(right).filter(|amount| *amount >= 0);
        let reduced = |range: Range, bits: u32| match bits >= range.width {
            true => Range { width: u32::from(!range.positive), ..range },
            false => Range { width: range.width - bits, ..range },
        };
        match op {
            BinaryOp::And => self.range(left).masked(self.range(right)),
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Or | BinaryOp::Xor => {
                self.range(left).join(self.range(right))
            }
            BinaryOp::Shl => match number(left) {
                Some(1) => Range { positive: true, ..whole },
                _ => whole,
            },
            BinaryOp::Shr => match amount {
                Some(amount) => reduced(self.range(left), amount.min(128) as u32),
                None => self.range(left),
            },
            BinaryOp::Div => match amount {
                Some(amount @ 1..) => reduced(self.range(left), 127 - (amount as u128).leading_zeros()),
                _ => {
                    let (left, right) = (self.range(left), self.range(right));
                    Range { width: left.width, positive: left.positive && right.positive }
                }
            },
            BinaryOp::Rem => self.range(left).remainder(self.range(right)),
        }
    }
}

/// The value of an expression that is a constant.
fn constant(e: &Expr, kind: IntKind) -> Option<i128> {
    match e.kind {
        ExprKind::Const(bits) => Some(consteval::extend(bits, kind)),
        _ => None,
    }
}

/// The expression under the conversions that nobody wrote.
pub fn written(mut e: &Expr) -> &Expr {
    while let ExprKind::Convert(inner) = &e.kind
        && inner.span == e.span
    {
        e = inner;
    }
    e
}
