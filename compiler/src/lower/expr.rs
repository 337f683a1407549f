//! Expressions: values, conditions, assignments.
//!
//! A value is an [`Rvalue`]. A condition is lowered to jumps as long as it is made of `!`, `&&` and
//! `||`, so that no truth value is computed that is only tested.

use super::func::Lowering;
use super::place::Mem;
use super::symbols::Kind;
use crate::hir::{self, BinaryOp, Builtin, CompareOp, Expr, ExprKind, Place, PlaceKind};
use crate::ir::{self, Block, Compare, ConvertOp, CoreId, InstData, Intrinsic, Type, UnaryOp, Value};
use crate::types::TypeId;

/// The value of an expression.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rvalue {
    /// Of type `void`, or of a statement that never ends.
    Void,
    /// A scalar.
    One(Value),
    /// A 128-bit integer.
    Two { lo: Value, hi: Value },
    /// A record: where its bytes are. Whoever keeps it copies it at once.
    Memory(Mem),
}

impl Lowering<'_> {
    /// Evaluates an expression.
    pub fn expr(&mut self, e: &Expr) -> Rvalue {
        let outer = self.at(e.span);
        let value = self.expr_at(e);
        self.loc = outer;
        value
    }

    /// Evaluates an expression whose value is a scalar.
    pub fn scalar(&mut self, e: &Expr) -> Value {
        let value = self.expr(e);
        self.as_scalar(value, e.ty)
    }

    /// The scalar a value is. One that has none belongs to code that is never reached.
    pub fn as_scalar(&mut self, value: Rvalue, ty: TypeId) -> Value {
        match value {
            Rvalue::One(value) | Rvalue::Two { lo: value, .. } => value,
            Rvalue::Memory(mem) => self.address(mem),
            Rvalue::Void => {
                let ty = self.cx.kind(ty).scalar().unwrap_or(Type::I32);
                self.iconst(ty, 0)
            }
        }
    }

    fn expr_at(&mut self, e: &Expr) -> Rvalue {
        match &e.kind {
            ExprKind::Const(value) => self.constant(*value, e.ty),
            ExprKind::Float(value) => self.float_constant(*value, e.ty),
            ExprKind::Load(place) => {
                let target = self.place(place);
                self.load(target, place.ty)
            }
            ExprKind::Address(place) => {
                let mem = self.place_mem(place);
                Rvalue::One(self.address(mem))
            }
            ExprKind::Assign { place, value } => self.assign(place, value),
            ExprKind::Update { place, op, value, compute, post } => {
                self.update(place, *op, value, *compute, *post)
            }
            ExprKind::Unary(op, arg) => {
                let arg = self.expr(arg);
                self.unary_value(*op, e.ty, arg)
            }
            ExprKind::Binary(op, left, right) => {
                let (left, right) = (self.expr(left), self.expr(right));
                self.arithmetic(*op, e.ty, left, right)
            }
            ExprKind::Compare(..) | ExprKind::Not(_) => {
                let truth = self.truth(e);
                Rvalue::One(self.truth_as(truth, e.ty))
            }
            ExprKind::Logical { .. } => Rvalue::One(self.logical_value(e)),
            ExprKind::Cond { cond, then, els } => self.conditional(cond, then, els, e.ty),
            ExprKind::CondOmitted { value, els } => self.conditional_omitted(value, els, e.ty),
            ExprKind::Comma(first, second) => {
                self.expr(first);
                self.expr(second)
            }
            ExprKind::Convert(inner) => self.convert_expr(inner, e.ty),
            ExprKind::PtrAdd { pointer, index, scale, negate } => {
                let (pointer, index) = (self.scalar(pointer), self.scalar(index));
                let mut offset = self.scaled(index, *scale);
                if *negate {
                    offset = self.unary(UnaryOp::Neg, offset);
                }
                Rvalue::One(self.ptr_add(pointer, offset))
            }
            ExprKind::PtrDiff { left, right, scale } => Rvalue::One(self.ptr_diff(left, right, *scale)),
            ExprKind::Call { callee, args } => self.call(callee, args, e.ty),
            ExprKind::Builtin(builtin, args) => self.builtin(*builtin, args, e.ty),
            ExprKind::StmtExpr(stmts, value) => {
                self.stmts(stmts);
                value.as_ref().map_or(Rvalue::Void, |value| self.expr(value))
            }
            ExprKind::Core(core) => {
                let core = CoreId::from_index(core.index());
                let kind = self.cx.kind(e.ty);
                let ty = if kind.scalar() == Some(Type::I64) { Type::I64 } else { Type::I32 };
                let value = self.value(InstData::Core { ty, core });
                Rvalue::One(self.narrow(value, kind))
            }
            ExprKind::Error => Rvalue::Void,
        }
    }

    fn constant(&mut self, value: u128, ty: TypeId) -> Rvalue {
        match self.cx.kind(ty) {
            Kind::Void | Kind::Memory(_) => Rvalue::Void,
            Kind::Wide { .. } => Rvalue::Two {
                lo: self.iconst(Type::I64, value as u64),
                hi: self.iconst(Type::I64, (value >> 64) as u64),
            },
            Kind::Int { ty, .. } | Kind::Float(ty) => Rvalue::One(self.iconst(ty, value as u64)),
            Kind::Pointer => Rvalue::One(self.iconst(Type::Ptr, value as u64)),
        }
    }

    fn float_constant(&mut self, value: f64, ty: TypeId) -> Rvalue {
        match self.cx.kind(ty) {
            Kind::Float(Type::I32) => Rvalue::One(self.iconst(Type::I32, (value as f32).to_bits().into())),
            _ => Rvalue::One(self.iconst(Type::I64, value.to_bits())),
        }
    }

    fn assign(&mut self, place: &Place, value: &Expr) -> Rvalue {
        let value = self.expr(value);
        let target = self.place(place);
        self.store(target, place.ty, value)
    }

    fn update(&mut self, place: &Place, op: BinaryOp, value: &Expr, compute: TypeId, post: bool) -> Rvalue {
        let amount = self.expr(value);
        let target = self.place(place);
        let old = self.load(target, place.ty);
        let new = if let (Kind::Pointer, Rvalue::One(pointer)) = (self.cx.kind(place.ty), old) {
            let amount = self.converted(amount, value.ty, TypeId::int(crate::types::IntKind::Long));
            let mut amount = self.as_scalar(amount, value.ty);
            if op == BinaryOp::Sub {
                amount = self.unary(UnaryOp::Neg, amount);
            }
            Rvalue::One(self.ptr_add(pointer, amount))
        } else {
            let left = self.converted(old, place.ty, compute);
            let amount = self.converted(amount, value.ty, compute);
            let new = self.arithmetic(op, compute, left, amount);
            self.converted(new, compute, place.ty)
        };
        let stored = self.store(target, place.ty, new);
        if post { old } else { stored }
    }

    fn ptr_diff(&mut self, left: &Expr, right: &Expr, scale: u64) -> Value {
        let (left, right) = (self.scalar(left), self.scalar(right));
        let left = self.convert(ConvertOp::PtrToInt, Type::I64, left);
        let right = self.convert(ConvertOp::PtrToInt, Type::I64, right);
        let bytes = self.binary(ir::BinaryOp::Sub, left, right);
        if scale <= 1 {
            return bytes;
        }
        // The distance is a multiple of the scale, so the division is exact: a shift does it for a
        // power of two, and the inverse of the odd factor modulo 2^64 for the rest.
        let shift = scale.trailing_zeros();
        let quotient =
            if shift == 0 { bytes } else { self.binary_const(ir::BinaryOp::Ashr, bytes, shift.into()) };
        match scale >> shift {
            1 => quotient,
            odd => self.binary_const(ir::BinaryOp::Mul, quotient, inverse(odd)),
        }
    }

    // Conditions.

    /// Jumps to one of two blocks.
    pub fn branch_on(&mut self, e: &Expr, then: Block, els: Block) {
        let outer = self.at(e.span);
        match &e.kind {
            ExprKind::Const(value) => self.jump(if *value != 0 { then } else { els }),
            ExprKind::Not(inner) => self.branch_on(inner, els, then),
            ExprKind::Logical { and, left, right } => {
                let middle = self.new_block();
                if *and {
                    self.branch_on(left, middle, els);
                } else {
                    self.branch_on(left, then, middle);
                }
                self.begin(middle);
                self.branch_on(right, then, els);
            }
            ExprKind::Comma(first, second) => {
                self.expr(first);
                self.branch_on(second, then, els);
            }
            ExprKind::Convert(inner) if self.keeps_truth(inner.ty, e.ty) => self.branch_on(inner, then, els),
            ExprKind::Builtin(Builtin::Expect, args) if !args.is_empty() => {
                self.branch_on(&args[0], then, els);
            }
            _ => {
                let truth = self.truth(e);
                self.branch(truth, then, els);
            }
        }
        self.loc = outer;
    }

    /// Is the converted value zero exactly when the value is?
    fn keeps_truth(&self, from: TypeId, to: TypeId) -> bool {
        match (self.cx.kind(from), self.cx.kind(to)) {
            (Kind::Int { .. } | Kind::Pointer | Kind::Wide { .. }, Kind::Int { bool: true, .. }) => true,
            (Kind::Int { ty: from, .. }, Kind::Int { ty: to, .. }) => from.bits() <= to.bits(),
            (Kind::Int { ty, .. }, Kind::Pointer | Kind::Wide { .. }) => ty.bits() <= 64,
            (Kind::Pointer, Kind::Pointer | Kind::Wide { .. }) => true,
            (Kind::Pointer, Kind::Int { ty, .. }) => ty == Type::I64,
            _ => false,
        }
    }

    /// The truth of a scalar as an `i1`.
    pub fn truth(&mut self, e: &Expr) -> Value {
        let outer = self.at(e.span);
        let truth = match &e.kind {
            ExprKind::Not(inner) => {
                let truth = self.truth(inner);
                self.unary(UnaryOp::Not, truth)
            }
            ExprKind::Compare(op, left, right) => {
                let (a, b) = (self.expr(left), self.expr(right));
                self.comparison(*op, left.ty, a, b)
            }
            ExprKind::Convert(inner) if self.keeps_truth(inner.ty, e.ty) => self.truth(inner),
            ExprKind::Builtin(Builtin::Expect, args) if !args.is_empty() => self.truth(&args[0]),
            ExprKind::Logical { .. } => self.logical_truth(e),
            _ => {
                let value = self.expr(e);
                self.non_zero(value, e.ty)
            }
        };
        self.loc = outer;
        truth
    }

    /// Is a value different from zero?
    pub fn non_zero(&mut self, value: Rvalue, ty: TypeId) -> Value {
        let value = match value {
            Rvalue::Two { lo, hi } => self.binary(ir::BinaryOp::Or, lo, hi),
            other => self.as_scalar(other, ty),
        };
        if matches!(self.cx.kind(ty), Kind::Float(_)) {
            return self.intrinsic(Intrinsic::Float, vec![value], Type::I1);
        }
        let value = self.at_least_i32(value, false);
        let zero = self.iconst(self.ty(value), 0);
        self.compare(Compare::Ne, value, zero)
    }

    /// A truth as a value of an integer type.
    pub fn truth_as(&mut self, truth: Value, ty: TypeId) -> Value {
        let ty = self.cx.kind(ty).scalar().unwrap_or(Type::I32);
        self.convert(ConvertOp::Zext, ty, truth)
    }

    /// `&&` or `||` as a value: each way out passes 0 or 1 to the join.
    fn logical_value(&mut self, e: &Expr) -> Value {
        let truth = self.logical_truth(e);
        self.truth_as(truth, e.ty)
    }

    fn logical_truth(&mut self, e: &Expr) -> Value {
        let (yes, no, join) = (self.new_block(), self.new_block(), self.new_block());
        let result = self.f.add_param(join, Type::I1);
        self.branch_on(e, yes, no);
        for (block, value) in [(yes, 1), (no, 0)] {
            self.begin(block);
            let value = self.iconst(Type::I1, value);
            self.jump_with(join, value);
        }
        self.begin(join);
        result
    }

    fn conditional(&mut self, cond: &Expr, then: &Expr, els: &Expr, ty: TypeId) -> Rvalue {
        let (yes, no) = (self.new_block(), self.new_block());
        self.branch_on(cond, yes, no);
        let join = Join::new(self, ty);
        for (block, arm) in [(yes, then), (no, els)] {
            self.begin(block);
            let value = self.expr(arm);
            join.arrive(self, value);
        }
        join.finish(self)
    }

    fn conditional_omitted(&mut self, value: &Expr, els: &Expr, ty: TypeId) -> Rvalue {
        let (yes, no) = (self.new_block(), self.new_block());
        let tested = self.expr(value);
        let truth = self.non_zero(tested, value.ty);
        self.branch(truth, yes, no);
        let join = Join::new(self, ty);
        self.begin(yes);
        let tested = self.converted(tested, value.ty, ty);
        join.arrive(self, tested);
        self.begin(no);
        let other = self.expr(els);
        join.arrive(self, other);
        join.finish(self)
    }

    /// Does it matter whether the expression is evaluated?
    pub fn has_effects(e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Const(_) | ExprKind::Float(_) | ExprKind::Core(_) | ExprKind::Error => false,
            ExprKind::Load(place) | ExprKind::Address(place) => place_has_effects(place),
            ExprKind::Unary(_, a) | ExprKind::Not(a) | ExprKind::Convert(a) => Self::has_effects(a),
            ExprKind::Binary(_, a, b) | ExprKind::Compare(_, a, b) | ExprKind::Comma(a, b) => {
                Self::has_effects(a) || Self::has_effects(b)
            }
            ExprKind::Logical { left: a, right: b, .. }
            | ExprKind::PtrAdd { pointer: a, index: b, .. }
            | ExprKind::PtrDiff { left: a, right: b, .. }
            | ExprKind::CondOmitted { value: a, els: b } => Self::has_effects(a) || Self::has_effects(b),
            ExprKind::Cond { cond, then, els } => {
                Self::has_effects(cond) || Self::has_effects(then) || Self::has_effects(els)
            }
            ExprKind::Assign { .. }
            | ExprKind::Update { .. }
            | ExprKind::Call { .. }
            | ExprKind::Builtin(..)
            | ExprKind::StmtExpr(..) => true,
        }
    }
}

