//! Shifts and masks that put the bytes of a value in reverse order are one instruction.
//!
//! ```text
//! (x << 24) | (x & 0xff00) << 8 | (x >> 8) & 0xff00 | (x >> 24)   ->   bswap x
//! ```
//!
//! In: the operands of an `or`. Out: the swap that it is, if each byte of it is the mirrored byte of one value.
//! Invariant: only values of 32 and 64 bits are swapped, of which the kernel's verifier knows no more before the
//! swap than after it; of 16 bits swapped by hand it knows that they are 16, of `be16` it does not.

use crate::ir::{BinaryOp, ConvertOp, Function, InstData, Type, UnaryOp, Value};
use crate::opt::edit::Editor;

/// How deep an expression is looked into.
const DEEP: usize = 6;

/// Values that are looked at, at most.
const LOOKS: usize = 48;

/// What a byte is: zero, or a byte of a value, counted from the low end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Byte {
    Zero,
    Of(Value, u8),
}

/// The bytes of a value, from the low end.
type Bytes = [Byte; 8];

/// The swap that `a | b` is.
pub fn swapped(ed: &mut Editor<'_>, ty: Type, [a, b]: [Value; 2]) -> Option<Value> {
    let parts = |v: Value| {
        let mixes =
            |op: BinaryOp| matches!(op, BinaryOp::Shl | BinaryOp::Lshr | BinaryOp::And | BinaryOp::Or);
        matches!(ed.f.def(v), Some(InstData::Binary { op, .. }) if mixes(*op))
    };
    if !matches!(ty, Type::I32 | Type::I64) || !parts(a) || !parts(b) {
        return None;
    }
    let mut looks = LOOKS;
    let bytes = joined(bytes(ed.f, a, DEEP, &mut looks)?, bytes(ed.f, b, DEEP, &mut looks)?)?;
    let count = ty.bits() as usize / 8;
    let Byte::Of(source, _) = bytes[0] else { return None };
    let mirrored = (0..count).all(|at| bytes[at] == Byte::Of(source, (count - 1 - at) as u8));
    if !mirrored || ed.f.ty(source).bits() < ty.bits() {
        return None;
    }
    let source = ed.convert(ConvertOp::Trunc, ty, source);
    Some(ed.unary(UnaryOp::Bswap, source))
}

fn bytes(f: &Function, value: Value, deep: usize, looks: &mut usize) -> Option<Bytes> {
    *looks = looks.checked_sub(1)?;
    let count = f.ty(value).bits() as usize / 8;
    let mut whole = [Byte::Zero; 8];
    for (at, byte) in whole.iter_mut().enumerate().take(count) {
        *byte = Byte::Of(value, at as u8);
    }
    let taken_apart = if deep == 0 { None } else { parts(f, value, deep - 1, looks, count) };
    Some(taken_apart.unwrap_or(whole))
}

/// The bytes of what shifts, masks and conversions by whole bytes yield.
fn parts(f: &Function, value: Value, deep: usize, looks: &mut usize, count: usize) -> Option<Bytes> {
    let shift = |v: Value| f.constant(v).filter(|bits| bits % 8 == 0).map(|bits| bits as usize / 8);
    match *f.def(value)? {
        InstData::Binary { op: BinaryOp::Or, args: [a, b] } => {
            joined(bytes(f, a, deep, looks)?, bytes(f, b, deep, looks)?)
        }
        InstData::Binary { op: BinaryOp::And, args: [a, c] } => {
            let mask = f.constant(c)?.to_le_bytes();
            let mut bytes = bytes(f, a, deep, looks)?;
            for (byte, mask) in bytes.iter_mut().zip(mask) {
                match mask {
                    0 => *byte = Byte::Zero,
                    0xff => {}
                    _ if *byte == Byte::Zero => {}
                    _ => return None,
                }
            }
            Some(bytes)
        }
        InstData::Binary { op: op @ (BinaryOp::Shl | BinaryOp::Lshr), args: [a, c] } => {
            let by = shift(c).filter(|&by| by < count)?;
            let old = bytes(f, a, deep, looks)?;
            let mut new = [Byte::Zero; 8];
            for at in 0..count - by {
                let (from, to) = if op == BinaryOp::Shl { (at, at + by) } else { (at + by, at) };
                new[to] = old[from];
            }
            Some(new)
        }
        InstData::Convert { op: ConvertOp::Zext, arg, .. } if f.ty(arg) != Type::I1 => {
            bytes(f, arg, deep, looks)
        }
        InstData::Convert { op: ConvertOp::Trunc, ty, arg } if ty != Type::I1 => {
            let mut bytes = bytes(f, arg, deep, looks)?;
            bytes[count..].fill(Byte::Zero);
            Some(bytes)
        }
        _ => None,
    }
}

/// The bytes of one or the other; `None` if both have something to say about one.
fn joined(a: Bytes, b: Bytes) -> Option<Bytes> {
    let mut both = a;
    for (one, other) in both.iter_mut().zip(b) {
        match (*one, other) {
            (_, Byte::Zero) => {}
            (Byte::Zero, other) => *one = other,
            (one, other) if one == other => {}
            _ => return None,
        }
    }
    Some(both)
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    /// What is left of an expression of `v0`, an `i32` in eight instructions from `v10` on.
    fn swap(body: &str, result: &str) -> String {
        let consts = "v1 = iconst.i32 8\n  v2 = iconst.i32 24\n  v3 = iconst.i32 65280\n  v4 = iconst.i32 16\n  \
                      v5 = iconst.i32 16711935";
        after_pass(
            "simplify",
            &format!(
                "function @f(i32) -> i32 {{\nblock0(v0: i32):\n  {consts}\n  {body}\n  return {result}\n}}"
            ),
        )
    }

    #[test]
    fn bytes_in_reverse_order_are_a_swap() {
        let body = "v10 = shl v0, v2\n  v11 = and v0, v3\n  v12 = shl v11, v1\n  v13 = or v10, v12\n  \
                    v14 = lshr v0, v1\n  v15 = and v14, v3\n  v16 = or v13, v15\n  v17 = lshr v0, v2\n  v18 = or v16, v17";
        let out = swap(body, "v18");
        assert!(out.contains("bswap v0") && !out.contains("or"), "{out}");
    }

    #[test]
    fn halves_of_halves_are_a_swap() {
        let body = "v10 = lshr v0, v1\n  v11 = and v10, v5\n  v12 = and v0, v5\n  v13 = shl v12, v1\n  \
                    v14 = or v11, v13\n  v15 = lshr v14, v4\n  v16 = shl v14, v4\n  v17 = or v15, v16";
        let out = swap(body, "v17");
        assert!(out.contains("bswap v0") && !out.contains("or"), "{out}");
    }

    #[test]
    fn another_order_is_none() {
        let body = "v10 = shl v0, v4\n  v11 = lshr v0, v4\n  v12 = or v10, v11";
        assert!(!swap(body, "v12").contains("bswap"));
    }
}
