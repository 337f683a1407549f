//! extend: below `-mcpu=v3`, what is compared and what is used later are one register.
//!
//! ```text
//!   v3 = icmp slt v1, 8                   v2 = sext.i64 v1
//!   v2 = sext.i64 v1 ; elsewhere    ->    v3 = icmp slt v2, 8
//! ```
//!
//! The machine has no comparisons of halves there, so each one would extend a copy of its own. A value that
//! is extended for another reason, or compared more than once, is extended once, where it is made.
//! Preserves: results. From v3 on there is nothing to do.
//! The kernel's verifier accepts it only so: a check of a copy says nothing about what is used as an index.
//! Cost: linear.

use std::collections::{BTreeMap, BTreeSet};

use super::Cx;
use super::edit::{self, Edit};
use crate::ir::{Compare, ConvertOp, Function, InstData, SrcLoc, Type, Value};

/// Is there nothing to do for this processor?
pub fn compares_halves(cpu: u8) -> bool {
    cpu >= 3
}

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    if compares_halves(cx.options.cpu) {
        return false;
    }
    let wanted = wanted(f);
    if wanted.is_empty() {
        return false;
    }
    let extended = extend(f, wanted);
    edit::rewrite(f, |ed, inst| match ed.f.insts[inst] {
        InstData::Convert { op, ty: Type::I64, arg } => match extended.get(&(arg, op)) {
            Some(&value) if ed.f.result(inst) != Some(value) => Edit::Replace(value),
            _ => Edit::Keep,
        },
        InstData::Compare { op, args: [a, b] } if ed.f.ty(a) == Type::I32 => {
            let how = extension(op);
            let mut whole = |value: Value| match extended.get(&(value, how)) {
                Some(&value) => Some(value),
                None => {
                    let bits = ed.f.constant(value)?;
                    let bits = if how == ConvertOp::Sext { Type::I32.sign_extend(bits) as u64 } else { bits };
                    Some(ed.iconst(Type::I64, bits))
                }
            };
            let variable = extended.contains_key(&(a, how)) || extended.contains_key(&(b, how));
            if let (true, Some(a), Some(b)) = (variable, whole(a), whole(b)) {
                ed.set(inst, InstData::Compare { op, args: [a, b] });
            }
            Edit::Keep
        }
        _ => Edit::Keep,
    })
}

/// How a comparison of halves is made one of whole registers.
pub fn extension(op: Compare) -> ConvertOp {
    match op {
        Compare::Slt | Compare::Sle | Compare::Sgt | Compare::Sge => ConvertOp::Sext,
        Compare::Eq | Compare::Ne | Compare::Ult | Compare::Ule | Compare::Ugt | Compare::Uge => {
            ConvertOp::Zext
        }
    }
}

/// The values that are worth extending once, and how.
fn wanted(f: &Function) -> Vec<(Value, ConvertOp)> {
    // How often each is compared, and whether it is extended anyway.
    let mut uses: BTreeMap<(Value, ConvertOp), (u32, bool)> = BTreeMap::new();
    for &inst in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
        match f.insts[inst] {
            InstData::Convert { op: op @ (ConvertOp::Zext | ConvertOp::Sext), ty: Type::I64, arg }
                if f.ty(arg) == Type::I32 =>
            {
                uses.entry((arg, op)).or_default().1 = true;
            }
            InstData::Compare { op, args: [a, b] } if f.ty(a) == Type::I32 => {
                // A large unsigned number is no immediate.
                let fits = |bits: u64| extension(op) == ConvertOp::Sext || bits <= i32::MAX as u64;
                if f.constant(b).is_none_or(fits) {
                    for value in [a, b].into_iter().filter(|&value| f.constant(value).is_none()) {
                        uses.entry((value, extension(op))).or_default().0 += 1;
                    }
                }
            }
            _ => {}
        }
    }
    let worth = |&(compared, extended): &(u32, bool)| compared > 1 || compared == 1 && extended;
    uses.into_iter().filter(|(_, uses)| worth(uses)).map(|(what, _)| what).collect()
}

/// Extends values right where they are made.
fn extend(f: &mut Function, wanted: Vec<(Value, ConvertOp)>) -> BTreeMap<(Value, ConvertOp), Value> {
    let mut extended = BTreeMap::new();
    let mut convert = |f: &mut Function, value: Value, op: ConvertOp, loc: SrcLoc| {
        let inst = f.make_inst(InstData::Convert { op, ty: Type::I64, arg: value }, loc);
        extended.extend(f.result(inst).map(|result| ((value, op), result)));
        inst
    };
    let wanted: BTreeSet<(Value, ConvertOp)> = wanted.into_iter().collect();
    let ops = |value: Value| -> Vec<ConvertOp> {
        [ConvertOp::Zext, ConvertOp::Sext].into_iter().filter(|&op| wanted.contains(&(value, op))).collect()
    };
    for block in f.order.clone() {
        let before = std::mem::take(&mut f.blocks[block].insts);
        let mut after = Vec::with_capacity(before.len());
        let loc = before.first().map_or(SrcLoc::NONE, |&inst| f.locs[inst]);
        for param in f.blocks[block].params.clone() {
            after.extend(ops(param).into_iter().map(|op| convert(f, param, op, loc)));
        }
        for inst in before {
            after.push(inst);
            // Further results of an assembly stand right after it.
            let alone = !matches!(f.insts[inst], InstData::Asm { .. } | InstData::Intrinsic { .. });
            if let Some(result) = f.result(inst).filter(|_| alone) {
                let loc = f.locs[inst];
                after.extend(ops(result).into_iter().map(|op| convert(f, result, op, loc)));
            }
        }
        f.blocks[block].insts = after;
    }
    extended
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass_on;

    const CHECKED: &str = "function @f(i32, ptr) -> i64 {\nblock0(v0: i32, v1: ptr):\n  v2 = iconst.i32 8\n\
        v3 = icmp slt v0, v2\n  br v3, block1, block2\nblock1:\n  v4 = sext.i64 v0\n  return v4\n\
        block2:\n  v5 = iconst.i64 0\n  return v5\n}";

    #[test]
    fn the_checked_value_is_the_used_one() {
        let out = after_pass_on("extend", CHECKED, 2);
        assert_eq!(out.matches("sext").count(), 1, "{out}");
        assert!(out.contains("iconst.i64 8"), "{out}");
    }

    #[test]
    fn comparisons_of_halves_stay_where_they_exist() {
        assert!(!after_pass_on("extend", CHECKED, 3).contains("iconst.i64 8"));
    }
}