fn place_has_effects(place: &Place) -> bool {
    match &place.kind {
        PlaceKind::Local(_) | PlaceKind::Global(_) | PlaceKind::Func(_) => false,
        PlaceKind::Deref(e) | PlaceKind::Temporary(e) => Lowering::has_effects(e),
        PlaceKind::Core { base, .. } | PlaceKind::CoreBitField { base, .. } => Lowering::has_effects(base),
        PlaceKind::Field { base, .. } | PlaceKind::BitField { base, .. } => place_has_effects(base),
        PlaceKind::Index { base, index, .. } => place_has_effects(base) || Lowering::has_effects(index),
    }
}

/// Where the two arms of a conditional meet.
struct Join {
    block: Block,
    ty: TypeId,
    result: Rvalue,
}

impl Join {
    fn new(f: &mut Lowering<'_>, ty: TypeId) -> Join {
        let block = f.new_block();
        let result = match f.cx.kind(ty) {
            Kind::Void => Rvalue::Void,
            kind @ (Kind::Int { .. } | Kind::Pointer | Kind::Float(_)) => {
                kind.scalar().map_or(Rvalue::Void, |ty| Rvalue::One(f.f.add_param(block, ty)))
            }
            Kind::Wide { .. } => {
                Rvalue::Two { lo: f.f.add_param(block, Type::I64), hi: f.f.add_param(block, Type::I64) }
            }
            Kind::Memory(_) => Rvalue::Memory(f.temporary(ty)),
        };
        Join { block, ty, result }
    }

