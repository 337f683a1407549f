//! Constants: arithmetic on two's complement values, and the value of a typed expression that
//! must be constant.
//!
//! Operators on constants are folded when they are built; what is decided here is the rest:
//! addresses, operands that are not evaluated, and local answers of CO-RE relocations where C
//! wants a constant.

use skep_syntax::ast::ExprId;
use skep_syntax::diag::codes;

use crate::hir::{BinaryOp, Builtin, CompareOp, Expr, ExprKind, Global, GlobalId, InitValue};
use crate::hir::{Place, PlaceKind, SymbolRef, UnaryOp};
use crate::types::{FloatKind, IntKind, Quals, Type, TypeId};

use super::Sema;

/// The value of a constant expression.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Constant {
    /// Integer or pointer without symbol; the bits of the expression's type.
    Int(u128),
    /// Floating.
    Float(f64),
    /// Address of a symbol plus bytes.
    Address {
        /// The symbol.
        symbol: SymbolRef,
        /// Added to it.
        addend: i64,
    },
}

/// Cuts a value to the bits of a kind.
pub fn truncate(value: u128, kind: IntKind) -> u128 {
    let bits = kind.size() * 8;
    if bits == 128 { value } else { value & ((1 << bits) - 1) }
}

/// The mathematical value of bits of a kind; `unsigned __int128` above its half wraps.
pub fn extend(value: u128, kind: IntKind) -> i128 {
    let shift = 128 - kind.size() * 8;
    if kind.is_signed() { ((value << shift) as i128) >> shift } else { truncate(value, kind) as i128 }
}

/// `a op b` in a kind; `None` for divisions that have no value and shifts out of range.
pub fn binary(op: BinaryOp, a: u128, b: u128, kind: IntKind) -> Option<u128> {
    let (x, y) = (extend(a, kind), extend(b, kind));
    let bits = i128::from(kind.size() * 8);
    let wide = kind == IntKind::UInt128;
    let value = match op {
        BinaryOp::Add => a.wrapping_add(b),
        BinaryOp::Sub => a.wrapping_sub(b),
        BinaryOp::Mul => a.wrapping_mul(b),
        BinaryOp::Div if wide => a.checked_div(b)?,
        BinaryOp::Rem if wide => a.checked_rem(b)?,
        BinaryOp::Div => x.checked_div(y)? as u128,
        BinaryOp::Rem => x.checked_rem(y)? as u128,
        BinaryOp::Shl if (0..bits).contains(&y) => a << y,
        BinaryOp::Shr if (0..bits).contains(&y) && wide => a >> y,
        BinaryOp::Shr if (0..bits).contains(&y) => (x >> y) as u128,
        BinaryOp::Shl | BinaryOp::Shr => return None,
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
    };
    Some(truncate(value, kind))
}

/// `a op b` as a truth value.
pub fn compare(op: CompareOp, a: u128, b: u128, kind: IntKind) -> bool {
    let order = if kind == IntKind::UInt128 { a.cmp(&b) } else { extend(a, kind).cmp(&extend(b, kind)) };
    match op {
        CompareOp::Eq => order.is_eq(),
        CompareOp::Ne => order.is_ne(),
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
    }
}

impl Sema<'_, '_> {
    /// The kind in which values of a scalar type are computed.
    pub(super) fn scalar_kind(&self, ty: TypeId) -> Option<IntKind> {
        match self.types.shape(ty) {
            Type::Pointer(_) => Some(IntKind::ULong),
            _ => self.types.int_kind(ty),
        }
    }

