//! legal: operations that the target lacks become ones that it has.
//!
//! ```text
//!   v3 = sdiv v1, v2 (v1, v2 of any sign)  ->   divide the absolute values, fix the sign
//!   v3 = popcount(v1)                      ->   sums of neighbouring bits
//!   v3 = load.i32 v1 align 1 (stack)       ->   four bytes, shifted together
//! ```
//!
//! Signed division below `-mcpu=v4`, counting of bits, and accesses that are wider than their
//! alignment where the kernel insists on it (the stack, the context, unknown pointers).
//! Preserves: results for all values; the number of bytes accessed, each once, also for volatile.
//! The kernel's verifier still accepts: no AND or OR with a value in [-1, 0], which would double its
//! work; every access of the stack is aligned.
//! Cost: linear.

use super::Cx;
use super::alias::allows_unaligned;
use super::edit::{self, Edit, Editor};
use super::mem2reg::cast;
use super::simplify::alignment;
use crate::ir::{BinaryOp, ConvertOp, Function, InstData, Intrinsic, MemFlags, Type, UnaryOp, Value};

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    let preds = f.predecessors();
    edit::rewrite(f, |ed, inst| match ed.f.insts[inst] {
        InstData::Binary { op: op @ (BinaryOp::Sdiv | BinaryOp::Srem), args } if cx.options.cpu < 4 => {
            Edit::Replace(signed_division(ed, op, args))
        }
        InstData::Intrinsic {
            op: op @ (Intrinsic::Clz | Intrinsic::Ctz | Intrinsic::Popcount),
            ref args,
            ..
        } => {
            let arg = args[0];
            Edit::Replace(count(ed, op, arg))
        }
        InstData::Load { ty, base, offset, flags } if flags.align < ty.bytes() => {
            if cx.options.unaligned && allows_unaligned(ed.f, &preds, base) {
                return Edit::Keep;
            }
            Edit::Replace(load(ed, cx, ty, base, offset, flags))
        }
        InstData::Store { value, base, offset, flags } if flags.align < ed.f.ty(value).bytes() => {
            if cx.options.unaligned && allows_unaligned(ed.f, &preds, base) {
                return Edit::Keep;
            }
            store(ed, cx, value, base, offset, flags)
        }
        _ => Edit::Keep,
    })
}

/// 0, or all ones when negative.
fn sign(ed: &mut Editor<'_>, value: Value) -> Value {
    let bits = ed.f.ty(value).bits();
    ed.binary_imm(BinaryOp::Ashr, value, u64::from(bits) - 1)
}

/// `value`, negated where the sign is all ones.
fn apply_sign(ed: &mut Editor<'_>, value: Value, sign: Value) -> Value {
    let flipped = ed.binary(BinaryOp::Xor, value, sign);
    ed.binary(BinaryOp::Sub, flipped, sign)
}

fn signed_division(ed: &mut Editor<'_>, op: BinaryOp, [a, b]: [Value; 2]) -> Value {
    let ty = ed.f.ty(a);
    let sign_a = sign(ed, a);
    let known = ed.f.constant(b).map(|bits| ty.sign_extend(bits));
    if let Some(divisor) = known.filter(|n| *n > 0 && (*n as u64).is_power_of_two()) {
        return shift_division(ed, op, a, sign_a, divisor as u64);
    }
    let size_a = apply_sign(ed, a, sign_a);
    let (size_b, sign_q) = match known {
        Some(n) => {
            let size = ed.iconst(ty, n.unsigned_abs());
            (size, if n < 0 { ed.unary(UnaryOp::Not, sign_a) } else { sign_a })
        }
        None => {
            let sign_b = sign(ed, b);
            let size = apply_sign(ed, b, sign_b);
            (size, ed.binary(BinaryOp::Xor, sign_a, sign_b))
        }
    };
    match op {
        BinaryOp::Sdiv => {
            let quotient = ed.binary(BinaryOp::Udiv, size_a, size_b);
            apply_sign(ed, quotient, sign_q)
        }
        _ => {
            let rest = ed.binary(BinaryOp::Urem, size_a, size_b);
            apply_sign(ed, rest, sign_a)
        }
    }
}

/// Division by a power of two, rounding towards zero.
fn shift_division(ed: &mut Editor<'_>, op: BinaryOp, a: Value, sign: Value, divisor: u64) -> Value {
    let bits = u64::from(ed.f.ty(a).bits());
    let log = u64::from(divisor.trailing_zeros());
    if log == 0 {
        let zero = ed.iconst(ed.f.ty(a), 0);
        return if op == BinaryOp::Sdiv { a } else { zero };
    }
    let bias = ed.binary_imm(BinaryOp::Lshr, sign, bits - log);
    let biased = ed.binary(BinaryOp::Add, a, bias);
    let quotient = ed.binary_imm(BinaryOp::Ashr, biased, log);
    match op {
        BinaryOp::Sdiv => quotient,
        _ => {
            let whole = ed.binary_imm(BinaryOp::Shl, quotient, log);
            ed.binary(BinaryOp::Sub, a, whole)
        }
    }
}

