//! Rules about conversions, and about arithmetic and comparisons that look through them.
//!
//! In: one instruction. Out: the value it equals, or nothing. These rules depend on the widths of
//! several types at once, which the table in [`super::rules`] does not express.
//! Invariant: no comparison becomes narrower than it was written, since the value compared is often
//! used later as an index or a size and a check of its lower half proves nothing about it.

use super::{fold, swap};
use crate::ir::{BinaryOp, Compare, ConvertOp, Function, InstData, Slot, SymbolId, Type, UnaryOp, Value};
use crate::opt::bits::known;
use crate::opt::edit::Editor;

/// `op.ty arg`.
pub fn convert(
    ed: &mut Editor<'_>,
    op: ConvertOp,
    ty: Type,
    arg: Value,
    single_use: &dyn Fn(Value) -> bool,
) -> Option<Value> {
    let from = ed.f.ty(arg);
    if from == ty {
        return Some(arg);
    }
    if let Some(value) = ed.f.constant(arg) {
        return Some(ed.iconst(ty, fold::convert(op, from, ty, value)));
    }
    match (op, ed.f.def(arg)?) {
        (
            ConvertOp::Trunc,
            &InstData::Convert { op: inner @ (ConvertOp::Zext | ConvertOp::Sext), arg: source, .. },
        ) => {
            let source_ty = ed.f.ty(source);
            let op = if source_ty.bits() > ty.bits() { ConvertOp::Trunc } else { inner };
            Some(ed.convert(op, ty, source))
        }
        (ConvertOp::Trunc, &InstData::Convert { op: ConvertOp::Trunc, arg: source, .. }) => {
            Some(ed.convert(ConvertOp::Trunc, ty, source))
        }
        // The mask or the extension before a truncation only touches bits that are cut off.
        (ConvertOp::Trunc, &InstData::Binary { op: BinaryOp::And, .. })
            if unmasked(ed.f, arg, ty).is_some() =>
        {
            unmasked(ed.f, arg, ty).map(|x| ed.convert(ConvertOp::Trunc, ty, x))
        }
        // The same of masks of what is combined.
        (ConvertOp::Trunc, &InstData::Binary { op, args })
            if matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Or | BinaryOp::Xor)
                && single_use(arg)
                && args.iter().any(|&v| unmasked(ed.f, v, ty).is_some()) =>
        {
            let args = args.map(|v| unmasked(ed.f, v, ty).unwrap_or(v));
            let wide = ed.emit(InstData::Binary { op, args });
            Some(ed.convert(ConvertOp::Trunc, ty, wide))
        }
        // The upper half of a sum need not be computed, nor extensions before it, if nothing else uses that.
        (ConvertOp::Trunc, &InstData::Binary { op, args })
            if ty == Type::I32
                && matches!(op, BinaryOp::Add | BinaryOp::Mul)
                && single_use(arg)
                && args.iter().any(|&v| is_extended(ed.f, v, ty))
                && !args.iter().any(|&v| is_address(ed.f, v)) =>
        {
            let args = args.map(|v| ed.convert(ConvertOp::Trunc, ty, v));
            Some(ed.emit(InstData::Binary { op, args }))
        }
        (ConvertOp::Zext, &InstData::Convert { op: ConvertOp::Zext, arg: source, .. }) => {
            Some(ed.convert(ConvertOp::Zext, ty, source))
        }
        (
            ConvertOp::Sext,
            &InstData::Convert { op: inner @ (ConvertOp::Zext | ConvertOp::Sext), arg: source, .. },
        ) => Some(ed.convert(inner, ty, source)),
        (ConvertOp::Zext, &InstData::Convert { op: ConvertOp::Trunc, arg: source, .. }) => {
            zext_of_trunc(ed, ty, from, source)
        }
        (ConvertOp::PtrToInt, &InstData::Convert { op: ConvertOp::IntToPtr, arg: source, .. })
        | (ConvertOp::IntToPtr, &InstData::Convert { op: ConvertOp::PtrToInt, arg: source, .. }) => {
            Some(source)
        }
        // A selection of constants is converted at compile time.
        (op, &InstData::Select { cond, args }) => {
            let consts = [ed.f.constant(args[0])?, ed.f.constant(args[1])?];
            let args = consts.map(|value| ed.iconst(ty, fold::convert(op, from, ty, value)));
            Some(ed.emit(InstData::Select { cond, args }))
        }
        (ConvertOp::Sext, _) if from != Type::I1 && known(ed.f, arg).is_non_negative(from) => {
            Some(ed.convert(ConvertOp::Zext, ty, arg))
        }
        _ => None,
    }
}