    /// The value of an integer expression that must be constant; reports if it is not.
    pub(super) fn integer_constant(&mut self, id: ExprId, what: &str) -> Option<i128> {
        // Whether a constant fits is decided by its value, not by the types of its parts.
        let judges = std::mem::replace(&mut self.judges_conversions, false);
        let value = self.rvalue(id);
        self.judges_conversions = judges;
        let span = self.ast.expr_span(id);
        if matches!(value.kind, ExprKind::Error) || self.is_error(value.ty) {
            return None;
        }
        if !self.is_integer(value.ty) {
            let message = format!("{what} is not an integer but {}", self.shown(value.ty));
            self.error(&codes::NOT_CONSTANT, span, message);
            return None;
        }
        let found = self.required_int(&value);
        if found.is_none() {
            self.error(&codes::NOT_CONSTANT, span, format!("{what} is not constant"));
        }
        found
    }

    /// The mathematical value of an integer expression, if it is constant at any time.
    pub(super) fn const_int(&self, e: &Expr) -> Option<i128> {
        Eval { sema: self, required: false }.int(e)
    }

    /// The value of an expression, if it is constant at any time.
    pub(super) fn const_eval(&self, e: &Expr) -> Option<Constant> {
        Eval { sema: self, required: false }.eval(e)
    }

    /// The mathematical value of an integer expression where C wants a constant.
    pub(super) fn required_int(&self, e: &Expr) -> Option<i128> {
        Eval { sema: self, required: true }.int(e)
    }

    /// The characters of the literal that an expression points to.
    pub(super) fn literal_text(&self, e: &Expr) -> Option<&[u8]> {
        match self.const_eval(e)? {
            Constant::Address { symbol: SymbolRef::Global(id), addend } => self.literal_tail(id, addend),
            Constant::Address { .. } | Constant::Int(_) | Constant::Float(_) => None,
        }
    }

    /// The characters of a literal from there to its end.
    fn literal_tail(&self, id: GlobalId, addend: i64) -> Option<&[u8]> {
        let tail = self.literal_bytes(id)?.get(usize::try_from(addend).ok()?..)?;
        let len = tail.iter().position(|&byte| byte == 0).unwrap_or(tail.len());
        tail.get(..len)
    }

    /// The value of an expression where C wants a constant.
    pub(super) fn required_constant(&self, e: &Expr) -> Option<Constant> {
        Eval { sema: self, required: true }.eval(e)
    }

    /// A number as the floating type has it.
    pub(super) fn rounded(&self, value: f64, ty: TypeId) -> f64 {
        match self.types.shape(ty) {
            Type::Float(FloatKind::Float) => f64::from(value as f32),
            _ => value,
        }
    }

    /// A constant of one type as a constant of another.
    pub(super) fn converted(&self, value: Constant, from: TypeId, to: TypeId) -> Option<Constant> {
        let to_float = matches!(self.types.shape(to), Type::Float(_));
        match value {
            Constant::Int(bits) => {
                let value = extend(bits, self.scalar_kind(from)?);
                if to_float {
                    return Some(Constant::Float(self.rounded(value as f64, to)));
                }
                let kind = self.scalar_kind(to)?;
                let value = if kind == IntKind::Bool { u128::from(bits != 0) } else { value as u128 };
                Some(Constant::Int(truncate(value, kind)))
            }
            Constant::Float(value) if to_float => Some(Constant::Float(self.rounded(value, to))),
            Constant::Float(value) => {
                let kind = self.types.int_kind(to)?;
                let value = if kind == IntKind::Bool { i128::from(value != 0.0) } else { value as i128 };
                Some(Constant::Int(truncate(value as u128, kind)))
            }
            Constant::Address { .. } => {
                let size = self.scalar_kind(to)?;
                (size.size() == 8).then_some(value)
            }
        }
    }
}

/// An evaluation.
struct Eval<'e, 'a, 's> {
    sema: &'e Sema<'a, 's>,
    /// C wants a constant here, now: CO-RE questions have their local answers and what is not
    /// constant yet never will be.
    required: bool,
}

