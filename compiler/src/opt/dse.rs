//! dse: stores that are overwritten before anybody reads them go.
//!
//! ```text
//!   store.i64 v1(0), s0            store.i32 v2, s0
//!   store.i32 v2, s0         ->    store.i32 v3, s0+4
//!   store.i32 v3, s0+4             v4 = call helper 1(.., s0)
//!   v4 = call helper 1(.., s0)
//! ```
//!
//! Within a block, and up to the end of the function for slots. A wide store of a constant of which
//! later stores leave one half becomes a store of that half.
//! Preserves: every byte at every read. Volatile stores stay.
//! The kernel's verifier still accepts: each byte of a slot that a helper reads is still stored; a
//! store that stays is never wider than it was.
//! Cost: linear, times the places that one block writes.

use std::collections::BTreeSet;

use super::Cx;
use super::alias::{Place, Root};
use super::slots;
use crate::ir::{Block, Function, Inst, InstData, Intrinsic, MemFlags, Slot, Type};

/// Ranges that are remembered at once.
const RANGES: usize = 64;

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    let blocks: Vec<Block> = f.order.iter().copied().filter(|&block| may_overwrite(f, block)).collect();
    if blocks.is_empty() {
        return false;
    }
    let leaked = slots::leaked_anywhere(f);
    let private = |root: Root| matches!(root, Root::Slot(slot) if !leaked[slot]);
    let mut changed = false;
    for block in blocks {
        // Walks backwards with what will be overwritten before it is read.
        let mut dead: Vec<(Root, i64, i64)> = Vec::new();
        let returns = matches!(f.terminator(block).map(|i| &f.insts[i]), Some(InstData::Return { .. }));
        // Slots that somebody reads further down, and whether all whose address got out may be.
        let (mut read, mut read_leaked): (BTreeSet<Slot>, bool) = (BTreeSet::new(), false);
        let mut index = f.blocks[block].insts.len();
        while index > 0 {
            index -= 1;
            let inst = f.blocks[block].insts[index];
            match reads(f, &f.insts[inst]) {
                Reads::Nothing => {}
                Reads::At(place, size) => {
                    dead.retain(|&(root, start, end)| {
                        let there = Place { root, offset: Some(start) };
                        !there.may_overlap(end - start, &place, size, &private)
                    });
                    match place.root {
                        Root::Slot(slot) => {
                            read.insert(slot);
                        }
                        Root::Symbol(_) => {}
                        Root::Number(_) | Root::Helper(_) | Root::Other(_) => read_leaked = true,
                    }
                }
                Reads::Anything => {
                    let passed = slots::passed(f, &f.insts[inst]);
                    dead.retain(|&(root, ..)| match root {
                        Root::Slot(slot) => private(root) && !passed.contains(&slot),
                        Root::Symbol(_) | Root::Number(_) | Root::Helper(_) | Root::Other(_) => false,
                    });
                    read.extend(passed);
                    read_leaked = true;
                }
            }
            let InstData::Store { value, base, offset, flags } = f.insts[inst] else { continue };
            let place = Place::new(f, base, offset);
            let (Some(start), size) = (place.offset, i64::from(f.ty(value).bytes())) else { continue };
            if flags.volatile {
                continue;
            }
            let forgotten = matches!(place.root, Root::Slot(slot)
                if returns && !read.contains(&slot) && !(read_leaked && !private(Root::Slot(slot))));
            let Some(left) = uncovered(&dead, place.root, start, start + size).filter(|_| !forgotten) else {
                f.blocks[block].insts.remove(index);
                changed = true;
                continue;
            };
            changed |= shrink(f, cx, (block, index), block_part(left, start, size));
            if dead.len() < RANGES {
                dead.push((place.root, start, start + size));
            }
        }
    }
    changed
}