/// The value without a mask that leaves all bits of this type as they are, if it has one.
fn unmasked(f: &Function, value: Value, ty: Type) -> Option<Value> {
    match f.def(value) {
        Some(&InstData::Binary { op: BinaryOp::And, args: [x, mask] }) => {
            f.constant(mask).filter(|mask| mask & ty.mask() == ty.mask()).map(|_| x)
        }
        _ => None,
    }
}

/// Was the value extended from this type?
fn is_extended(f: &Function, value: Value, ty: Type) -> bool {
    matches!(f.def(value), Some(&InstData::Convert { op: ConvertOp::Zext | ConvertOp::Sext, arg, .. })
        if f.ty(arg) == ty)
}

/// Is the number an address? The difference of two is known as long as both are whole.
fn is_address(f: &Function, value: Value) -> bool {
    matches!(f.def(value), Some(InstData::Convert { op: ConvertOp::PtrToInt, .. }))
}

/// `zext.ty (trunc.narrow source)` is a mask, unless the mask would not fit an immediate.
fn zext_of_trunc(ed: &mut Editor<'_>, ty: Type, narrow: Type, source: Value) -> Option<Value> {
    if known(ed.f, source).fits(narrow) {
        let op = if ed.f.ty(source).bits() > ty.bits() { ConvertOp::Trunc } else { ConvertOp::Zext };
        return Some(ed.convert(op, ty, source));
    }
    if !matches!(narrow, Type::I8 | Type::I16) || !matches!(ty, Type::I32 | Type::I64) {
        return None;
    }
    let source_ty = ed.f.ty(source);
    let wide = match source_ty {
        Type::I32 | Type::I64 if source_ty.bits() > ty.bits() => ed.convert(ConvertOp::Trunc, ty, source),
        Type::I32 | Type::I64 => source,
        Type::I1 | Type::I8 | Type::I16 | Type::Ptr => return None,
    };
    let masked = ed.binary_imm(BinaryOp::And, wide, narrow.mask());
    Some(ed.convert(ConvertOp::Zext, ty, masked))
}

/// Comparisons of extended values with constants. A comparison of a sign-extended value is done before
/// the extension only where nothing else uses the extended value, or where equality with a constant
/// says all there is to know.
pub fn compare(
    ed: &mut Editor<'_>,
    op: Compare,
    args: [Value; 2],
    single_use: &dyn Fn(Value) -> bool,
) -> Option<Value> {
    let [a, b] = args;
    let ty = ed.f.ty(a);
    let constant = ed.f.constant(b);
    let equality = matches!(op, Compare::Eq | Compare::Ne);
    if let (Some(bits), Some(&InstData::Convert { op: ConvertOp::Zext, arg, .. })) = (constant, ed.f.def(a)) {
        let from = ed.f.ty(arg);
        if from == Type::I1 && equality {
            return Some(match (bits, op) {
                (0, Compare::Ne) | (1, Compare::Eq) => arg,
                (0, _) | (1, _) => ed.unary(UnaryOp::Not, arg),
                (_, op) => ed.iconst(Type::I1, (op == Compare::Ne).into()),
            });
        }
        // Swapped bytes of a short: swap the constant instead.
        if let (true, Some(&InstData::Unary { op: UnaryOp::Bswap, arg })) = (equality, ed.f.def(arg))
            && bits <= from.mask()
        {
            let plain = ed.convert(ConvertOp::Zext, ty, arg);
            let swapped = ed.iconst(ty, fold::unary(UnaryOp::Bswap, from, bits));
            return Some(ed.compare(op, plain, swapped));
        }
    }
    if let Some(value) = before_sext(ed, op, args, single_use) {
        return Some(value);
    }
    if let Some(result) = known(ed.f, a).compare(op, known(ed.f, b), ty) {
        return Some(ed.iconst(Type::I1, result.into()));
    }
    if ty == Type::Ptr
        && let Some(value) = same_object(ed, op, a, b)
    {
        return Some(value);
    }
    if equality {
        if let Some(value) = compare_selection(ed, op, a, b) {
            return Some(value);
        }
        if constant == Some(0) && ty == Type::Ptr && never_null(ed.f, a) {
            return Some(ed.iconst(Type::I1, (op == Compare::Ne).into()));
        }
    }
    extended_alike(ed, op, a, b)
}

