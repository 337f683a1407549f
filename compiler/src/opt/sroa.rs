//! sroa: slots of aggregates are split into the parts that are accessed.
//!
//! ```text
//!   s0 = slot 16                              s1 = slot 4, s2 = slot 8
//!   memset(s0, 0, 16)                         store.i32 0, s1
//!   store.i32 v1, s0+0               ->       store.i64 0, s2
//!   memcpy(s0+8, v2, 8)                       store.i32 v1, s1
//!   v3 = load.i64 s0+8                        store.i64 (load.i64 v2), s2 ...
//! ```
//!
//! Loads and stores that overlap stay in one part; copies and fills are cut at the borders of the
//! parts. Copies into parts that nobody reads, and from parts that nobody wrote, go. A part of at
//! most 8 bytes is accessed by loads and stores only, so that `mem2reg` can take it.
//! Slots of 8 bytes and more are aligned to 8, so that what is not split is accessed in wide pieces.
//! Preserves: every byte that is read after it was stored. Slots whose address escapes stay whole.
//! The kernel's verifier still accepts: copies become loads of the same bytes at the same place;
//! each new slot is aligned to its size, up to 8.
//! Cost: linear in the accesses, times the parts that one copy covers.

use std::collections::BTreeMap;

use super::Cx;
use super::edit::{self, Edit, Editor};
use super::simplify::alignment;
use super::slots::{self, Access, AccessKind, Usage};
use crate::ir::{
    BinaryOp, ConvertOp, Function, Inst, InstData, Intrinsic, MemFlags, Slot, SlotData, Type, Value,
};

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    for slot in f.slots.values_mut().filter(|slot| slot.size >= 8) {
        slot.align = 8;
    }
    let mut split: BTreeMap<Slot, Vec<Part>> = BTreeMap::new();
    for (slot, usage) in cx.usage(f).iter() {
        if let Some(parts) = parts(f, slot, usage) {
            split.insert(slot, parts);
        }
    }
    if split.is_empty() {
        return false;
    }
    for (&slot, parts) in &mut split {
        let whole = f.slots[slot].clone();
        for part in parts {
            let size = (part.end - part.start) as u32;
            let align = if size >= 8 { 8 } else { size.next_power_of_two() };
            part.slot = f.slots.push(SlotData { size, align, ..whole.clone() });
        }
    }
    edit::rewrite(f, |ed, inst| rewrite(ed, &split, inst));
    for &slot in split.keys() {
        f.slots[slot].size = 0;
        f.slots[slot].name.clear();
    }
    super::dce::remove_unused(f);
    true
}

/// A part of a slot, and the slot it becomes.
#[derive(Clone, Copy)]
struct Part {
    start: i64,
    end: i64,
    slot: Slot,
    /// At most 8 bytes, and accessed as a value.
    scalar: bool,
    /// Only pointers are loaded and stored.
    pointer: bool,
    read: bool,
    written: bool,
}

impl Part {
    fn overlaps(&self, access: &Access) -> bool {
        access.start < self.end && self.start < access.end()
    }
}

/// The parts of a slot; `None` when there is nothing to do.
fn parts(f: &Function, slot: Slot, usage: &Usage) -> Option<Vec<Part>> {
    let size = i64::from(f.slots[slot].size);
    // Most slots are one value, accessed as a whole.
    let whole = |a: &Access| a.start == 0 && a.size == size && is_value(a.kind);
    if usage.escapes || usage.accesses.iter().all(whole) {
        return None;
    }
    let sane = usage.accesses.iter().all(|a| a.start >= 0 && a.end() <= size && a.size > 0);
    // A volatile object is one as its author wrote it.
    let volatile = usage.accesses.iter().any(|a| a.volatile);
    if volatile || !sane || overlapping_copy(&usage.accesses) {
        return None;
    }
    let mut parts = merge(&usage.accesses, is_value);
    // What only copies and fills touch lies between these.
    let mut gaps = Vec::new();
    for (start, end) in merge(&usage.accesses, |_| true) {
        let mut at = start;
        for &(from, to) in parts.iter().filter(|part| start <= part.0 && part.1 <= end) {
            if at < from {
                gaps.push((at, from));
            }
            at = to;
        }
        if at < end {
            gaps.push((at, end));
        }
    }
    parts.extend(gaps);
    parts.sort_unstable();
    let parts: Vec<Part> = parts.into_iter().map(|range| part(range, &usage.accesses)).collect();
    let whole = matches!(parts[..], [Part { start: 0, end, .. }] if end == size);
    let useful = usage.accesses.iter().any(|a| {
        !is_value(a.kind) && parts.iter().any(|p| p.overlaps(a) && (p.scalar || (a.reads && !p.written)))
    });
    (!whole || useful).then_some(parts)
}

