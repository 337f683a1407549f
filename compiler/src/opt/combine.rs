//! combine: neighbouring stores become one wide store.
//!
//! ```text
//!   store.i8 72, s0             v1 = load.i8 v9           v1 = load.i16 v9
//!   store.i8 105, s0+1    ->    store.i8 v1, s0           store.i16 v1, s0
//!     store.i16 26952, s0       v2 = load.i8 v9+1    ->
//!                               store.i8 v2, s0+1
//! ```
//!
//! Stores of constants, and stores of values that neighbouring loads yield. Wide accesses must be
//! aligned, or go where the kernel allows unaligned ones; the context is left as it is written.
//! Preserves: every byte; nothing that may touch the bytes lies between the stores that are merged,
//! nor between the loads. Volatile accesses are not touched and not crossed.
//! The kernel's verifier still accepts: loads move within their block only, so no check is passed;
//! all of the bytes were accessed before. A wide store never costs more than the narrow ones.
//! Cost: quadratic in the memory accesses between two calls, of which at most [`WINDOW`] are looked at.

use super::Cx;
use super::alias::{Place, Root, allows_unaligned};
use super::edit::use_counts;
use super::simplify::alignment;
use super::slots;
use crate::ir::{Arena, Block, Function, Inst, InstData, MemFlags, Preds, SrcLoc, Type, Value};

/// Accesses that are looked at together.
const WINDOW: usize = 96;

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    let blocks: Vec<Block> = f.order.iter().copied().filter(|&block| has_narrow_stores(f, block)).collect();
    if blocks.is_empty() {
        return false;
    }
    let mut changed = false;
    let leaked = slots::leaked_anywhere(f);
    let private = |root: Root| matches!(root, Root::Slot(slot) if !leaked[slot]);
    let preds = f.predecessors();
    let mut uses = use_counts(f);
    for block in blocks {
        let mut start = 0;
        while let Some((window, merge)) = find(f, cx, &preds, &private, &uses, (block, start)) {
            apply(f, cx, block, &merge);
            // The wide access is the only user of what was made for it.
            uses.cover(f.values.next_key(), 1);
            start = window;
            changed = true;
        }
    }
    if changed {
        super::dce::remove_unused(f);
    }
    changed
}

/// Is there more than one store of less than 8 bytes?
fn has_narrow_stores(f: &Function, block: Block) -> bool {
    let narrow = |inst: &&Inst| matches!(f.insts[**inst], InstData::Store { value, flags, .. } if !flags.volatile && f.ty(value).bytes() < 8);
    f.blocks[block].insts.iter().filter(narrow).nth(1).is_some()
}

/// A plain load or store of a block.
#[derive(Clone, Copy)]
struct Access {
    /// Position in the block.
    index: usize,
    store: bool,
    place: Place,
    size: i64,
    base: Value,
    /// What is stored, or loaded.
    value: Value,
    align: u32,
}

/// Stores that become one, in order of their offsets.
struct Merge {
    stores: Vec<Access>,
    /// The loads whose values they store, if they do not store constants.
    loads: Vec<Access>,
    ty: Type,
    /// Alignment of the wide store, and of the wide load.
    aligns: (u32, u32),
}

/// The first merge from a position in a block on, and where its window begins.
fn find(
    f: &Function,
    cx: &Cx<'_>,
    preds: &Preds,
    private: &dyn Fn(Root) -> bool,
    uses: &Arena<Value, u32>,
    (block, mut start): (Block, usize),
) -> Option<(usize, Merge)> {
    let mut window: Vec<Access> = Vec::new();
    for (index, &inst) in f.blocks[block].insts.iter().enumerate().skip(start) {
        let data = &f.insts[inst];
        match access(f, inst, index) {
            Some(access) if window.len() < WINDOW => window.push(access),
            None if data.is_pure() => {}
            _ => {
                if let Some(merge) = in_window(f, cx, preds, private, uses, &window) {
                    return Some((start, merge));
                }
                window.clear();
                start = index;
            }
        }
    }
    None
}

fn access(f: &Function, inst: Inst, index: usize) -> Option<Access> {
    match f.insts[inst] {
        InstData::Load { ty, base, offset, flags } if !flags.volatile => {
            let place = Place::new(f, base, offset);
            let (size, align) = (ty.bytes().into(), flags.align);
            Some(Access { index, store: false, place, size, base, value: f.result(inst)?, align })
        }
        InstData::Store { value, base, offset, flags } if !flags.volatile => {
            let place = Place::new(f, base, offset);
            let (size, align) = (f.ty(value).bytes().into(), flags.align);
            Some(Access { index, store: true, place, size, base, value, align })
        }
        _ => None,
    }
}