fn count(ed: &mut Editor<'_>, op: Intrinsic, x: Value) -> Value {
    let ty = ed.f.ty(x);
    let marked = match op {
        // Ones below the lowest set bit.
        Intrinsic::Ctz => {
            let negated = ed.unary(UnaryOp::Neg, x);
            let lowest = ed.binary(BinaryOp::And, x, negated);
            ed.binary_imm(BinaryOp::Add, lowest, u64::MAX)
        }
        // Ones above the highest set bit.
        Intrinsic::Clz => {
            let mut smeared = x;
            for shift in [1, 2, 4, 8, 16, 32].into_iter().filter(|&n| n < ty.bits()) {
                let shifted = ed.binary_imm(BinaryOp::Lshr, smeared, shift.into());
                smeared = ed.binary(BinaryOp::Or, smeared, shifted);
            }
            ed.unary(UnaryOp::Not, smeared)
        }
        _ => x,
    };
    let sum = popcount(ed, marked);
    ed.convert(ConvertOp::Trunc, Type::I32, sum)
}

fn popcount(ed: &mut Editor<'_>, x: Value) -> Value {
    const EVERY_2ND: u64 = 0x5555_5555_5555_5555;
    const EVERY_2_OF_4: u64 = 0x3333_3333_3333_3333;
    const EVERY_4_OF_8: u64 = 0x0f0f_0f0f_0f0f_0f0f;
    const EVERY_BYTE: u64 = 0x0101_0101_0101_0101;
    let half = ed.binary_imm(BinaryOp::Lshr, x, 1);
    let odd = ed.binary_imm(BinaryOp::And, half, EVERY_2ND);
    let pairs = ed.binary(BinaryOp::Sub, x, odd);
    let high = ed.binary_imm(BinaryOp::Lshr, pairs, 2);
    let (low, high) =
        (ed.binary_imm(BinaryOp::And, pairs, EVERY_2_OF_4), ed.binary_imm(BinaryOp::And, high, EVERY_2_OF_4));
    let nibbles = ed.binary(BinaryOp::Add, low, high);
    let high = ed.binary_imm(BinaryOp::Lshr, nibbles, 4);
    let both = ed.binary(BinaryOp::Add, nibbles, high);
    let bytes = ed.binary_imm(BinaryOp::And, both, EVERY_4_OF_8);
    let sum = ed.binary_imm(BinaryOp::Mul, bytes, EVERY_BYTE);
    let bits = u64::from(ed.f.ty(x).bits());
    ed.binary_imm(BinaryOp::Lshr, sum, bits - 8)
}

/// Type in which the pieces of an access are put together.
fn work_type(ty: Type) -> Type {
    if ty.bytes() == 8 { Type::I64 } else { Type::I32 }
}

/// Offset, shift and type of each piece of an access.
fn pieces(cx: &Cx<'_>, ty: Type, align: u32) -> Vec<(i32, u64, Type)> {
    let part = match align {
        4.. => Type::I32,
        2.. => Type::I16,
        _ => Type::I8,
    };
    let count = ty.bytes() / part.bytes();
    let place = |i: u32| if cx.options.big_endian { count - 1 - i } else { i };
    (0..count).map(|i| ((i * part.bytes()) as i32, u64::from(place(i) * part.bits()), part)).collect()
}

fn load(ed: &mut Editor<'_>, cx: &Cx<'_>, ty: Type, base: Value, offset: i32, flags: MemFlags) -> Value {
    let work = work_type(ty);
    let mut sum = None;
    for (at, shift, part) in pieces(cx, ty, flags.align) {
        let flags = MemFlags { align: alignment(flags.align, at.into()).min(part.bytes()), ..flags };
        let piece = ed.emit(InstData::Load { ty: part, base, offset: offset.saturating_add(at), flags });
        let piece = ed.convert(ConvertOp::Zext, work, piece);
        let piece = if shift == 0 { piece } else { ed.binary_imm(BinaryOp::Shl, piece, shift) };
        sum = Some(sum.map_or(piece, |sum| ed.binary(BinaryOp::Or, sum, piece)));
    }
    let whole = sum.unwrap_or_else(|| ed.iconst(work, 0));
    cast(ed, whole, ty)
}

fn store(ed: &mut Editor<'_>, cx: &Cx<'_>, value: Value, base: Value, offset: i32, flags: MemFlags) -> Edit {
    let ty = ed.f.ty(value);
    let whole = cast(ed, value, work_type(ty));
    for (at, shift, part) in pieces(cx, ty, flags.align) {
        let flags = MemFlags { align: alignment(flags.align, at.into()).min(part.bytes()), ..flags };
        let piece = if shift == 0 { whole } else { ed.binary_imm(BinaryOp::Lshr, whole, shift) };
        let piece = ed.convert(ConvertOp::Trunc, part, piece);
        ed.effect(InstData::Store { value: piece, base, offset: offset.saturating_add(at), flags });
    }
    Edit::Remove
}
