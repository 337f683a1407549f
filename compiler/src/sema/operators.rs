//! Operators: the rules for their operands, and the nodes they become.

use skep_syntax::ast::{BinOp, ExprId, TypeNameId, UnOp};
use skep_syntax::diag::{Diag, codes};
use skep_syntax::source::Span;

use crate::hir::{BinaryOp, CompareOp, Expr, ExprKind, Place, PlaceKind, UnaryOp};
use crate::types::{Field, IntKind, RecordKind, Type, TypeId};

use super::Sema;
use super::access::{Lvalue, Operand};
use super::convert::Use;

/// What kind of operator it is.
enum Operator {
    Arithmetic(BinaryOp),
    Integer(BinaryOp),
    Shift(BinaryOp),
    Compare(CompareOp),
    Logical { and: bool },
}

fn operator(op: BinOp) -> Operator {
    match op {
        BinOp::Mul => Operator::Arithmetic(BinaryOp::Mul),
        BinOp::Div => Operator::Arithmetic(BinaryOp::Div),
        BinOp::Add => Operator::Arithmetic(BinaryOp::Add),
        BinOp::Sub => Operator::Arithmetic(BinaryOp::Sub),
        BinOp::Rem => Operator::Integer(BinaryOp::Rem),
        BinOp::And => Operator::Integer(BinaryOp::And),
        BinOp::Xor => Operator::Integer(BinaryOp::Xor),
        BinOp::Or => Operator::Integer(BinaryOp::Or),
        BinOp::Shl => Operator::Shift(BinaryOp::Shl),
        BinOp::Shr => Operator::Shift(BinaryOp::Shr),
        BinOp::Lt => Operator::Compare(CompareOp::Lt),
        BinOp::Gt => Operator::Compare(CompareOp::Gt),
        BinOp::Le => Operator::Compare(CompareOp::Le),
        BinOp::Ge => Operator::Compare(CompareOp::Ge),
        BinOp::Eq => Operator::Compare(CompareOp::Eq),
        BinOp::Ne => Operator::Compare(CompareOp::Ne),
        BinOp::LogAnd => Operator::Logical { and: true },
        BinOp::LogOr => Operator::Logical { and: false },
    }
}

impl Sema<'_, '_> {
    /// `lhs op rhs`.
    pub(super) fn binary(&mut self, op: BinOp, lhs: ExprId, rhs: ExprId, at: Span, span: Span) -> Expr {
        self.check_precedence(op, lhs, rhs, at);
        let left = self.rvalue(lhs);
        let decided = match op {
            BinOp::LogAnd => self.const_int(&left) == Some(0),
            BinOp::LogOr => self.const_int(&left).is_some_and(|value| value != 0),
            _ => false,
        };
        let right = self.reached(!decided, rhs);
        if self.is_error(left.ty) || self.is_error(right.ty) {
            return self.error_expr(span);
        }
        match operator(op) {
            Operator::Logical { and } => {
                let (left, right) = (self.condition(left), self.condition(right));
                if self.is_error(left.ty) || self.is_error(right.ty) {
                    return self.error_expr(span);
                }
                let kind = ExprKind::Logical { and, left: Box::new(left), right: Box::new(right) };
                let node = Expr { kind, ty: TypeId::int(IntKind::Int), span };
                self.fold(node)
            }
            Operator::Compare(compare) => self.comparison(compare, op, left, right, at, span),
            Operator::Arithmetic(binary) => self.arithmetic(binary, op, left, right, at, span),
            Operator::Integer(binary) => {
                if !self.is_integer(left.ty) || !self.is_integer(right.ty) {
                    return self.bad_operands(op, &left, &right, at, span);
                }
                self.check_division(binary, &right, at);
                let (left, right, ty) = self.usual_conversions(left, right);
                self.binary_expr(binary, left, right, ty, span)
            }
            Operator::Shift(binary) => {
                if !self.is_integer(left.ty) || !self.is_integer(right.ty) {
                    return self.bad_operands(op, &left, &right, at, span);
                }
                let (left, right) = (self.promote(left), self.promote(right));
                self.check_shift(&left, &right, at);
                let ty = left.ty;
                let right = self.convert(right, ty);
                self.binary_expr(binary, left, right, ty, span)
            }
        }
    }

