//! Builtins that are put together from operators, or known while they are read: carries, saturation, the smaller
//! of two, questions about floating constants, where a call stands.
//!
//! In: arguments as they are written. Out: an expression in which each of them is evaluated once.

use skep_syntax::ast::ExprId;
use skep_syntax::diag::codes;
use skep_syntax::source::Span;

use crate::hir::{BinaryOp, Builtin, CompareOp, Expr, ExprKind, UnaryOp};
use crate::types::{FloatKind, IntKind, Quals, Type, TypeId};

use super::Sema;
use super::compat::unsigned_of;
use super::consteval::Constant;

/// What such a builtin yields.
#[derive(Clone, Copy, Debug)]
pub enum Composed {
    /// The line of the call.
    Line,
    /// Its column.
    Column,
    /// Its file; without the directories (true).
    File(bool),
    /// The function around it.
    Function,
    /// A floating constant.
    Float(f64, FloatKind),
    /// A question about a floating constant.
    Test(fn(f64) -> i128),
    /// Its absolute value.
    Fabs(FloatKind),
    /// Without its sign.
    Abs,
    /// The one for which the comparison with the other holds.
    Either(CompareOp),
    /// The sum or difference, or the nearest value that there is.
    Saturated(BinaryOp),
    /// With its bits from the other end.
    Reversed,
    /// `(x, y, carry in, *carry out)`
    Carry(BinaryOp, IntKind),
    /// The address of an object.
    AddressOf,
    /// The operand.
    Same,
}

impl Sema<'_, '_> {
    /// A call of such a builtin.
    pub(super) fn composed(&mut self, what: Composed, args: &[ExprId], span: Span) -> Option<Expr> {
        match what {
            Composed::Line | Composed::Column => {
                let place = self.cx.source.presumed(span.lo).map(|(_, place)| place);
                let number = place.map_or(0, |p| if matches!(what, Composed::Line) { p.line } else { p.col });
                Some(self.int_expr(number.into(), IntKind::UInt, span))
            }
            Composed::File(short) => {
                let name = self.cx.source.presumed(span.lo).map_or("", |(name, _)| name);
                let name = if short { name.rsplit('/').next().unwrap_or(name) } else { name };
                let name = name.as_bytes().to_vec();
                Some(self.text_literal(name, span))
            }
            Composed::Function => {
                let function = self.ctx.function.as_ref().map(|f| self.functions[f.id.index()].name);
                let name = function.map_or(Vec::new(), |name| self.cx.names.text(name).to_vec());
                Some(self.text_literal(name, span))
            }
            Composed::Float(value, kind) => {
                let ty = self.types.intern(Type::Float(kind));
                Some(Expr { kind: ExprKind::Float(value), ty, span })
            }
            Composed::Test(test) => {
                let value = self.float_argument(args)?;
                Some(self.int_expr(test(value), IntKind::Int, span))
            }
            Composed::Fabs(kind) => {
                let ty = self.types.intern(Type::Float(kind));
                let value = self.float_argument(args)?.abs();
                Some(Expr { kind: ExprKind::Float(self.rounded(value, ty)), ty, span })
            }
            Composed::Abs => {
                let (value, kind) = self.integer_argument(args, 0)?;
                let (store, value) = self.temporary(value, span)?;
                let zero = self.int_expr(0, kind, span);
                let negative = self.compare_expr(CompareOp::Lt, value.clone(), zero, span);
                let negated = self.unary_expr(UnaryOp::Neg, value.clone(), span);
                Some(self.after(store, self.choice(negative, negated, value)))
            }
            Composed::Either(op) => {
                let (store, left, right, _) = self.two_integers(args, span)?;
                let first = self.compare_expr(op, left.clone(), right.clone(), span);
                Some(self.after(store, self.choice(first, left, right)))
            }
            Composed::Saturated(op) => self.saturated(op, args, span),
            Composed::Reversed => {
                let (value, kind) = self.integer_argument(args, 0)?;
                let unsigned = TypeId::int(unsigned_of(kind));
                let value = self.convert(value, unsigned);
                let value = self.builtin(Builtin::BitReverse, vec![value], unsigned, span);
                Some(self.convert(value, TypeId::int(kind)))
            }
            Composed::Carry(op, kind) => self.carry(op, kind, args, span),
            Composed::AddressOf => {
                let operand = self.operand(*args.first()?);
                Some(self.take_address(operand, span))
            }
            Composed::Same => Some(self.rvalue(*args.first()?)),
        }
    }

    /// A pointer to text.
    fn text_literal(&mut self, mut bytes: Vec<u8>, span: Span) -> Expr {
        bytes.push(0);
        let elem = self.types.qualified(TypeId::int(IntKind::Char), Quals::CONST);
        let literal = self.literal(bytes, elem, span);
        self.value(literal)
    }

    /// The argument, which must be a constant: there is no floating arithmetic.
    fn float_argument(&mut self, args: &[ExprId]) -> Option<f64> {
        let value = self.rvalue(*args.first()?);
        if self.is_error(value.ty) {
            return None;
        }
        if let Some(Constant::Float(known)) = self.const_eval(&value) {
            return Some(known);
        }
        if matches!(self.types.shape(value.ty), Type::Float(_)) {
            self.unsupported(value.span, "floating arithmetic of values that are not constant");
        } else {
            self.error(&codes::BUILTIN_USE, value.span, "the operand is a floating value");
        }
        None
    }