impl Eval<'_, '_, '_> {
    /// The mathematical value of an integer expression.
    fn int(&self, e: &Expr) -> Option<i128> {
        match self.eval(e)? {
            Constant::Int(value) => Some(extend(value, self.sema.scalar_kind(e.ty)?)),
            Constant::Float(_) | Constant::Address { .. } => None,
        }
    }

    /// The value of an expression, if it is constant.
    fn eval(&self, e: &Expr) -> Option<Constant> {
        match &e.kind {
            ExprKind::Const(value) => Some(Constant::Int(*value)),
            ExprKind::Float(value) => Some(Constant::Float(*value)),
            ExprKind::Address(place) => self.const_address(place),
            ExprKind::Unary(op, operand) => self.const_unary(*op, operand, e.ty),
            ExprKind::Binary(op, left, right) => self.const_binary(*op, left, right, e.ty),
            ExprKind::Compare(op, left, right) => self.const_compare(*op, left, right),
            ExprKind::Not(operand) => Some(Constant::Int(u128::from(!self.const_truth(operand)?))),
            ExprKind::Logical { and, left, right } => {
                let left = self.const_truth(left)?;
                let value = if left == *and { self.const_truth(right)? } else { left };
                Some(Constant::Int(u128::from(value)))
            }
            ExprKind::Cond { cond, then, els } => self.eval(if self.const_truth(cond)? { then } else { els }),
            ExprKind::CondOmitted { value, els } => {
                if self.const_truth(value)? {
                    self.const_convert(value, e.ty)
                } else {
                    self.eval(els)
                }
            }
            ExprKind::Convert(operand) => self.const_convert(operand, e.ty),
            ExprKind::PtrAdd { pointer, index, scale, negate } => {
                let count = self.int(index)?.checked_mul(i128::from(*scale))?;
                let bytes = i64::try_from(if *negate { -count } else { count }).ok()?;
                offset(self.eval(pointer)?, bytes)
            }
            ExprKind::PtrDiff { left, right, scale } => {
                let bytes = match (self.eval(left)?, self.eval(right)?) {
                    (Constant::Int(a), Constant::Int(b)) => (a as i64).wrapping_sub(b as i64),
                    (
                        Constant::Address { symbol: a, addend: x },
                        Constant::Address { symbol: b, addend: y },
                    ) if a == b => x.wrapping_sub(y),
                    _ => return None,
                };
                let scale = i64::try_from(*scale).ok()?;
                Some(Constant::Int(truncate(bytes.checked_div(scale)? as u128, IntKind::Long)))
            }
            ExprKind::Builtin(builtin, args) => self.const_builtin(*builtin, args),
            ExprKind::Core(core) => {
                let reloc = self.sema.core_relocs.get(core.index()).filter(|_| self.required)?;
                Some(Constant::Int(u128::from(reloc.local)))
            }
            ExprKind::Comma(left, right) if self.has_no_effect(left) => self.eval(right),
            ExprKind::Load(place) => self.constant_object(place, e.ty),
            ExprKind::Assign { .. }
            | ExprKind::Update { .. }
            | ExprKind::Comma(..)
            | ExprKind::Call { .. }
            | ExprKind::StmtExpr(..)
            | ExprKind::Error => None,
        }
    }

    /// The value of a constant scalar variable. C has no such constants, but clang folds them
    /// wherever it wants one, and programs rely on it.
    fn constant_object(&self, place: &Place, ty: TypeId) -> Option<Constant> {
        if !self.required || self.sema.types.quals(place.ty) != Quals::CONST {
            return None;
        }
        match place.kind {
            PlaceKind::Local(id) => {
                let f = self.sema.ctx.function.as_ref()?;
                f.const_locals.get(&id).copied()
            }
            PlaceKind::Global(_) | PlaceKind::Field { .. } | PlaceKind::Index { .. } => {
                let Constant::Address { symbol: SymbolRef::Global(id), addend } =
                    self.const_address(place)?
                else {
                    return None;
                };
                self.constant_member(id, u64::try_from(addend).ok()?, ty)
            }
            _ => None,
        }
    }

    /// The scalar of that type at an offset of a constant variable.
    fn constant_member(&self, id: GlobalId, at: u64, ty: TypeId) -> Option<Constant> {
        let is_known = |global: &&Global| global.is_defined() && global.constant;
        let global = self.sema.globals.get(id.index()).filter(is_known)?;
        let wanted = u64::from(self.sema.scalar_kind(ty)?.size());
        let size = self.sema.types.layout(global.ty)?.size;
        let end = at.checked_add(wanted).filter(|&end| end <= size)?;
        let scalars = &global.init.as_ref()?.scalars;
        let mut inside = scalars.iter().filter(|s| s.offset < end && at < s.offset + s.value.size());
        match (inside.next(), inside.next()) {
            (None, _) => Some(Constant::Int(0)),
            (Some(scalar), None) if scalar.offset == at => match scalar.value {
                InitValue::Int { value, size } if u64::from(size) == wanted => Some(Constant::Int(value)),
                InitValue::Int { .. } | InitValue::Bytes(_) | InitValue::Address { .. } => None,
            },
            _ => None,
        }
    }

    fn has_no_effect(&self, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Convert(inner) => self.has_no_effect(inner),
            _ => self.eval(e).is_some(),
        }
    }

    fn const_truth(&self, e: &Expr) -> Option<bool> {
        match self.eval(e)? {
            Constant::Int(value) => Some(value != 0),
            Constant::Float(value) => Some(value != 0.0),
            // A symbol that is defined here is nowhere near address zero.
            Constant::Address { symbol: SymbolRef::Global(id), .. } => {
                self.sema.globals.get(id.index())?.is_defined().then_some(true)
            }
            Constant::Address { symbol: SymbolRef::Func(_), .. } => None,
        }
    }

    fn const_unary(&self, op: UnaryOp, operand: &Expr, ty: TypeId) -> Option<Constant> {
        match self.eval(operand)? {
            Constant::Int(value) => {
                let kind = self.sema.scalar_kind(ty)?;
                let value = match op {
                    UnaryOp::Neg => value.wrapping_neg(),
                    UnaryOp::BitNot => !value,
                };
                Some(Constant::Int(truncate(value, kind)))
            }
            Constant::Float(value) if op == UnaryOp::Neg => Some(Constant::Float(-value)),
            Constant::Float(_) | Constant::Address { .. } => None,
        }
    }

    fn const_binary(&self, op: BinaryOp, left: &Expr, right: &Expr, ty: TypeId) -> Option<Constant> {
        match (self.eval(left)?, self.eval(right)?) {
            (Constant::Int(a), Constant::Int(b)) => {
                binary(op, a, b, self.sema.scalar_kind(ty)?).map(Constant::Int)
            }
            (Constant::Float(a), Constant::Float(b)) => {
                Some(Constant::Float(self.sema.rounded(float_binary(op, a, b)?, ty)))
            }
            (address @ Constant::Address { .. }, Constant::Int(n)) => {
                let n = i64::try_from(extend(n, self.sema.scalar_kind(right.ty)?)).ok()?;
                match op {
                    BinaryOp::Add => offset(address, n),
                    BinaryOp::Sub => offset(address, n.checked_neg()?),
                    BinaryOp::Mul
                    | BinaryOp::Div
                    | BinaryOp::Rem
                    | BinaryOp::Shl
                    | BinaryOp::Shr
                    | BinaryOp::And
                    | BinaryOp::Or
                    | BinaryOp::Xor => None,
                }
            }
            _ => None,
        }
    }

    fn const_compare(&self, op: CompareOp, left: &Expr, right: &Expr) -> Option<Constant> {
        let value = match (self.eval(left)?, self.eval(right)?) {
            (Constant::Int(a), Constant::Int(b)) => compare(op, a, b, self.sema.scalar_kind(left.ty)?),
            (Constant::Float(a), Constant::Float(b)) => float_compare(op, a, b),
            (Constant::Address { symbol: a, addend: x }, Constant::Address { symbol: b, addend: y })
                if a == b =>
            {
                compare(op, x as u128, y as u128, IntKind::Long)
            }
            _ => return None,
        };
        Some(Constant::Int(u128::from(value)))
    }

    fn const_convert(&self, operand: &Expr, ty: TypeId) -> Option<Constant> {
        self.sema.converted(self.eval(operand)?, operand.ty, ty)
    }

    /// The address of a place, if it is constant.
    fn const_address(&self, place: &Place) -> Option<Constant> {
        match &place.kind {
            PlaceKind::Global(id) => Some(Constant::Address { symbol: SymbolRef::Global(*id), addend: 0 }),
            PlaceKind::Func(id) => Some(Constant::Address { symbol: SymbolRef::Func(*id), addend: 0 }),
            PlaceKind::Deref(pointer) => self.eval(pointer),
            PlaceKind::Field { base, offset: bytes } => {
                offset(self.const_address(base)?, i64::try_from(*bytes).ok()?)
            }
            PlaceKind::Index { base, index, scale } => {
                let bytes = self.int(index)?.checked_mul(i128::from(*scale))?;
                offset(self.const_address(base)?, i64::try_from(bytes).ok()?)
            }
            PlaceKind::Core { base, core } => {
                let local = self.sema.core_relocs.get(core.index()).filter(|_| self.required)?.local;
                offset(self.eval(base)?, i64::try_from(local).ok()?)
            }
            PlaceKind::Local(_)
            | PlaceKind::BitField { .. }
            | PlaceKind::CoreBitField { .. }
            | PlaceKind::Temporary(_) => None,
        }
    }

    fn const_builtin(&self, builtin: Builtin, args: &[Expr]) -> Option<Constant> {
        match (builtin, args) {
            // Where a constant is wanted now, what is not one yet never will be.
            (Builtin::ConstantP, [arg]) if self.required => {
                Some(Constant::Int(u128::from(self.eval(arg).is_some())))
            }
            (Builtin::Expect, [value, ..]) => self.eval(value),
            (Builtin::Bswap, [arg]) => {
                let Constant::Int(value) = self.eval(arg)? else { return None };
                let bits = self.sema.types.int_kind(arg.ty)?.size() * 8;
                Some(Constant::Int(value.swap_bytes() >> (128 - bits)))
            }
            (Builtin::RotateLeft, [arg, places]) => {
                let (Constant::Int(value), Constant::Int(n)) = (self.eval(arg)?, self.eval(places)?) else {
                    return None;
                };
                let kind = self.sema.types.int_kind(arg.ty)?;
                let bits = u128::from(kind.size() * 8);
                let rotated =
                    if n % bits == 0 { value } else { value << (n % bits) | value >> (bits - n % bits) };
                Some(Constant::Int(truncate(rotated, kind)))
            }
            (Builtin::BitReverse, [arg]) => {
                let Constant::Int(value) = self.eval(arg)? else { return None };
                let bits = self.sema.types.int_kind(arg.ty)?.size() * 8;
                Some(Constant::Int(value.reverse_bits() >> (128 - bits)))
            }
            (Builtin::Clz, [arg]) => {
                let Constant::Int(value) = self.eval(arg)? else { return None };
                let bits = self.sema.types.int_kind(arg.ty)?.size() * 8;
                (value != 0).then(|| Constant::Int(u128::from(value.leading_zeros() - (128 - bits))))
            }
            (Builtin::Ctz, [arg]) => {
                let Constant::Int(value) = self.eval(arg)? else { return None };
                (value != 0).then(|| Constant::Int(u128::from(value.trailing_zeros())))
            }
            (Builtin::Ffs, [arg]) => {
                let Constant::Int(value) = self.eval(arg)? else { return None };
                Some(Constant::Int(if value == 0 { 0 } else { u128::from(value.trailing_zeros()) + 1 }))
            }
            (Builtin::Popcount, [arg]) => {
                let Constant::Int(value) = self.eval(arg)? else { return None };
                Some(Constant::Int(u128::from(value.count_ones())))
            }
            (Builtin::Parity, [arg]) => {
                let Constant::Int(value) = self.eval(arg)? else { return None };
                Some(Constant::Int(u128::from(value.count_ones() & 1)))
            }
            (Builtin::Clrsb, [arg]) => {
                let Constant::Int(value) = self.eval(arg)? else { return None };
                let kind = self.sema.types.int_kind(arg.ty)?;
                let value = extend(value, kind);
                let like = (value ^ (value >> 127)).leading_zeros();
                Some(Constant::Int(u128::from(like - (128 - kind.size() * 8) - 1)))
            }
            (Builtin::Strlen, [arg]) => Some(Constant::Int(self.string(arg)?.len() as u128)),
            (Builtin::Memcmp, [a, b, n]) => {
                let n = usize::try_from(self.int(n)?).ok()?;
                let order = self.bytes(a)?.get(..n)?.cmp(self.bytes(b)?.get(..n)?) as i128;
                Some(Constant::Int(truncate(order as u128, IntKind::Int)))
            }
            (Builtin::Strcmp, [a, b]) => {
                let order = self.string(a)?.cmp(self.string(b)?) as i128;
                Some(Constant::Int(truncate(order as u128, IntKind::Int)))
            }
            _ => None,
        }
    }

    /// The bytes of a literal that a pointer points to, with the zero at its end.
    fn bytes(&self, e: &Expr) -> Option<&[u8]> {
        let Constant::Address { symbol: SymbolRef::Global(id), addend } = self.eval(e)? else { return None };
        self.sema.literal_bytes(id)?.get(usize::try_from(addend).ok()?..)
    }

    /// The characters of a literal that a pointer points to.
    fn string(&self, e: &Expr) -> Option<&[u8]> {
        let Constant::Address { symbol: SymbolRef::Global(id), addend } = self.eval(e)? else { return None };
        self.sema.literal_tail(id, addend)
    }
}

