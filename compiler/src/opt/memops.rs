//! memops: copies, fills and comparisons of constant size become loads and stores.
//!
//! ```text
//!   memcpy(v1, v2, 12, 4)   ->   v3 = load.i64 v2 align 4    store.i64 v3, v1 align 4
//!                                v4 = load.i32 v2+8 align 4  store.i32 v4, v1+8 align 4
//! ```
//!
//! Pieces are as wide as both addresses allow: by their alignment, and up to 8 bytes where the kernel
//! allows unaligned access. More than [`PIECES`] pieces, or a size that is not constant, is a limit.
//! A comparison whose result is only tested for zero reads both sides and combines the differences;
//! otherwise the first difference decides.
//! Preserves: a move reads everything before it writes.
//! The kernel's verifier still accepts: the bytes are those of the C program, pieces within the
//! stack are aligned.
//! Cost: linear in the sizes.

use std::collections::BTreeSet;

use super::Cx;
use super::alias::{Place, Root, allows_unaligned};
use super::edit::{self, Edit, Editor};
use super::simplify::alignment;
use super::sroa::splat;
use crate::ir::{
    BinaryOp, Compare, ConvertOp, Function, Inst, InstData, Intrinsic, MemFlags, Preds, Type, UnaryOp, Value,
};

/// Copies of more pieces than this are refused: two instructions each are enough.
const PIECES: usize = 512;

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    let preds = f.predecessors();
    let tested = only_tested(f);
    edit::rewrite(f, |ed, inst| {
        let InstData::Intrinsic { op, ref args, .. } = ed.f.insts[inst] else { return Edit::Keep };
        let args = args.clone();
        match op {
            Intrinsic::Memcpy | Intrinsic::Memmove | Intrinsic::Memset => expand(ed, cx, &preds, op, &args),
            Intrinsic::Memcmp => compare(ed, cx, &preds, inst, &args, &tested),
            _ => Edit::Keep,
        }
    })
}

/// Comparisons of memory whose result is only compared with zero for equality.
fn only_tested(f: &Function) -> BTreeSet<Value> {
    let insts = || f.order.iter().flat_map(|&block| &f.blocks[block].insts).copied();
    let compares = |inst: &Inst| matches!(f.insts[*inst], InstData::Intrinsic { op: Intrinsic::Memcmp, .. });
    let mut tested: BTreeSet<Value> = insts().filter(compares).filter_map(|inst| f.result(inst)).collect();
    if tested.is_empty() {
        return tested;
    }
    for inst in insts() {
        match &f.insts[inst] {
            InstData::Intrinsic { op: Intrinsic::Memcmp, .. } => {}
            InstData::Compare { op: Compare::Eq | Compare::Ne, args } if f.constant(args[1]) == Some(0) => {}
            data => data.for_each_operand(|v| {
                tested.remove(&v);
            }),
        }
    }
    tested
}

/// Widest piece at an address that is `offset` bytes after a place.
fn width(ed: &Editor<'_>, cx: &Cx<'_>, preds: &Preds, base: Value, claim: u32) -> (u32, bool) {
    let place = Place::new(ed.f, base, 0);
    let known = match (place.root, place.offset) {
        (Root::Slot(slot), Some(at)) => alignment(ed.f.slots[slot].align, at),
        (Root::Symbol(symbol), Some(at)) => alignment(cx.data(symbol).map_or(1, |data| data.align), at),
        _ => 1,
    };
    let free = cx.options.unaligned && allows_unaligned(ed.f, preds, base);
    (claim.max(known).min(8), free)
}

/// Offset, type and alignment of each piece; `None` when there are too many.
fn pieces(size: u64, sides: &[(u32, bool)]) -> Option<Vec<(i32, Type, u32)>> {
    let mut pieces = Vec::new();
    let (mut at, size) = (0u32, u32::try_from(size).ok()?);
    while at < size {
        let align = sides.iter().map(|&(align, _)| alignment(align, at.into())).min().unwrap_or(1);
        let widest =
            sides.iter().map(|&(align, free)| if free { 8 } else { alignment(align, at.into()) }).min();
        let mut bytes = widest.unwrap_or(1).clamp(1, 8);
        while bytes > size - at {
            bytes /= 2;
        }
        pieces.push((i32::try_from(at).ok()?, Type::int_of_bytes(bytes.into())?, align.min(bytes)));
        at += bytes;
        if pieces.len() > PIECES {
            return None;
        }
    }
    Some(pieces)
}

fn load(ed: &mut Editor<'_>, ty: Type, base: Value, offset: i32, align: u32) -> Value {
    ed.emit(InstData::Load { ty, base, offset, flags: MemFlags { volatile: false, align } })
}