    /// The value of an operand, which may be one that is never evaluated: then there is nothing
    /// to warn about.
    fn reached(&mut self, reached: bool, id: ExprId) -> Expr {
        let outer = self.ctx.unreached;
        self.ctx.unreached |= !reached;
        let value = self.rvalue(id);
        self.ctx.unreached = outer;
        value
    }

    fn bad_operands(&mut self, op: BinOp, left: &Expr, right: &Expr, at: Span, span: Span) -> Expr {
        let message = format!("`{}` cannot be applied to these operands", op.text());
        let diag = Diag::new(&codes::OPERANDS, at, message)
            .with_label(left.span, self.shown(left.ty))
            .with_label(right.span, self.shown(right.ty));
        self.report(diag);
        self.error_expr(span)
    }

    fn check_division(&mut self, op: BinaryOp, right: &Expr, at: Span) {
        if self.ctx.unreached || self.ctx.unevaluated {
            return;
        }
        if matches!(op, BinaryOp::Div | BinaryOp::Rem) && matches!(right.kind, ExprKind::Const(0)) {
            self.warn(&codes::DIVISION_BY_ZERO, at, "division by zero");
        }
    }

    fn check_shift(&mut self, left: &Expr, right: &Expr, at: Span) {
        let (Some(kind), Some(count)) = (self.types.int_kind(left.ty), self.const_int(right)) else { return };
        let bits = kind.size() * 8;
        if self.ctx.unreached || self.ctx.unevaluated {
            return;
        }
        if count < 0 {
            self.warn(&codes::SHIFT_NEGATIVE, at, format!("the shift count {count} is negative"));
        } else if count >= i128::from(bits) {
            let message = format!(
                "the shift count {count} is not smaller than the {bits} bits of {}",
                self.shown(left.ty)
            );
            self.warn(&codes::SHIFT_COUNT, at, message);
        }
    }

    /// `+ - * /`, on pointers too.
    fn arithmetic(
        &mut self,
        binary: BinaryOp,
        op: BinOp,
        left: Expr,
        right: Expr,
        at: Span,
        span: Span,
    ) -> Expr {
        if self.is_arithmetic(left.ty) && self.is_arithmetic(right.ty) {
            self.check_division(binary, &right, at);
            let (left, right, ty) = self.usual_conversions(left, right);
            return self.binary_expr(binary, left, right, ty, span);
        }
        let (left_pointer, right_pointer) = (self.is_pointer(left.ty), self.is_pointer(right.ty));
        match binary {
            BinaryOp::Add if left_pointer && self.is_integer(right.ty) => {
                let index = self.index_value(right);
                self.pointer_plus(left, index, false, span)
            }
            BinaryOp::Add if right_pointer && self.is_integer(left.ty) => {
                let index = self.index_value(left);
                self.pointer_plus(right, index, false, span)
            }
            BinaryOp::Sub if left_pointer && self.is_integer(right.ty) => {
                let index = self.index_value(right);
                self.pointer_plus(left, index, true, span)
            }
            BinaryOp::Sub if left_pointer && right_pointer => {
                self.pointer_difference(op, left, right, at, span)
            }
            _ => self.bad_operands(op, &left, &right, at, span),
        }
    }

    /// `pointer + index`; `index` has 64 bits.
    pub(super) fn pointer_plus(&mut self, pointer: Expr, index: Expr, negate: bool, span: Span) -> Expr {
        let ty = pointer.ty;
        let Some(scale) = self.pointee_size(&pointer) else { return self.error_expr(span) };
        let kind = ExprKind::PtrAdd { pointer: Box::new(pointer), index: Box::new(index), scale, negate };
        self.fold(Expr { kind, ty, span })
    }