/// `sext x < C` as `x < C`, where `C` is one of the values that `sext x` has.
fn before_sext(
    ed: &mut Editor<'_>,
    op: Compare,
    [a, b]: [Value; 2],
    single_use: &dyn Fn(Value) -> bool,
) -> Option<Value> {
    let Some(&InstData::Convert { op: ConvertOp::Sext, ty, arg: x }) = ed.f.def(a) else { return None };
    let from = ed.f.ty(x);
    let equality = matches!(op, Compare::Eq | Compare::Ne);
    if let Some(&InstData::Convert { op: ConvertOp::Sext, arg: y, .. }) = ed.f.def(b) {
        // Of bytes and shorts, zero extensions are equal exactly when sign extensions are.
        let alike = equality && ed.f.ty(y) == from && from != Type::I32;
        return alike.then(|| {
            let (x, y) = (ed.convert(ConvertOp::Zext, ty, x), ed.convert(ConvertOp::Zext, ty, y));
            ed.compare(op, x, y)
        });
    }
    let bits = ed.f.constant(b)?;
    if fold::convert(ConvertOp::Sext, from, ty, bits) != bits {
        return None;
    }
    match from {
        Type::I32 if equality || single_use(a) => {
            let limit = ed.iconst(Type::I32, bits);
            Some(ed.compare(op, x, limit))
        }
        Type::I8 | Type::I16 if equality => {
            let (x, limit) = (ed.convert(ConvertOp::Zext, ty, x), ed.iconst(ty, bits & from.mask()));
            Some(ed.compare(op, x, limit))
        }
        _ => None,
    }
}

/// `(p ? A : B) == C` is `p`, `!p` or known.
fn compare_selection(ed: &mut Editor<'_>, op: Compare, a: Value, b: Value) -> Option<Value> {
    let Some(&InstData::Select { cond, args }) = ed.f.def(a) else { return None };
    let (x, y, c) = (ed.f.constant(args[0])?, ed.f.constant(args[1])?, ed.f.constant(b)?);
    let holds = |v: u64| (v == c) == (op == Compare::Eq);
    Some(match (holds(x), holds(y)) {
        (true, false) => cond,
        (false, true) => ed.unary(UnaryOp::Not, cond),
        (both, _) => ed.iconst(Type::I1, both.into()),
    })
}

/// `ext x == ext y` of the same kind and width is `x == y` when both are wide enough to compare.
fn extended_alike(ed: &mut Editor<'_>, op: Compare, a: Value, b: Value) -> Option<Value> {
    let swap = |ed: &Editor<'_>, v: Value| match ed.f.def(v) {
        Some(InstData::Convert { op: ConvertOp::Zext, arg, .. }) => match ed.f.def(*arg) {
            Some(InstData::Unary { op: UnaryOp::Bswap, arg: inner }) => Some((*arg, *inner)),
            _ => None,
        },
        _ => None,
    };
    if !matches!(op, Compare::Eq | Compare::Ne) {
        return None;
    }
    let ((outer_a, a), (outer_b, b), ty) = (swap(ed, a)?, swap(ed, b)?, ed.f.ty(a));
    if ed.f.ty(outer_a) != ed.f.ty(outer_b) {
        return None;
    }
    let (a, b) = (ed.convert(ConvertOp::Zext, ty, a), ed.convert(ConvertOp::Zext, ty, b));
    Some(ed.compare(op, a, b))
}

/// Addresses of slots are not null (symbols may be weak), and neither is what lies within an object
/// but not at its start.
pub fn never_null(f: &Function, value: Value) -> bool {
    match f.def(value) {
        Some(InstData::SlotAddr { .. }) => true,
        Some(InstData::PtrAdd { offset, .. }) => f.constant(*offset).is_some_and(|bytes| bytes != 0),
        _ => false,
    }
}

/// Pointers into one object compare as their distances from its start do: no object lies across the
/// end of the address space.
fn same_object(ed: &mut Editor<'_>, op: Compare, a: Value, b: Value) -> Option<Value> {
    let (mut left, mut right, mut op) = (Distance::new(ed.f, a), Distance::new(ed.f, b), op);
    if left.object != right.object || matches!(op, Compare::Slt | Compare::Sle | Compare::Sgt | Compare::Sge)
    {
        return None;
    }
    if left.variable.is_none() {
        (left, right, op) = (right, left, op.swapped());
    }
    let limit = right.constant.checked_sub(left.constant)?;
    match (left.variable, right.variable) {
        (None, None) => {
            let holds = fold::compare(signed(op), Type::I64, left.constant as u64, right.constant as u64);
            Some(ed.iconst(Type::I1, holds.into()))
        }
        (Some(variable), None) if limit >= 0 && known(ed.f, variable).fits(Type::I32) => {
            let limit = ed.iconst(Type::I64, limit as u64);
            Some(ed.compare(op, variable, limit))
        }
        _ => None,
    }
}