/// Is there a store that another one follows, or the end of the function?
fn may_overwrite(f: &Function, block: Block) -> bool {
    let needed = match f.terminator(block).map(|last| &f.insts[last]) {
        Some(InstData::Return { .. }) => 1,
        _ => 2,
    };
    let stores = |inst: &&Inst| matches!(f.insts[**inst], InstData::Store { .. });
    f.blocks[block].insts.iter().filter(stores).take(needed).count() == needed
}

/// What an instruction reads.
enum Reads {
    Nothing,
    At(Place, i64),
    Anything,
}

fn reads(f: &Function, data: &InstData) -> Reads {
    match data {
        InstData::Load { ty, base, offset, .. } => {
            Reads::At(Place::new(f, *base, *offset), ty.bytes().into())
        }
        InstData::Intrinsic { op: Intrinsic::Memset, .. } => Reads::Nothing,
        InstData::Intrinsic { op: Intrinsic::Memcpy | Intrinsic::Memmove, args, .. } => {
            let size = f.constant(args[2]).and_then(|n| i64::try_from(n).ok()).unwrap_or(i64::MAX);
            Reads::At(Place::new(f, args[1], 0), size)
        }
        InstData::Call { .. }
        | InstData::AtomicRmw { .. }
        | InstData::AtomicCmpXchg { .. }
        | InstData::Asm { .. }
        | InstData::Intrinsic { .. } => {
            if data.is_pure() || matches!(data, InstData::Intrinsic { op: Intrinsic::Opaque, .. }) {
                Reads::Nothing
            } else {
                Reads::Anything
            }
        }
        InstData::Store { .. }
        | InstData::Const { .. }
        | InstData::SymbolAddr { .. }
        | InstData::SlotAddr { .. }
        | InstData::Core { .. }
        | InstData::Unary { .. }
        | InstData::Binary { .. }
        | InstData::PtrAdd { .. }
        | InstData::Convert { .. }
        | InstData::Compare { .. }
        | InstData::Select { .. }
        | InstData::Jump { .. }
        | InstData::Branch { .. }
        | InstData::Switch { .. }
        | InstData::Return { .. }
        | InstData::Unreachable => Reads::Nothing,
    }
}

/// The first and the last byte of a range that no later store covers.
fn uncovered(dead: &[(Root, i64, i64)], root: Root, start: i64, end: i64) -> Option<(i64, i64)> {
    let left = |&byte: &i64| !dead.iter().any(|&(r, a, b)| r == root && a <= byte && byte < b);
    Some(((start..end).find(left)?, (start..end).rfind(left)?))
}

/// The aligned half, quarter or byte of a store that contains all bytes which are still needed.
fn block_part((first, last): (i64, i64), start: i64, size: i64) -> Option<(i64, i64)> {
    let (first, last) = (first - start, last - start);
    let mut part = None;
    let mut bytes = size / 2;
    while bytes >= 1 && first / bytes == last / bytes {
        part = Some((first / bytes * bytes, bytes));
        bytes /= 2;
    }
    part
}

/// Makes a store of a constant one of a part of it.
fn shrink(f: &mut Function, cx: &Cx<'_>, (block, index): (Block, usize), part: Option<(i64, i64)>) -> bool {
    let inst = f.blocks[block].insts[index];
    let (Some((at, bytes)), InstData::Store { value, base, offset, flags }) = (part, f.insts[inst].clone())
    else {
        return false;
    };
    let (Some(bits), Some(ty)) = (f.constant(value), Type::int_of_bytes(bytes as u64)) else { return false };
    if f.ty(value) == Type::Ptr {
        return false;
    }
    let whole = i64::from(f.ty(value).bytes());
    let shift = 8 * if cx.options.big_endian { whole - at - bytes } else { at };
    let align = super::simplify::alignment(flags.align, at);
    let Some(offset) = offset.checked_add(at as i32) else { return false };
    let narrow = f.make_inst(InstData::Const { ty, value: bits >> shift }, f.locs[inst]);
    let Some(value) = f.result(narrow) else { return false };
    f.blocks[block].insts.insert(index, narrow);
    f.set_inst(inst, InstData::Store { value, base, offset, flags: MemFlags { align, ..flags } });
    true
}