fn offset(base: Constant, bytes: i64) -> Option<Constant> {
    match base {
        Constant::Int(value) => {
            Some(Constant::Int(truncate(value.wrapping_add(bytes as u128), IntKind::ULong)))
        }
        Constant::Address { symbol, addend } => {
            Some(Constant::Address { symbol, addend: addend.checked_add(bytes)? })
        }
        Constant::Float(_) => None,
    }
}

pub fn float_binary(op: BinaryOp, a: f64, b: f64) -> Option<f64> {
    match op {
        BinaryOp::Add => Some(a + b),
        BinaryOp::Sub => Some(a - b),
        BinaryOp::Mul => Some(a * b),
        BinaryOp::Div => Some(a / b),
        BinaryOp::Rem | BinaryOp::Shl | BinaryOp::Shr | BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => None,
    }
}

pub fn float_compare(op: CompareOp, a: f64, b: f64) -> bool {
    match op {
        CompareOp::Eq => a == b,
        CompareOp::Ne => a != b,
        CompareOp::Lt => a < b,
        CompareOp::Le => a <= b,
        CompareOp::Gt => a > b,
        CompareOp::Ge => a >= b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_wraps_in_its_kind() {
        assert_eq!(binary(BinaryOp::Add, 0xffff_ffff, 1, IntKind::UInt), Some(0));
        assert_eq!(binary(BinaryOp::Div, 0xffff_ffff, 2, IntKind::Int), Some(0));
        assert_eq!(binary(BinaryOp::Shr, 0x8000_0000, 31, IntKind::Int), Some(0xffff_ffff));
        assert_eq!(binary(BinaryOp::Div, 1, 0, IntKind::Int), None);
        assert_eq!(binary(BinaryOp::Shl, 1, 32, IntKind::UInt), None);
        assert!(compare(CompareOp::Lt, 0xffff_ffff, 0, IntKind::Int));
        assert!(!compare(CompareOp::Lt, 0xffff_ffff, 0, IntKind::UInt));
        assert_eq!(extend(0x80, IntKind::SChar), -128);
    }
}