/// The signed comparison of the same kind.
fn signed(op: Compare) -> Compare {
    match op {
        Compare::Ult => Compare::Slt,
        Compare::Ule => Compare::Sle,
        Compare::Ugt => Compare::Sgt,
        Compare::Uge => Compare::Sge,
        other => other,
    }
}

/// What an address is counted from.
#[derive(PartialEq, Eq)]
enum Object {
    Slot(Slot),
    Symbol(SymbolId),
    /// What lies at a value, which may be a number.
    At(Value),
}

/// An address as an object, at most one variable, and a constant.
struct Distance {
    object: Object,
    variable: Option<Value>,
    constant: i64,
}

impl Distance {
    fn new(f: &Function, address: Value) -> Distance {
        let (mut base, mut variable, mut constant) = (f.resolve(address), None, 0i64);
        let (object, start) = loop {
            match f.def(base) {
                Some(&InstData::PtrAdd { base: inner, offset }) => {
                    match f.constant(offset) {
                        Some(bytes) => constant = constant.wrapping_add(bytes as i64),
                        None if variable.is_none() => variable = Some(offset),
                        None => break (Object::At(base), 0),
                    }
                    base = f.resolve(inner);
                }
                Some(&InstData::SlotAddr { slot, offset }) => break (Object::Slot(slot), offset.into()),
                Some(&InstData::SymbolAddr { symbol, offset }) => break (Object::Symbol(symbol), offset),
                Some(&InstData::Convert { op: ConvertOp::IntToPtr, arg, .. }) => {
                    break (Object::At(f.resolve(arg)), 0);
                }
                _ => break (Object::At(base), 0),
            }
        };
        Distance { object, variable, constant: constant.wrapping_add(start) }
    }

    /// Of an address that was made a number, and of any other number.
    fn of_number(f: &Function, number: Value) -> Distance {
        match f.def(number) {
            Some(InstData::Convert { op: ConvertOp::PtrToInt, arg, .. }) => Distance::new(f, *arg),
            _ => Distance { object: Object::At(f.resolve(number)), variable: None, constant: 0 },
        }
    }
}

/// Nested arithmetic of a distance that is looked into.
const DEPTH: usize = 6;

/// An offset that is computed from differences of addresses in one object: at most one variable, and a constant.
/// The kernel's verifier knows nothing of such a difference, so it could not be added to a pointer; of the
/// distances that the addresses have from the start of the object it knows all.
/// Elsewhere differences stay: what the verifier does not know of a number, it does not tell paths apart by.
pub fn distance(f: &Function, offset: Value) -> Option<(Option<Value>, i64)> {
    let mut differences = 0;
    let found = number(f, offset, DEPTH, &mut differences)?;
    (differences > 0).then_some(found)
}