    /// An integer argument after promotion, and its kind.
    fn integer_argument(&mut self, args: &[ExprId], at: usize) -> Option<(Expr, IntKind)> {
        let value = self.rvalue(*args.get(at)?);
        if self.is_error(value.ty) {
            return None;
        }
        if !self.is_integer(value.ty) {
            let message =
                format!("the operand is an integer, not {}: there are no vectors", self.shown(value.ty));
            self.error(&codes::BUILTIN_USE, value.span, message);
            return None;
        }
        let value = self.promote(value);
        let kind = self.types.int_kind(value.ty)?;
        if kind.size() > 8 {
            self.unsupported(value.span, "this builtin of 128 bits");
            return None;
        }
        Some((value, kind))
    }

    /// Two of them, of one type, kept in temporaries.
    fn two_integers(&mut self, args: &[ExprId], span: Span) -> Option<(Expr, Expr, Expr, IntKind)> {
        let (left, kind) = self.integer_argument(args, 0)?;
        let (right, other) = self.integer_argument(args, 1)?;
        if kind != other {
            let message =
                format!("the operands have two types: {} and {}", self.shown(left.ty), self.shown(right.ty));
            self.error(&codes::BUILTIN_USE, span, message);
            return None;
        }
        let (keep_left, left) = self.temporary(left, span)?;
        let (keep_right, right) = self.temporary(right, span)?;
        Some((self.both(keep_left, keep_right), left, right, kind))
    }

    /// Two stores, one after the other.
    fn both(&self, first: Expr, second: Expr) -> Expr {
        let (ty, span) = (second.ty, second.span);
        Expr { kind: ExprKind::Comma(Box::new(first), Box::new(second)), ty, span }
    }

    /// The sum or difference modulo the size of the type.
    fn wrapped(&mut self, op: BinaryOp, left: &Expr, right: &Expr, ty: TypeId, span: Span) -> Expr {
        let kind = self.types.int_kind(ty).unwrap_or(IntKind::ULong);
        let wide = if kind.size() < 4 { IntKind::UInt } else { unsigned_of(kind) };
        let wide = TypeId::int(wide);
        let (left, right) = (self.convert(left.clone(), wide), self.convert(right.clone(), wide));
        let result = self.binary_expr(op, left, right, wide, span);
        self.convert(result, ty)
    }

    fn saturated(&mut self, op: BinaryOp, args: &[ExprId], span: Span) -> Option<Expr> {
        let (store, left, right, kind) = self.two_integers(args, span)?;
        let ty = TypeId::int(kind);
        let bits = kind.size() * 8;
        let result = self.wrapped(op, &left, &right, ty, span);
        let (keep, result) = self.temporary(result, span)?;
        let zero = self.int_expr(0, kind, span);
        let (overflows, limit) = if kind.is_signed() {
            // The sign of the result is wrong: that of both operands, or of the first and not the second.
            let changed = self.binary_expr(BinaryOp::Xor, left.clone(), result.clone(), ty, span);
            let other = if op == BinaryOp::Add { result.clone() } else { left.clone() };
            let differs = self.binary_expr(BinaryOp::Xor, right, other, ty, span);
            let both = self.binary_expr(BinaryOp::And, changed, differs, ty, span);
            let negative = self.compare_expr(CompareOp::Lt, left, zero.clone(), span);
            let (low, high) = (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1);
            let (low, high) = (self.int_expr(low, kind, span), self.int_expr(high, kind, span));
            (self.compare_expr(CompareOp::Lt, both, zero, span), self.choice(negative, low, high))
        } else if op == BinaryOp::Add {
            let high = self.int_expr((1i128 << bits) - 1, kind, span);
            (self.compare_expr(CompareOp::Lt, result.clone(), left, span), high)
        } else {
            (self.compare_expr(CompareOp::Lt, left, right, span), zero)
        };
        let value = self.choice(overflows, limit, result);
        Some(self.after(store, self.after(keep, value)))
    }

    fn carry(&mut self, op: BinaryOp, kind: IntKind, args: &[ExprId], span: Span) -> Option<Expr> {
        let ty = TypeId::int(kind);
        let mut kept = Vec::new();
        for at in 0..3 {
            let value = self.builtin_arg(args, at, ty)?;
            kept.push(self.temporary(value, span)?);
        }
        let wanted = self.types.pointer(ty);
        let pointer = self.builtin_arg(args, 3, wanted)?;
        let (keep_pointer, pointer) = self.temporary(pointer, span)?;
        let [(keep_x, x), (keep_y, y), (keep_in, carry_in)] = <[_; 3]>::try_from(kept).ok()?;
        let first = self.wrapped(op, &x, &y, ty, span);
        let (keep_first, first) = self.temporary(first, span)?;
        let second = self.wrapped(op, &first, &carry_in, ty, span);
        let (keep_second, second) = self.temporary(second, span)?;
        let (once, twice) = if op == BinaryOp::Add {
            let once = self.compare_expr(CompareOp::Lt, first.clone(), x, span);
            (once, self.compare_expr(CompareOp::Lt, second.clone(), first, span))
        } else {
            let once = self.compare_expr(CompareOp::Lt, x, y, span);
            (once, self.compare_expr(CompareOp::Lt, first, carry_in, span))
        };
        let carry = self.binary_expr(BinaryOp::Or, once, twice, TypeId::int(IntKind::Int), span);
        let carry = self.convert(carry, ty);
        let out = self.stored(pointer, carry, span);
        let stores = [keep_x, keep_y, keep_in, keep_pointer, keep_first, keep_second, out];
        let stores = stores.into_iter().reduce(|first, second| self.both(first, second))?;
        Some(self.after(stores, second))
    }
}