fn in_window(
    f: &Function,
    cx: &Cx<'_>,
    preds: &Preds,
    private: &dyn Fn(Root) -> bool,
    uses: &Arena<Value, u32>,
    window: &[Access],
) -> Option<Merge> {
    let mut stores: Vec<Access> =
        window.iter().copied().filter(|a| a.store && a.place.offset.is_some() && a.size < 8).collect();
    if stores.len() < 2 {
        return None;
    }
    stores.sort_by_key(|a| (a.place.root, a.place.offset, a.index));
    for bytes in [8, 4, 2] {
        for first in 0..stores.len() {
            let Some(parts) = tile(&stores[first..], bytes) else { continue };
            let merge = match parts.iter().all(|a| f.constant(a.value).is_some()) {
                true => constants(f, cx, parts),
                false => copies(f, uses, window, parts),
            };
            let Some((loads, ty)) = merge else { continue };
            let wide = |a: &Access| {
                let align = wide_align(f, cx, a);
                let free = cx.options.unaligned && allows_unaligned(f, preds, a.base);
                (free || i64::from(align) >= bytes).then_some(align.min(8))
            };
            let (Some(to), Some(from)) = (wide(&parts[0]), loads.first().map_or(Some(1), wide)) else {
                continue;
            };
            if mergeable(window, parts, private) && mergeable(window, &loads, private) {
                return Some(Merge { stores: parts.to_vec(), loads, ty, aligns: (to, from) });
            }
        }
    }
    None
}

/// Stores from the first one on that fill exactly this many bytes.
fn tile(stores: &[Access], bytes: i64) -> Option<&[Access]> {
    let first = stores.first()?;
    let start = first.place.offset?;
    let mut end = start;
    for (count, store) in stores.iter().enumerate() {
        if store.place.root != first.place.root || store.place.offset != Some(end) {
            return None;
        }
        end += store.size;
        if end - start == bytes {
            return (count > 0).then(|| &stores[..=count]);
        }
        if end - start > bytes {
            return None;
        }
    }
    None
}

/// Known alignment of the first byte.
fn wide_align(f: &Function, cx: &Cx<'_>, access: &Access) -> u32 {
    let at = access.place.offset.unwrap_or(1);
    match access.place.root {
        Root::Slot(slot) => alignment(f.slots[slot].align, at),
        Root::Symbol(symbol) => alignment(cx.data(symbol).map_or(1, |data| data.align), at),
        Root::Number(_) | Root::Helper(_) | Root::Other(_) => access.align,
    }
}

/// Are constants worth merging?
fn constants(f: &Function, cx: &Cx<'_>, parts: &[Access]) -> Option<(Vec<Access>, Type)> {
    if !matches!(parts[0].place.root, Root::Slot(_) | Root::Symbol(_) | Root::Number(_) | Root::Helper(_)) {
        return None;
    }
    let ty = Type::int_of_bytes(parts.iter().map(|a| a.size as u64).sum())?;
    let value = joined(f, cx, parts);
    let small = ty != Type::I64 || i32::try_from(value as i64).is_ok();
    // A small constant is stored by one instruction; a wide one is loaded first, by one of two slots.
    let wide = if small { 1 } else { 3 };
    (wide <= parts.len()).then_some((Vec::new(), ty))
}

/// The constant that has the bytes of all parts.
fn joined(f: &Function, cx: &Cx<'_>, parts: &[Access]) -> u64 {
    let total: i64 = parts.iter().map(|a| a.size).sum();
    let start = parts[0].place.offset.unwrap_or(0);
    parts.iter().fold(0, |sum, part| {
        let at = part.place.offset.unwrap_or(0) - start;
        let shift = 8 * if cx.options.big_endian { total - at - part.size } else { at };
        sum | f.constant(part.value).unwrap_or(0) << shift
    })
}

/// The neighbouring loads whose values are stored.
fn copies(
    f: &Function,
    uses: &Arena<Value, u32>,
    window: &[Access],
    parts: &[Access],
) -> Option<(Vec<Access>, Type)> {
    let of = |part: &Access| {
        window.iter().find(|a| !a.store && a.value == part.value && a.size == part.size && uses[a.value] == 1)
    };
    let loads: Vec<Access> = parts.iter().map(|part| of(part).copied()).collect::<Option<_>>()?;
    let first = &loads[0];
    let known = |root| matches!(root, Root::Slot(_) | Root::Symbol(_) | Root::Number(_) | Root::Helper(_));
    if !known(first.place.root) || !known(parts[0].place.root) {
        return None;
    }
    let (start, from) = (parts[0].place.offset?, first.place.offset?);
    let parallel = parts.iter().zip(&loads).all(|(to, load)| {
        load.place.root == first.place.root
            && matches!((to.place.offset, load.place.offset), (Some(a), Some(b)) if a - start == b - from)
    });
    let last_load = loads.iter().map(|a| a.index).max()?;
    let last_store = parts.iter().map(|a| a.index).max()?;
    // The wide load stands where the last load was, the wide store where the last store was.
    let ty = Type::int_of_bytes(parts.iter().map(|a| a.size as u64).sum())?;
    (parallel && last_load < last_store && f.ty(first.value) != Type::Ptr).then_some((loads, ty))
}