fn number(f: &Function, value: Value, depth: usize, differences: &mut u32) -> Option<(Option<Value>, i64)> {
    let depth = depth.checked_sub(1)?;
    match *f.def(value)? {
        InstData::Const { ty, value } => Some((None, ty.sign_extend(value))),
        // A number that is small and not negative is the same in any width.
        InstData::Convert { op: ConvertOp::Zext | ConvertOp::Sext | ConvertOp::Trunc, arg, .. } => {
            number(f, arg, depth, differences)
                .filter(|&(variable, n)| variable.is_none() && (0..1 << 15).contains(&n))
        }
        InstData::Binary { op: op @ (BinaryOp::Add | BinaryOp::Sub), args: [a, b] }
            if f.ty(value) == Type::I64 =>
        {
            if op == BinaryOp::Sub
                && let Some(found) = difference(f, a, b)
            {
                *differences += 1;
                return Some(found);
            }
            let (left, n) = number(f, a, depth, differences)?;
            match (op, number(f, b, depth, differences)?) {
                (BinaryOp::Sub, (None, m)) => Some((left, n.wrapping_sub(m))),
                (BinaryOp::Add, (None, m)) => Some((left, n.wrapping_add(m))),
                (BinaryOp::Add, (right, m)) if left.is_none() => Some((right, n.wrapping_add(m))),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The difference of two addresses in one object, of which the second is at a constant distance from its start.
fn difference(f: &Function, a: Value, b: Value) -> Option<(Option<Value>, i64)> {
    let [left, right] = [a, b].map(|number| Distance::of_number(f, number));
    let one_object = left.object == right.object && right.variable.is_none();
    one_object.then(|| (left.variable, left.constant.wrapping_sub(right.constant)))
}

/// Arithmetic whose result follows from the bits that are known of its operands.
pub fn binary(ed: &mut Editor<'_>, op: BinaryOp, args: [Value; 2]) -> Option<Value> {
    let [a, b] = args;
    let ty = ed.f.ty(a);
    match op {
        BinaryOp::And => {
            let mask = ed.f.constant(b)?;
            // The lower half has one form.
            if (ty, mask) == (Type::I64, Type::I32.mask()) {
                let half = ed.convert(ConvertOp::Trunc, Type::I32, a);
                return Some(ed.convert(ConvertOp::Zext, Type::I64, half));
            }
            let bits = known(ed.f, a);
            if bits.maybe() & !mask == 0 {
                return Some(a);
            }
            if bits.maybe() & mask == 0 {
                return Some(ed.iconst(ty, 0));
            }
            None
        }
        // Signed operations on values that are not negative are the unsigned ones.
        BinaryOp::Sdiv | BinaryOp::Srem | BinaryOp::Ashr => {
            let right_matters = op != BinaryOp::Ashr;
            if !known(ed.f, a).is_non_negative(ty) || (right_matters && !known(ed.f, b).is_non_negative(ty)) {
                return None;
            }
            let unsigned = match op {
                BinaryOp::Sdiv => BinaryOp::Udiv,
                BinaryOp::Srem => BinaryOp::Urem,
                _ => BinaryOp::Lshr,
            };
            Some(ed.binary(unsigned, a, b))
        }
        BinaryOp::Or => swap::swapped(ed, ty, args),
        BinaryOp::Lshr if ed.f.constant(b) == Some(32) && ty == Type::I64 => {
            shifted_left_32(ed, ConvertOp::Zext, a)
        }
        BinaryOp::Lshr => {
            let count = ed.f.constant(b)? % u64::from(ty.bits());
            (known(ed.f, a).maybe() >> count == 0).then(|| ed.iconst(ty, 0))
        }
        _ => None,
    }
    .or_else(|| match op {
        BinaryOp::Ashr if ed.f.constant(b) == Some(32) && ty == Type::I64 => {
            shifted_left_32(ed, ConvertOp::Sext, a)
        }
        _ => None,
    })
}

/// `(x << 32) >> 32` extends the lower half.
fn shifted_left_32(ed: &mut Editor<'_>, op: ConvertOp, shifted: Value) -> Option<Value> {
    let Some(&InstData::Binary { op: BinaryOp::Shl, args: [x, count] }) = ed.f.def(shifted) else {
        return None;
    };
    (ed.f.constant(count) == Some(32)).then(|| {
        let low = ed.convert(ConvertOp::Trunc, Type::I32, x);
        ed.convert(op, Type::I64, low)
    })
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    /// `first` and `second` as two addresses that are compared.
    fn compared(first: &str, second: &str) -> String {
        let text = format!(
            "function @f(i64) -> i32 {{\n  s0 = slot 16 align 8 \"a\"\n  s1 = slot 16 align 8 \"b\"\nblock0(v0: i64):\n  \
             v1 = iconst.i64 8\n  v2 = slot_addr {first}\n  v3 = ptr_add v2, v1\n  v4 = slot_addr {second}\n  \
             v5 = icmp ult v3, v4\n  v6 = zext.i32 v5\n  return v6\n}}"
        );
        after_pass("simplify", &text)
    }

    #[test]
    fn addresses_in_one_variable_compare_as_their_distances_from_its_start() {
        for (first, second, holds) in [("s0", "s0+8", 0), ("s0", "s0+12", 1), ("s0+4", "s0+8", 0)] {
            let out = compared(first, second);
            assert!(out.contains(&format!("iconst.i32 {holds}")) && !out.contains("icmp"), "{out}");
        }
        let out = compared("s0", "s1+12");
        assert!(out.contains("icmp"), "{out}");
    }
}