    /// The size of what a pointer points to; reports if that is not known.
    fn pointee_size(&mut self, pointer: &Expr) -> Option<u64> {
        let to = self.types.pointee(pointer.ty)?;
        let size = self.size_of(to);
        if size.is_none() {
            self.incomplete(pointer.span, to, "what the pointer points to");
        }
        size
    }

    fn pointer_difference(&mut self, op: BinOp, left: Expr, right: Expr, at: Span, span: Span) -> Expr {
        let (Some(a), Some(b)) = (self.types.pointee(left.ty), self.types.pointee(right.ty)) else {
            return self.error_expr(span);
        };
        if !self.compatible_unqualified(a, b) {
            return self.bad_operands(op, &left, &right, at, span);
        }
        let Some(scale) = self.pointee_size(&left) else { return self.error_expr(span) };
        let kind = ExprKind::PtrDiff { left: Box::new(left), right: Box::new(right), scale: scale.max(1) };
        Expr { kind, ty: TypeId::int(IntKind::Long), span }
    }

    fn comparison(
        &mut self,
        compare: CompareOp,
        op: BinOp,
        left: Expr,
        right: Expr,
        at: Span,
        span: Span,
    ) -> Expr {
        if self.is_arithmetic(left.ty) && self.is_arithmetic(right.ty) {
            self.check_signs(compare, &left, &right, at);
            let ty = self.arithmetic_type(&left, &right);
            let (left, right) = (self.convert(left, ty), self.convert(right, ty));
            return self.compare_expr(compare, left, right, span);
        }
        let (left, right) = match (self.is_pointer(left.ty), self.is_pointer(right.ty)) {
            (true, true) => self.pointers_compared(compare, left, right, at),
            (true, false) if self.is_integer(right.ty) => {
                let ty = left.ty;
                self.compared_with_integer(&right, at);
                (left, self.convert(right, ty))
            }
            (false, true) if self.is_integer(left.ty) => {
                let ty = right.ty;
                self.compared_with_integer(&left, at);
                (self.convert(left, ty), right)
            }
            _ => return self.bad_operands(op, &left, &right, at, span),
        };
        self.compare_expr(compare, left, right, span)
    }

    fn pointers_compared(&mut self, op: CompareOp, left: Expr, right: Expr, at: Span) -> (Expr, Expr) {
        let (a, b) = (self.types.pointee(left.ty), self.types.pointee(right.ty));
        if let (Some(a), Some(b)) = (a, b) {
            // Any pointer may equal a `void *`, but that one comes before the other says nothing.
            let is_equality = matches!(op, CompareOp::Eq | CompareOp::Ne);
            let fine = self.compatible_unqualified(a, b)
                || (is_equality && (self.is_void(a) || self.is_void(b)))
                || self.is_null(&left)
                || self.is_null(&right);
            if !fine {
                let message = format!(
                    "comparison of the distinct pointer types {} and {}",
                    self.shown(left.ty),
                    self.shown(right.ty)
                );
                self.warn(&codes::POINTER_COMPARISON, at, message);
            }
        }
        let ty = left.ty;
        (left, self.convert(right, ty))
    }

    fn compared_with_integer(&mut self, integer: &Expr, at: Span) {
        if !self.is_null(integer) {
            let message = format!("comparison of a pointer with {}", self.shown(integer.ty));
            self.warn(&codes::POINTER_COMPARISON, at, message);
        }
    }

    /// `+ - ~ !`.
    pub(super) fn unary_value(&mut self, op: UnOp, e: Expr, span: Span) -> Expr {
        if self.is_error(e.ty) {
            return self.error_expr(span);
        }
        let fits = match op {
            UnOp::Not => self.is_scalar(e.ty),
            UnOp::BitNot => self.is_integer(e.ty),
            _ => self.is_arithmetic(e.ty),
        };
        if !fits {
            let message = format!("`{}` cannot be applied to {}", op.text(), self.shown(e.ty));
            self.error(&codes::OPERANDS, span, message);
            return self.error_expr(span);
        }
        if op == UnOp::Not {
            let node = Expr { kind: ExprKind::Not(Box::new(e)), ty: TypeId::int(IntKind::Int), span };
            return self.fold(node);
        }
        let e = self.promote(e);
        match op {
            UnOp::Neg => self.unary_expr(UnaryOp::Neg, e, span),
            UnOp::BitNot => self.unary_expr(UnaryOp::BitNot, e, span),
            _ => Expr { span, ..e },
        }
    }