fn part((start, end): (i64, i64), accesses: &[Access]) -> Part {
    let mut part = Part {
        start,
        end,
        slot: Slot::from_index(0),
        scalar: false,
        pointer: true,
        read: false,
        written: false,
    };
    let mut valued = false;
    for access in accesses.iter().filter(|a| a.start < end && start < a.end()) {
        part.read |= access.reads;
        part.written |= !access.reads;
        if let AccessKind::Load(ty) | AccessKind::Store(ty) = access.kind {
            valued = true;
            part.pointer &= ty == Type::Ptr;
        }
    }
    part.scalar = valued && end - start <= 8;
    part.pointer &= part.scalar;
    part
}

/// Is a value loaded or stored?
fn is_value(kind: AccessKind) -> bool {
    matches!(kind, AccessKind::Load(_) | AccessKind::Store(_))
}

/// Do the two sides of one copy overlap without being the same?
fn overlapping_copy(accesses: &[Access]) -> bool {
    let copies: Vec<&Access> = accesses.iter().filter(|a| a.kind == AccessKind::Copy).collect();
    copies.windows(2).any(|pair| {
        let (a, b) = (pair[0], pair[1]);
        a.inst == b.inst && a.start != b.start && a.start < b.end() && b.start < a.end()
    })
}

/// Ranges of the accesses of some kinds, overlapping ones merged.
fn merge(accesses: &[Access], kinds: impl Fn(AccessKind) -> bool) -> Vec<(i64, i64)> {
    let mut ranges: Vec<(i64, i64)> =
        accesses.iter().filter(|a| kinds(a.kind)).map(|a| (a.start, a.end())).collect();
    ranges.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::new();
    for (start, end) in ranges {
        match merged.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

/// One side of a copy or fill.
struct Side<'a> {
    address: Value,
    /// In a slot that is split: its parts and the offset in it.
    parts: Option<(&'a [Part], i64)>,
    align: u32,
}

impl<'a> Side<'a> {
    fn new(f: &Function, split: &'a BTreeMap<Slot, Vec<Part>>, address: Value, align: u32) -> Self {
        let parts =
            slots::slot_of(f, address).and_then(|(slot, at)| Some((split.get(&slot)?.as_slice(), at)));
        Side { address, parts, align }
    }

    /// The part at a distance from the start of the copy.
    fn part(&self, by: i64) -> Option<&'a Part> {
        let (parts, at) = self.parts?;
        parts.iter().find(|part| part.start <= at + by && at + by < part.end)
    }

    /// How many bytes follow in the same part.
    fn rest(&self, by: i64) -> i64 {
        match (self.part(by), self.parts) {
            (Some(part), Some((_, at))) => part.end - (at + by),
            _ => i64::MAX,
        }
    }

    /// Address and alignment at a distance from the start.
    fn at(&self, ed: &mut Editor<'_>, by: i64) -> (Value, u32) {
        match (self.part(by), self.parts) {
            (Some(part), Some((_, at))) => {
                let offset = at + by - part.start;
                let address = ed.emit(InstData::SlotAddr { slot: part.slot, offset: offset as i32 });
                (address, alignment(ed.f.slots[part.slot].align, offset))
            }
            _ => (ed.offset(self.address, by), alignment(self.align, by)),
        }
    }
}

fn rewrite(ed: &mut Editor<'_>, split: &BTreeMap<Slot, Vec<Part>>, inst: Inst) -> Edit {
    let moved = |ed: &mut Editor<'_>, base: Value, offset: i32| {
        let (slot, at) = slots::slot_of(ed.f, base)?;
        let at = at + i64::from(offset);
        let part = split.get(&slot)?.iter().find(|part| part.start <= at && at < part.end)?;
        let offset = at - part.start;
        let address = ed.emit(InstData::SlotAddr { slot: part.slot, offset: offset as i32 });
        // What was known of the whole's alignment does not hold for the part.
        Some((address, alignment(ed.f.slots[part.slot].align, offset)))
    };
    match ed.f.insts[inst] {
        InstData::Load { ty, base, offset, flags } => {
            if let Some((base, align)) = moved(ed, base, offset) {
                ed.set(inst, InstData::Load { ty, base, offset: 0, flags: MemFlags { align, ..flags } });
            }
        }
        InstData::Store { value, base, offset, flags } => {
            if let Some((base, align)) = moved(ed, base, offset) {
                let flags = MemFlags { align, ..flags };
                ed.set(inst, InstData::Store { value, base, offset: 0, flags });
            }
        }
        InstData::Intrinsic { op: op @ (Intrinsic::Memcpy | Intrinsic::Memmove), ref args, .. } => {
            let args = args.clone();
            let align = args.get(3).and_then(|&a| ed.f.constant(a)).unwrap_or(1) as u32;
            let dst = Side::new(ed.f, split, args[0], align);
            let src = Side::new(ed.f, split, args[1], align);
            if let (true, Some(size)) = (dst.parts.is_some() || src.parts.is_some(), ed.f.constant(args[2])) {
                copy(ed, op, &dst, &src, size as i64);
                return Edit::Remove;
            }
        }
        InstData::Intrinsic { op: Intrinsic::Memset, ref args, .. } => {
            let args = args.clone();
            let dst = Side::new(ed.f, split, args[0], 1);
            if let (true, Some(size)) = (dst.parts.is_some(), ed.f.constant(args[2])) {
                fill(ed, &dst, args[1], size as i64);
                return Edit::Remove;
            }
        }
        _ => {}
    }
    Edit::Keep
}