/// May these accesses all happen where the last of them does?
fn mergeable(window: &[Access], parts: &[Access], private: &dyn Fn(Root) -> bool) -> bool {
    let Some(last) = parts.iter().map(|a| a.index).max() else { return true };
    parts.iter().all(|part| {
        window.iter().filter(|a| part.index < a.index && a.index <= last).all(|other| {
            let harmless = !part.store && !other.store;
            let sibling = parts.iter().any(|p| p.index == other.index);
            harmless || sibling || !part.place.may_overlap(part.size, &other.place, other.size, private)
        })
    })
}

/// Replaces the parts of a merge.
fn apply(f: &mut Function, cx: &Cx<'_>, block: Block, merge: &Merge) {
    let first = &merge.stores[0];
    let last = merge.stores.iter().map(|a| a.index).max().unwrap_or(first.index);
    let loc_of = |f: &Function, a: &Access| f.locs[f.blocks[block].insts[a.index]];
    let mut added: Vec<(usize, Inst)> = Vec::new();
    let value = match merge.loads.first() {
        Some(load) => {
            let place = merge.loads.iter().map(|a| a.index).max().unwrap_or(load.index);
            let flags = MemFlags { volatile: false, align: merge.aligns.1 };
            let (base, offset) = address(f, block, load);
            let loc = loc_of(f, load);
            push(f, &mut added, place, InstData::Load { ty: merge.ty, base, offset, flags }, loc)
        }
        None => {
            let value = joined(f, cx, &merge.stores);
            push(f, &mut added, last, InstData::Const { ty: merge.ty, value }, loc_of(f, first))
        }
    };
    let Some(value) = value else { return };
    let flags = MemFlags { volatile: false, align: merge.aligns.0 };
    let (base, offset) = address(f, block, first);
    let loc = loc_of(f, first);
    push(f, &mut added, last, InstData::Store { value, base, offset, flags }, loc);
    let gone = |index: usize| merge.stores.iter().chain(&merge.loads).any(|a| a.index == index);
    let old = std::mem::take(&mut f.blocks[block].insts);
    for (index, inst) in old.into_iter().enumerate() {
        if !gone(index) {
            f.blocks[block].insts.push(inst);
        }
        let here = added.iter().filter(|(at, _)| *at == index).map(|&(_, inst)| inst);
        f.blocks[block].insts.extend(here);
    }
}

fn push(
    f: &mut Function,
    added: &mut Vec<(usize, Inst)>,
    at: usize,
    data: InstData,
    loc: SrcLoc,
) -> Option<Value> {
    let inst = f.make_inst(data, loc);
    added.push((at, inst));
    f.result(inst)
}

/// Base and offset as the narrow access has them.
fn address(f: &Function, block: Block, access: &Access) -> (Value, i32) {
    match f.insts[f.blocks[block].insts[access.index]] {
        InstData::Load { base, offset, .. } | InstData::Store { base, offset, .. } => (base, offset),
        _ => (access.base, 0),
    }
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    #[test]
    fn text_is_stored_in_words() {
        let text = "function @f() -> i64 {\n  s0 = slot 8 align 8 \"a\"\nblock0:\n  v0 = slot_addr s0\n  v1 = iconst.i8 72\n\
            store.i8 v1, v0 align 1\n  v2 = iconst.i8 105\n  store.i8 v2, v0+1 align 1\n  v3 = iconst.i16 0\n\
            store.i16 v3, v0+2 align 2\n  v4 = iconst.i32 7\n  store.i32 v4, v0+4 align 4\n\
            v5 = call helper 1(v0) -> i64\n  return v5\n}";
        let out = after_pass("combine", text);
        assert!(out.contains("store.i64") && !out.contains("store.i8"), "{out}");
    }

    #[test]
    fn a_read_in_between_keeps_stores_apart() {
        let text = "function @f(ptr) -> i64 {\n  s0 = slot 8 align 8 \"a\"\nblock0(v0: ptr):\n  v1 = slot_addr s0\n  v2 = iconst.i32 1\n\
            store.i32 v2, v1 align 4\n  v3 = load.i64 v0 align 1\n  v4 = load.i32 v1 align 4\n  store.i32 v2, v1+4 align 4\n\
            v5 = call helper 1(v1) -> i64\n  v6 = zext.i64 v4\n  v7 = add v5, v6\n  return v7\n}";
        assert!(!after_pass("combine", text).contains("store.i64"));
    }
}
