//! What an address points into.
//!
//! In: an address value. Out: its root (a slot, a symbol, a packet, a map's value, an argument, or
//! something else) and the distance to it; and whether two accesses may touch the same byte.
//! Invariant: "no" is certain. Different slots and different symbols never overlap, and what comes
//! from a packet or a map never points into the stack.

use std::collections::BTreeSet;

use crate::ir::{
    BinaryOp, Callee, ConvertOp, Function, InstData, Intrinsic, Preds, Slot, SymbolId, Value, ValueDef,
};

/// Where an address leads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Root {
    /// A slot of this function.
    Slot(Slot),
    /// A variable or map.
    Symbol(SymbolId),
    /// A number made a pointer: packet data, whose bounds the context has as numbers.
    Number(Value),
    /// The result of a helper, such as the value of a map.
    Helper(Value),
    /// Anything else.
    Other(Value),
}

/// An address: a root and the distance to it, if it is constant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// What it points into.
    pub root: Root,
    /// Bytes from its start.
    pub offset: Option<i64>,
}

impl Place {
    /// The place of `base + offset`.
    pub fn new(f: &Function, base: Value, offset: i32) -> Place {
        let (mut at, mut value) = (Some(i64::from(offset)), f.resolve(base));
        loop {
            let root = match f.def(value) {
                Some(InstData::PtrAdd { base, offset }) => {
                    let by = f.constant(*offset);
                    at = at.and_then(|at| at.checked_add(by? as i64));
                    value = f.resolve(*base);
                    continue;
                }
                Some(InstData::SlotAddr { slot, offset }) => {
                    at = at.and_then(|at| at.checked_add((*offset).into()));
                    Root::Slot(*slot)
                }
                Some(InstData::SymbolAddr { symbol, offset }) => {
                    at = at.and_then(|at| at.checked_add(*offset));
                    Root::Symbol(*symbol)
                }
                // The same bytes, by another name.
                Some(InstData::Intrinsic { op: Intrinsic::CastAddressSpace, args, .. }) => {
                    value = f.resolve(args[0]);
                    continue;
                }
                Some(InstData::Convert { op: ConvertOp::IntToPtr, .. }) => Root::Number(value),
                Some(InstData::Call { callee: Callee::Helper(_), .. }) => Root::Helper(value),
                _ => Root::Other(value),
            };
            return Place { root, offset: at };
        }
    }

    /// May `size` bytes here and `other_size` bytes there share a byte? `private` says whether the
    /// address of a slot or variable is known only to direct accesses.
    pub fn may_overlap(
        &self,
        size: i64,
        other: &Place,
        other_size: i64,
        private: &dyn Fn(Root) -> bool,
    ) -> bool {
        if self.root == other.root {
            return match (self.offset, other.offset) {
                (Some(a), Some(b)) => a < b.saturating_add(other_size) && b < a.saturating_add(size),
                _ => true,
            };
        }
        match (self.root, other.root) {
            (Root::Slot(_) | Root::Symbol(_), Root::Slot(_) | Root::Symbol(_)) => false,
            // A number may be anything; only where nobody has the address is it certain.
            (named @ (Root::Slot(_) | Root::Symbol(_)), _)
            | (_, named @ (Root::Slot(_) | Root::Symbol(_))) => !private(named),
            (Root::Number(_) | Root::Helper(_) | Root::Other(_), _) => true,
        }
    }
}

/// Are `size` bytes at each of two addresses certainly apart, because they are different elements of one
/// array? Elements are told apart by the lower halves of their indices, which differ by a constant.
pub fn different_elements(f: &Function, a: (Value, i64), b: (Value, i64), size: i64) -> bool {
    let element = |(base, at): (Value, i64)| match f.def(base)? {
        InstData::PtrAdd { base, offset } => {
            let InstData::Binary { op: BinaryOp::Shl, args: [index, by] } = f.def(*offset)? else {
                return None;
            };
            Some((f.resolve(*base), at, f.constant(*by)?, index_of(f, *index)))
        }
        _ => None,
    };
    let (Some((a, at, scale, i)), Some((b, to, other_scale, j))) = (element(a), element(b)) else {
        return false;
    };
    let alike = (a, at, scale) == (b, to, other_scale) && i.0 == j.0;
    // Indices that differ in their lower half differ by less than half of the addresses, even scaled.
    alike && i.1 != j.1 && scale <= 31 && size <= 1 << scale
}

/// The lower half of an index as a value and a constant added to it.
fn index_of(f: &Function, index: Value) -> (Value, u32) {
    let (mut value, mut by) = (f.resolve(index), 0u32);
    loop {
        value = match f.def(value) {
            Some(InstData::Convert { op, arg, .. })
                if matches!(op, ConvertOp::Zext | ConvertOp::Sext | ConvertOp::Trunc)
                    && f.ty(*arg).bits() >= 32
                    && f.ty(value).bits() >= 32 =>
            {
                f.resolve(*arg)
            }
            Some(InstData::Binary { op: BinaryOp::Add, args: [a, b] }) => match f.constant(*b) {
                Some(more) => {
                    by = by.wrapping_add(more as u32);
                    f.resolve(*a)
                }
                None => return (value, by),
            },
            _ => return (value, by),
        };
    }
}

/// Does the kernel allow unaligned accesses of what the address points into? It does for packets,
/// map values and global variables, not for the stack and the context.
pub fn allows_unaligned(f: &Function, preds: &Preds, address: Value) -> bool {
    let mut seen = BTreeSet::new();
    let mut work = vec![address];
    while let Some(value) = work.pop() {
        if !seen.insert(value) {
            continue;
        }
        match Place::new(f, value, 0).root {
            Root::Symbol(_) | Root::Number(_) | Root::Helper(_) => {}
            Root::Slot(_) => return false,
            Root::Other(value) => match (f.values[value].def, f.def(value)) {
                (ValueDef::Param(block, index), _) if block != f.entry() => {
                    for &pred in &preds[block] {
                        let calls = f.successors(pred);
                        work.extend(
                            calls.filter(|c| c.block == block).map(|c| f.resolve(c.args[index as usize])),
                        );
                    }
                }
                (_, Some(InstData::Select { args, .. })) => work.extend(args),
                // A constant, such as null, is never dereferenced.
                (_, Some(InstData::Const { .. })) => {}
                _ => return false,
            },
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse;

    #[test]
    fn roots() {
        let text = "function @f(ptr, i64) {\n  s0 = slot 8 align 8 \"a\"\nblock0(v0: ptr, v1: i64):\n\
            v2 = load.i32 v0 align 4\n  v3 = zext.i64 v2\n  v4 = int_to_ptr.ptr v3\n  v5 = ptr_add v4, v1\n\
            v6 = slot_addr s0+4\n  v7 = iconst.i64 2\n  v8 = ptr_add v6, v7\n  return\n}";
        let f = parse(text).expect("the text parses").functions[0].clone();
        let place = |i| Place::new(&f, Value::from_index(i), 1);
        assert_eq!(place(5), Place { root: Root::Number(Value::from_index(4)), offset: None });
        assert_eq!(place(8), Place { root: Root::Slot(Slot::from_index(0)), offset: Some(7) });
        let preds = f.predecessors();
        assert!(allows_unaligned(&f, &preds, Value::from_index(5)));
        assert!(!allows_unaligned(&f, &preds, Value::from_index(0)));
        assert!(!place(8).may_overlap(1, &place(5), 8, &|_| true));
        assert!(place(8).may_overlap(1, &place(5), 8, &|_| false));
    }
}