fn store(ed: &mut Editor<'_>, value: Value, base: Value, offset: i32, align: u32) {
    ed.effect(InstData::Store { value, base, offset, flags: MemFlags { volatile: false, align } });
}

fn too_large(ed: &Editor<'_>, cx: &Cx<'_>, op: Intrinsic) -> Edit {
    cx.limit(ed.loc, format!("a call of `{op}` with so large a size"));
    Edit::Keep
}

fn expand(ed: &mut Editor<'_>, cx: &Cx<'_>, preds: &Preds, op: Intrinsic, args: &[Value]) -> Edit {
    let Some(size) = ed.f.constant(args[2]) else { return Edit::Keep };
    let claim = args.get(3).and_then(|&a| ed.f.constant(a)).unwrap_or(1).clamp(1, 8) as u32;
    let dst = width(ed, cx, preds, args[0], claim);
    if op == Intrinsic::Memset {
        let Some(pieces) = pieces(size, &[dst]) else { return too_large(ed, cx, op) };
        for (at, ty, align) in pieces {
            let value = splat(ed, args[1], ty);
            store(ed, value, args[0], at, align);
        }
        return Edit::Remove;
    }
    let src = width(ed, cx, preds, args[1], claim);
    let Some(pieces) = pieces(size, &[dst, src]) else { return too_large(ed, cx, op) };
    let read = |ed: &mut Editor<'_>, &(at, ty, align): &(i32, Type, u32)| load(ed, ty, args[1], at, align);
    if op == Intrinsic::Memmove {
        let values: Vec<Value> = pieces.iter().map(|piece| read(ed, piece)).collect();
        for (&(at, _, align), value) in pieces.iter().zip(values) {
            store(ed, value, args[0], at, align);
        }
    } else {
        for piece in &pieces {
            let value = read(ed, piece);
            store(ed, value, args[0], piece.0, piece.2);
        }
    }
    Edit::Remove
}

fn compare(
    ed: &mut Editor<'_>,
    cx: &Cx<'_>,
    preds: &Preds,
    inst: Inst,
    args: &[Value],
    tested: &BTreeSet<Value>,
) -> Edit {
    let Some(size) = ed.f.constant(args[2]) else { return Edit::Keep };
    let sides = [width(ed, cx, preds, args[0], 1), width(ed, cx, preds, args[1], 1)];
    let Some(pieces) = pieces(size, &sides) else { return too_large(ed, cx, Intrinsic::Memcmp) };
    let widest = if pieces.iter().any(|&(_, ty, _)| ty == Type::I64) { Type::I64 } else { Type::I32 };
    let equality = ed.f.result(inst).is_some_and(|result| tested.contains(&result));
    let mut sum = None;
    // Each piece is combined with the others as soon as it is read, so that few values live at a time;
    // of those in order the last comes first, as those before it decide.
    let in_turn: Vec<_> = if equality { pieces } else { pieces.into_iter().rev().collect() };
    for (at, ty, align) in in_turn {
        let pair = [args[0], args[1]].map(|base| {
            let value = load(ed, ty, base, at, align);
            let as_number = equality || cx.options.big_endian || ty == Type::I8;
            let value = if as_number { value } else { ed.unary(UnaryOp::Bswap, value) };
            ed.convert(ConvertOp::Zext, widest, value)
        });
        let here = if equality { difference(ed, pair) } else { order(ed, pair) };
        sum = Some(match sum {
            None => here,
            Some(sum) if equality => ed.binary(BinaryOp::Or, sum, here),
            Some(sum) => {
                let cond = ed.compare(Compare::Ne, pair[0], pair[1]);
                ed.emit(InstData::Select { cond, args: [here, sum] })
            }
        });
    }
    let Some(mut sum) = sum else { return Edit::Replace(ed.iconst(Type::I32, 0)) };
    if equality {
        let zero = ed.iconst(widest, 0);
        let differs = ed.compare(Compare::Ne, sum, zero);
        sum = ed.convert(ConvertOp::Zext, Type::I32, differs);
    }
    Edit::Replace(sum)
}

fn difference(ed: &mut Editor<'_>, [a, b]: [Value; 2]) -> Value {
    ed.binary(BinaryOp::Xor, a, b)
}

/// -1, 0 or 1.
fn order(ed: &mut Editor<'_>, [a, b]: [Value; 2]) -> Value {
    let (above, below) = (ed.compare(Compare::Ugt, a, b), ed.compare(Compare::Ult, a, b));
    let (above, below) =
        (ed.convert(ConvertOp::Zext, Type::I32, above), ed.convert(ConvertOp::Zext, Type::I32, below));
    ed.binary(BinaryOp::Sub, above, below)
}