    // ------------------------------------------------------------ assignments

    /// `++` and `--`.
    pub(super) fn increment(&mut self, op: UnOp, operand: Operand, span: Span) -> Expr {
        let Some(place) = self.modifiable(operand) else { return self.error_expr(span) };
        let op_kind = match op {
            UnOp::PreDec | UnOp::PostDec => BinaryOp::Sub,
            _ => BinaryOp::Add,
        };
        let post = matches!(op, UnOp::PostInc | UnOp::PostDec);
        let one = self.int_expr(1, IntKind::Int, span);
        self.update(place, op_kind, one, post, span, op.text(), span)
    }

    /// `=`, `op=`.
    pub(super) fn assign(
        &mut self,
        op: Option<BinOp>,
        lhs: ExprId,
        rhs: ExprId,
        at: Span,
        span: Span,
    ) -> Expr {
        let target = self.operand(lhs);
        let value = self.rvalue(rhs);
        let Some(place) = self.modifiable(target) else { return self.error_expr(span) };
        if self.is_error(value.ty) {
            return self.error_expr(span);
        }
        let Some(op) = op else {
            let value = self.assigned(value, place.ty, Use::Assign);
            let ty = self.types.unqualified(place.ty);
            return Expr { kind: ExprKind::Assign { place, value: Box::new(value) }, ty, span };
        };
        let binary = match operator(op) {
            Operator::Arithmetic(binary) | Operator::Integer(binary) | Operator::Shift(binary) => binary,
            // There is no such assignment in C.
            Operator::Compare(_) | Operator::Logical { .. } => return self.error_expr(span),
        };
        self.update(place, binary, value, false, at, op.text(), span)
    }

