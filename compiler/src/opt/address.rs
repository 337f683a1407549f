//! address: constant parts of an address move outward, where an access can absorb them.
//!
//! ```text
//!   v3 = ptr_add v1, 14                      v6 = ptr_add v1, v2
//!   v4 = ptr_add v3, v2                ->    v4 = ptr_add v6, 14
//!   v5 = load.i8 v4+1                        v5 = load.i8 v6+15
//! ```
//!
//! Also `p + (x + 1)` becomes `(p + x) + 1` when the sum has no other use, and cannot overflow or `x` is a counter.
//! Preserves: every address.
//! The kernel's verifier still accepts: the variable is added once, and what is checked and what is
//! accessed are constant distances from that one pointer. A sum with another use, such as a check,
//! is left alone.
//! Cost: linear.

use super::Cx;
use super::bits::known;
use super::edit::{self, Edit, Editor, use_counts};
use crate::ir::{Arena, BinaryOp, Function, InstData, Type, Value, ValueDef};

/// Runs the pass.
pub fn run(f: &mut Function, _: &Cx<'_>) -> bool {
    let accessed = accessed(f);
    let uses = use_counts(f);
    let counters = counters(f);
    edit::rewrite(f, |ed, inst| {
        let InstData::PtrAdd { base, offset } = ed.f.insts[inst] else { return Edit::Keep };
        let wanted = ed.f.result(inst).and_then(|v| accessed.get(v)).copied().unwrap_or(false);
        // An access has room for one offset, and that of a field that is relocated cannot go elsewhere.
        let relocated = matches!(ed.f.def(offset), Some(InstData::Core { .. }));
        if !wanted || relocated || ed.f.constant(offset).is_some() {
            return Edit::Keep;
        }
        let (base, first) = split_base(ed, base);
        let (offset, second) = split_offset(ed.f, &uses, &counters, offset);
        let constant = first + second;
        if constant == 0 || i16::try_from(constant).is_err() {
            return Edit::Keep;
        }
        let base = base(ed);
        let moved = ed.emit(InstData::PtrAdd { base, offset });
        Edit::Replace(ed.offset(moved, constant))
    })
}

/// Addresses that loads and stores use.
fn accessed(f: &Function) -> Arena<Value, bool> {
    let mut accessed = Arena::filled(&f.values, false);
    for &block in &f.order {
        for &inst in &f.blocks[block].insts {
            if let InstData::Load { base, .. } | InstData::Store { base, .. } = f.insts[inst] {
                accessed[base] = true;
            }
        }
    }
    accessed
}

/// The base without its constant part, to be emitted when it is needed, and the constant.
fn split_base(ed: &Editor<'_>, base: Value) -> (impl FnOnce(&mut Editor<'_>) -> Value + use<>, i64) {
    let data = ed.f.def(base).cloned();
    let (start, constant) = match data {
        Some(InstData::PtrAdd { base: inner, offset }) => match ed.f.constant(offset) {
            Some(bytes) => (Ok(inner), bytes as i64),
            None => (Ok(base), 0),
        },
        Some(InstData::SymbolAddr { symbol, offset }) if offset != 0 => {
            (Err(InstData::SymbolAddr { symbol, offset: 0 }), offset)
        }
        Some(InstData::SlotAddr { slot, offset }) if offset != 0 => {
            (Err(InstData::SlotAddr { slot, offset: 0 }), offset.into())
        }
        _ => (Ok(base), 0),
    };
    // Sums of constants that are out of range are of no use anyway.
    let constant = if constant.unsigned_abs() <= 1 << 20 { constant } else { 1 << 20 };
    let emit = move |ed: &mut Editor<'_>| match start {
        Ok(value) => value,
        Err(data) => ed.emit(data),
    };
    (emit, constant)
}

/// Is the value a counter of a loop?
fn is_counter(f: &Function, counters: &Arena<Value, bool>, value: Value) -> bool {
    let is_inner = matches!(f.values[value].def, ValueDef::Param(block, _) if block != f.entry());
    is_inner && f.ty(value) == Type::I64 && counters.get(value) == Some(&true)
}

/// The offset without its constant part, and the constant.
fn split_offset(
    f: &Function,
    uses: &Arena<Value, u32>,
    counters: &Arena<Value, bool>,
    offset: Value,
) -> (Value, i64) {
    if let Some(InstData::Binary { op: BinaryOp::Add, args: [x, c] }) = f.def(offset)
        && let Some(bytes) = f.constant(*c).filter(|&bytes| bytes <= i16::MAX as u64)
        && uses.get(offset) == Some(&1)
        && (known(f, *x).fits(Type::I32) || is_counter(f, counters, *x))
    {
        return (*x, bytes as i64);
    }
    (offset, 0)
}

/// Values that start at constants and grow by constants: the kernel knows what each is in each round.
fn counters(f: &Function) -> Arena<Value, bool> {
    let mut counters = Arena::filled(&f.values, true);
    for call in f.order.iter().flat_map(|&from| f.successors(from)) {
        for (&param, &arg) in f.blocks[call.block].params.iter().zip(&call.args) {
            let small = |v: Value| f.constant(v).is_some_and(|bits| bits <= u64::from(u16::MAX));
            counters[param] &= match f.def(arg) {
                Some(&InstData::Binary { op: BinaryOp::Add, args: [x, step] }) => x == param && small(step),
                _ => small(arg),
            };
        }
    }
    counters
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    #[test]
    fn the_variable_is_added_first() {
        let text = "function @f(ptr, i32) -> i32 {\nblock0(v0: ptr, v1: i32):\n  v2 = iconst.i32 7\n  v3 = and v1, v2\n\
            v4 = zext.i64 v3\n  v5 = iconst.i64 14\n  v6 = ptr_add v0, v5\n  v7 = ptr_add v6, v4\n\
            v8 = load.i32 v7 align 1\n  return v8\n}";
        let out = after_pass("address", text);
        assert!(out.contains("ptr_add v0, v4"), "{out}");
    }

    #[test]
    fn fields_that_are_relocated_stay_outside() {
        let text = "core0 = 0 local 6 \"byte_off a 0:1\"\nfunction @f(ptr) -> i32 {\nblock0(v0: ptr):\n  \
            v1 = iconst.i64 14\n  v2 = ptr_add v0, v1\n  v3 = core.i64 core0\n  v4 = ptr_add v2, v3\n  \
            v5 = load.i32 v4 align 1\n  return v5\n}";
        let out = after_pass("address", text);
        assert!(out.contains("ptr_add v2, v3"), "{out}");
    }
}
