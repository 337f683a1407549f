//! What fills leave in slots, until something else is written there.
//!
//! ```text
//!   memset(s0, 0, 24)                memset(s0, 0, 24)
//!   v1 = load.i8 s0+3        ->      v1 = iconst.i8 0
//! ```
//!
//! In: the instructions of a walk, in order. Invariant: each byte of a [`Fill`] holds that byte.

use std::collections::BTreeSet;

use super::alias::{Place, Root};
use super::{Content, Write, effect, slots};
use crate::ir::{Function, InstData, Intrinsic, Slot};

/// Bytes of a slot that all hold the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fill {
    slot: Slot,
    from: i64,
    to: i64,
    byte: u8,
}

impl Fill {
    /// What an instruction fills.
    pub fn new(f: &Function, data: &InstData) -> Option<Fill> {
        let InstData::Intrinsic { op: Intrinsic::Memset, args, .. } = data else { return None };
        let place = Place::new(f, args[0], 0);
        let (Root::Slot(slot), Some(from)) = (place.root, place.offset) else { return None };
        let size = i64::try_from(f.constant(args[2])?).ok()?;
        Some(Fill { slot, from, to: from.checked_add(size)?, byte: f.constant(args[1])? as u8 })
    }

    /// What is left of it when these bytes are written.
    fn without(self, from: i64, to: i64) -> impl Iterator<Item = Fill> {
        let parts = [Fill { to: self.to.min(from), ..self }, Fill { from: self.from.max(to), ..self }];
        parts.into_iter().filter(|part| part.from < part.to)
    }
}

/// The byte of which all of a place consists.
pub fn byte(fills: &[Fill], wanted: &Content) -> Option<u8> {
    let (Root::Slot(slot), Some(from)) = (wanted.place.root, wanted.place.offset) else { return None };
    let to = from + i64::from(wanted.ty.bytes());
    fills.iter().find(|fill| fill.slot == slot && fill.from <= from && to <= fill.to).map(|fill| fill.byte)
}

/// Drops what an instruction may change.
pub fn forget(f: &Function, data: &InstData, fills: &mut Vec<Fill>, leaked: &BTreeSet<Slot>) {
    if fills.is_empty() {
        return;
    }
    match effect(f, data) {
        Write::Nothing => {}
        Write::At(Place { root: Root::Slot(slot), offset, .. }, size) => {
            let (from, to) = offset.map_or((i64::MIN, i64::MAX), |at| (at, at.saturating_add(size)));
            let part = |fill: Fill| {
                let hit = fill.slot == slot;
                fill.without(if hit { from } else { i64::MAX }, if hit { to } else { i64::MAX })
            };
            *fills = std::mem::take(fills).into_iter().flat_map(part).collect();
        }
        Write::At(..) => fills.retain(|fill| !leaked.contains(&fill.slot)),
        Write::Anything => {
            let passed = slots::passed(f, data);
            fills.retain(|fill| !leaked.contains(&fill.slot) && !passed.contains(&fill.slot));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    fn text(between: &str) -> String {
        format!(
            "function @f(ptr, i32) -> i32 {{\n  s0 = slot 24 align 8 \"a\"\nblock0(v0: ptr, v20: i32):\n  v1 = trunc.i8 v20\n  v2 = slot_addr s0\n  \
             v3 = iconst.i32 0\n  v4 = iconst.i64 24\n  v5 = iconst.i64 8\n  v6 = slot_addr s0+3\n  \
             v7 = slot_addr s0+4\n  memset(v2, v3, v4, v5)\n  {between}v8 = load.i8 v6 align 1\n  \
             v9 = call helper 7(v2) -> i64\n  v12 = zext.i32 v8\n  return v12\n}}"
        )
    }

    #[test]
    fn what_was_filled_is_known() {
        let neighbour = "store v1, v7 align 1\n  ";
        for between in ["", neighbour, "store v1, v0 align 1\n  "] {
            let out = after_pass("gvn", &text(between));
            assert!(!out.contains("load.i8"), "{between}: {out}");
        }
    }

    #[test]
    fn what_was_written_since_is_not() {
        let wide = "v10 = load.i32 v0 align 4\n  store v10, v2 align 4\n  ";
        let given = "v11 = call helper 8(v2) -> i64\n  ";
        for between in [wide, given, "store.ptr v2, v0 align 8\n  store v1, v0 align 1\n  "] {
            let out = after_pass("gvn", &text(between));
            assert!(out.contains("load.i8 v6"), "{between}: {out}");
        }
    }
}