    /// Ends an arm with its value.
    fn arrive(&self, f: &mut Lowering<'_>, value: Rvalue) {
        let args = match (self.result, value) {
            (Rvalue::Void, _) => Vec::new(),
            (Rvalue::Two { .. }, Rvalue::Two { lo, hi }) => vec![lo, hi],
            (Rvalue::Two { .. }, _) => {
                let zero = f.iconst(Type::I64, 0);
                vec![zero, zero]
            }
            (Rvalue::Memory(to), Rvalue::Memory(from)) => {
                let size = f.cx.layout(self.ty).size;
                f.copy(to, from, size);
                Vec::new()
            }
            (Rvalue::Memory(_), _) => Vec::new(),
            (Rvalue::One(_), value) => vec![f.as_scalar(value, self.ty)],
        };
        f.end(InstData::Jump { target: ir::BlockCall { block: self.block, args: args.into() } });
    }

    fn finish(self, f: &mut Lowering<'_>) -> Rvalue {
        f.begin(self.block);
        self.result
    }
}

/// The inverse of an odd number modulo 2^64 (Newton's iteration doubles the correct bits).
fn inverse(odd: u64) -> u64 {
    let mut x = odd;
    for _ in 0..5 {
        x = x.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(x)));
    }
    x
}

/// The comparison in the IR.
pub(super) fn compare_op(op: CompareOp, signed: bool) -> Compare {
    match (op, signed) {
        (CompareOp::Eq, _) => Compare::Eq,
        (CompareOp::Ne, _) => Compare::Ne,
        (CompareOp::Lt, true) => Compare::Slt,
        (CompareOp::Le, true) => Compare::Sle,
        (CompareOp::Gt, true) => Compare::Sgt,
        (CompareOp::Ge, true) => Compare::Sge,
        (CompareOp::Lt, false) => Compare::Ult,
        (CompareOp::Le, false) => Compare::Ule,
        (CompareOp::Gt, false) => Compare::Ugt,
        (CompareOp::Ge, false) => Compare::Uge,
    }
}

/// The arithmetic operation in the IR.
pub(super) fn binary_op(op: hir::BinaryOp, signed: bool) -> ir::BinaryOp {
    match (op, signed) {
        (BinaryOp::Add, _) => ir::BinaryOp::Add,
        (BinaryOp::Sub, _) => ir::BinaryOp::Sub,
        (BinaryOp::Mul, _) => ir::BinaryOp::Mul,
        (BinaryOp::Div, true) => ir::BinaryOp::Sdiv,
        (BinaryOp::Div, false) => ir::BinaryOp::Udiv,
        (BinaryOp::Rem, true) => ir::BinaryOp::Srem,
        (BinaryOp::Rem, false) => ir::BinaryOp::Urem,
        (BinaryOp::Shl, _) => ir::BinaryOp::Shl,
        (BinaryOp::Shr, true) => ir::BinaryOp::Ashr,
        (BinaryOp::Shr, false) => ir::BinaryOp::Lshr,
        (BinaryOp::And, _) => ir::BinaryOp::And,
        (BinaryOp::Or, _) => ir::BinaryOp::Or,
        (BinaryOp::Xor, _) => ir::BinaryOp::Xor,
    }
}