    /// `place = place op value`, the place evaluated once.
    #[allow(clippy::too_many_arguments)]
    fn update(
        &mut self,
        place: Place,
        op: BinaryOp,
        value: Expr,
        post: bool,
        at: Span,
        text: &str,
        span: Span,
    ) -> Expr {
        let ty = self.types.unqualified(place.ty);
        if let Some(to) = self.types.pointee(ty) {
            if !matches!(op, BinaryOp::Add | BinaryOp::Sub) || !self.is_integer(value.ty) {
                return self.bad_update(text, ty, value.ty, at, span);
            }
            let Some(scale) = self.size_of(to) else {
                self.incomplete(place.span, to, "what the pointer points to");
                return self.error_expr(span);
            };
            let index = self.index_value(value);
            let index_ty = index.ty;
            let scale = self.int_expr(scale.into(), IntKind::ULong, span);
            let scale = self.convert(scale, index_ty);
            let bytes = self.binary_expr(BinaryOp::Mul, index, scale, index_ty, span);
            let kind = ExprKind::Update { place, op, value: Box::new(bytes), compute: index_ty, post };
            return Expr { kind, ty, span };
        }
        let integer_only = !matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div);
        let fits = |s: &Self, ty| if integer_only { s.is_integer(ty) } else { s.is_arithmetic(ty) };
        if !fits(self, ty) || !fits(self, value.ty) {
            return self.bad_update(text, ty, value.ty, at, span);
        }
        self.check_division(op, &value, at);
        // The types of the computation are those of `place op value`.
        let current = Expr { kind: ExprKind::Load(place.clone()), ty, span: place.span };
        let (value, compute) = if matches!(op, BinaryOp::Shl | BinaryOp::Shr) {
            let left = self.promote(current);
            let value = self.promote(value);
            self.check_shift(&left, &value, at);
            (self.convert(value, left.ty), left.ty)
        } else {
            let compute = self.arithmetic_type(&current, &value);
            self.check_narrowing(&value, compute);
            (self.convert(value, compute), compute)
        };
        let kind = ExprKind::Update { place, op, value: Box::new(value), compute, post };
        Expr { kind, ty, span }
    }

    fn bad_update(&mut self, text: &str, ty: TypeId, value: TypeId, at: Span, span: Span) -> Expr {
        let text = text.trim_end_matches('=');
        let message = format!("`{text}` cannot be applied to {} and {}", self.shown(ty), self.shown(value));
        self.error(&codes::OPERANDS, at, message);
        self.error_expr(span)
    }

    // ------------------------------------------------------------ the rest

    /// `lhs, rhs`.
    pub(super) fn comma(&mut self, lhs: ExprId, rhs: ExprId, span: Span) -> Expr {
        let left = self.discarded(lhs);
        let right = self.rvalue(rhs);
        let ty = right.ty;
        Expr { kind: ExprKind::Comma(Box::new(left), Box::new(right)), ty, span }
    }

    /// `cond ? then : other`, `cond ?: other`.
    pub(super) fn conditional(
        &mut self,
        cond: ExprId,
        then: Option<ExprId>,
        other: ExprId,
        span: Span,
    ) -> Expr {
        let value = self.rvalue(cond);
        let cond = self.condition(value);
        let known = self.const_int(&cond);
        let then_value = match then {
            Some(then) => self.reached(known != Some(0), then),
            // Only its type counts; it is computed once, as the condition.
            None => cond.clone(),
        };
        let els = self.reached(known.is_none_or(|value| value == 0), other);
        if self.is_error(cond.ty) || self.is_error(then_value.ty) || self.is_error(els.ty) {
            return self.error_expr(span);
        }
        let Some(ty) = self.conditional_type(&then_value, &els, span) else { return self.error_expr(span) };
        let els = self.convert(els, ty);
        let kind = if then.is_some() {
            let then = self.convert(then_value, ty);
            ExprKind::Cond { cond: Box::new(cond), then: Box::new(then), els: Box::new(els) }
        } else {
            ExprKind::CondOmitted { value: Box::new(cond), els: Box::new(els) }
        };
        self.fold(Expr { kind, ty, span })
    }

    fn conditional_type(&mut self, then: &Expr, els: &Expr, span: Span) -> Option<TypeId> {
        let (a, b) = (then.ty, els.ty);
        if self.is_arithmetic(a) && self.is_arithmetic(b) {
            return Some(self.arithmetic_type(then, els));
        }
        if self.is_void(a) || self.is_void(b) {
            return Some(TypeId::VOID);
        }
        if let (Some(record), Some(other)) = (self.types.record_of(a), self.types.record_of(b))
            && record == other
        {
            return Some(a);
        }
        match (self.types.pointee(a), self.types.pointee(b)) {
            (Some(_), _) if self.is_null(els) => Some(a),
            (_, Some(_)) if self.is_null(then) => Some(b),
            (Some(to_a), Some(to_b)) => Some(self.common_pointer(to_a, to_b, a, b, span)),
            (Some(_), None) if self.is_integer(b) => {
                self.pointer_integer_mismatch(a, b, span);
                Some(a)
            }
            (None, Some(_)) if self.is_integer(a) => {
                self.pointer_integer_mismatch(b, a, span);
                Some(b)
            }
            _ => {
                let message =
                    format!("the two results of `?:` do not fit: {} and {}", self.shown(a), self.shown(b));
                self.error(&codes::OPERANDS, span, message);
                None
            }
        }
    }

    fn pointer_integer_mismatch(&mut self, pointer: TypeId, integer: TypeId, span: Span) {
        let message = format!(
            "the results of `?:` are the pointer {} and {}",
            self.shown(pointer),
            self.shown(integer)
        );
        self.warn(&codes::POINTER_TYPES, span, message);
    }

    fn common_pointer(&mut self, to_a: TypeId, to_b: TypeId, a: TypeId, b: TypeId, span: Span) -> TypeId {
        let quals = self.types.quals(to_a).union(self.types.quals(to_b));
        let target = if self.is_void(to_a) || self.is_void(to_b) {
            TypeId::VOID
        } else if self.compatible_unqualified(to_a, to_b) {
            self.composite(to_a, to_b)
        } else {
            let message = format!(
                "the results of `?:` have distinct pointer types, {} and {}",
                self.shown(a),
                self.shown(b)
            );
            self.warn(&codes::POINTER_TYPES, span, message);
            TypeId::VOID
        };
        let space = self.types.address_space(to_a);
        let target = self.types.qualified(target, quals);
        let target = if space != 0 && self.types.address_space(target) == 0 {
            self.types.intern(Type::AddressSpace { inner: target, space })
        } else {
            target
        };
        self.types.pointer(target)
    }

    /// `(type) operand`.
    pub(super) fn cast(&mut self, name: TypeNameId, operand: ExprId, span: Span) -> Expr {
        let to = self.type_name_type(name);
        if self.is_void(to) {
            let e = self.discarded(operand);
            return Expr { kind: ExprKind::Convert(Box::new(e)), ty: TypeId::VOID, span };
        }
        let e = self.rvalue(operand);
        if self.is_error(e.ty) || self.is_error(to) {
            return Expr { ty: self.types.unqualified(to), ..self.error_expr(span) };
        }
        let is_float = |s: &Self, ty| matches!(s.types.shape(ty), Type::Float(_));
        let same_record =
            self.types.record_of(e.ty).is_some() && self.types.record_of(e.ty) == self.types.record_of(to);
        let fits = self.is_scalar(e.ty)
            && self.is_scalar(to)
            && !(self.is_pointer(e.ty) && is_float(self, to))
            && !(is_float(self, e.ty) && self.is_pointer(to));
        if !fits && !same_record {
            if let Some(value) = self.union_of(&e, to, span) {
                return value;
            }
            let message = if self.is_void(e.ty) {
                "a value is needed here, but the expression is `void`".to_owned()
            } else {
                format!("{} cannot be cast to {}", self.shown(e.ty), self.shown(to))
            };
            self.error(&codes::CAST, span, message);
            return Expr { ty: self.types.unqualified(to), ..self.error_expr(span) };
        }
        self.forgive_packed_address(e.span, to);
        let mut e = self.convert(e, to);
        if let ExprKind::Load(Place {
            kind: PlaceKind::BitField { .. } | PlaceKind::CoreBitField { .. },
            ..
        }) = e.kind
        {
            // A cast to its own type makes a bit-field a plain value: promotion goes by the type then.
            e = Expr { ty: e.ty, span, kind: ExprKind::Convert(Box::new(e)) };
        }
        Expr { span, ..e }
    }

    /// The value as the member of its type of a union: `(union u)x`.
    fn union_of(&mut self, e: &Expr, to: TypeId, span: Span) -> Option<Expr> {
        let record = self.types.record_of(to)?;
        self.complete_record(record);
        let body = self.types.records[record.0 as usize].body.as_ref();
        if self.types.records[record.0 as usize].kind != RecordKind::Union || self.ctx.function.is_none() {
            return None;
        }
        let is_its = |field: &Field| field.bit_width.is_none() && self.compatible_unqualified(field.ty, e.ty);
        let index = body?.fields.iter().position(is_its)?;
        let ty = self.types.unqualified(to);
        let local = self.new_temporary(ty, span)?;
        let member = self.steps(Lvalue::plain(PlaceKind::Local(local), ty, span), &[index as u32], span);
        let place = self.operand_place(Operand::Place(member));
        let store = Expr { kind: ExprKind::Assign { place, value: Box::new(e.clone()) }, ty: e.ty, span };
        let read = Expr { kind: ExprKind::Load(self.local_place(local, span)), ty, span };
        Some(Expr { kind: ExprKind::Comma(Box::new(store), Box::new(read)), ty, span })
    }
}