/// The widest integer of at most `n` bytes.
fn chunk(n: i64) -> (i64, Type) {
    match n {
        8.. => (8, Type::I64),
        4.. => (4, Type::I32),
        2.. => (2, Type::I16),
        _ => (1, Type::I8),
    }
}

fn copy(ed: &mut Editor<'_>, op: Intrinsic, dst: &Side<'_>, src: &Side<'_>, size: i64) {
    let mut by = 0;
    while by < size {
        let run = (size - by).min(dst.rest(by)).min(src.rest(by));
        let (to, from) = (dst.part(by).copied(), src.part(by).copied());
        let useless = to.is_some_and(|part| !part.read) || from.is_some_and(|part| !part.written);
        if useless {
            by += run;
            continue;
        }
        if to.is_some_and(|part| part.scalar) || from.is_some_and(|part| part.scalar) {
            let (bytes, ty) = chunk(run);
            let pointer = [to, from].into_iter().flatten().any(|part| part.pointer) && bytes == 8;
            let ty = if pointer { Type::Ptr } else { ty };
            let (base, align) = src.at(ed, by);
            let value =
                ed.emit(InstData::Load { ty, base, offset: 0, flags: MemFlags { volatile: false, align } });
            let (base, align) = dst.at(ed, by);
            ed.effect(InstData::Store { value, base, offset: 0, flags: MemFlags { volatile: false, align } });
            by += bytes;
        } else {
            let ((to, a), (from, b)) = (dst.at(ed, by), src.at(ed, by));
            let (n, align) = (ed.iconst(Type::I64, run as u64), ed.iconst(Type::I64, a.min(b).into()));
            ed.effect(InstData::Intrinsic { op, args: [to, from, n, align].into(), ty: None });
            by += run;
        }
    }
}

fn fill(ed: &mut Editor<'_>, dst: &Side<'_>, byte: Value, size: i64) {
    let mut by = 0;
    while by < size {
        let run = (size - by).min(dst.rest(by));
        let part = dst.part(by).copied();
        if part.is_some_and(|part| !part.read) {
            by += run;
            continue;
        }
        let (base, align) = dst.at(ed, by);
        if part.is_some_and(|part| part.scalar) {
            let (bytes, ty) = chunk(run);
            let value = splat(ed, byte, ty);
            ed.effect(InstData::Store { value, base, offset: 0, flags: MemFlags { volatile: false, align } });
            by += bytes;
        } else {
            let (n, align) = (ed.iconst(Type::I64, run as u64), ed.iconst(Type::I64, align.into()));
            ed.effect(InstData::Intrinsic {
                op: Intrinsic::Memset,
                args: [base, byte, n, align].into(),
                ty: None,
            });
            by += run;
        }
    }
}

/// An integer all of whose bytes are the lowest byte of an `i32`.
pub fn splat(ed: &mut Editor<'_>, byte: Value, ty: Type) -> Value {
    const ONES: u64 = 0x0101_0101_0101_0101;
    if let Some(byte) = ed.f.constant(byte) {
        return ed.iconst(ty, (byte & 0xff).wrapping_mul(ONES));
    }
    let wide = if ty == Type::I64 { Type::I64 } else { Type::I32 };
    let low = ed.binary_imm(BinaryOp::And, byte, 0xff);
    let low = ed.convert(ConvertOp::Zext, wide, low);
    let all = ed.binary_imm(BinaryOp::Mul, low, ONES);
    ed.convert(ConvertOp::Trunc, ty, all)
}
