//! mem2reg: stack slots whose address stays private become values.
//!
//! ```text
//!   v2 = slot_addr s0
//!   store.i32 v1, v2 align 4            block3(v7: i32):
//!   jump block3                   ->      return v7
//! block3:
//!   v3 = load.i32 v2 align 4
//! ```
//!
//! A slot of at most 8 bytes whose parts are accessed in different widths becomes one integer that
//! is shifted and masked. What was never stored reads as 0; where a path without a store joins one
//! with a store, the stored value wins if it is available.
//! Preserves: everything visible; a slot is private when only plain loads and stores name it.
//! The kernel's verifier still accepts: it tracks registers at least as well as stack slots, and
//! values that are constant on an edge stay constants of that edge.
//! Cost: linear in the accesses plus the blocks in which a variable is live.

use std::rc::Rc;

use super::Cx;
use super::edit::{self, Edit, Editor};
use super::slots::{self, Access, AccessKind, Usage, Usages};
use super::ssa::{self, Effect, Variables};
use crate::ir::{Arena, BinaryOp, Block, ConvertOp, Function, Inst, InstData, MemFlags, Slot, Type, Value};

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    let changed = super::cfg::remove_unreachable(f);
    // Blocks that are gone used slots too.
    let usage = if changed { Rc::new(slots::usage(f)) } else { cx.usage(f) };
    let vars = candidates(f, &usage);
    if vars.is_empty() {
        return changed;
    }
    if vars.iter().any(|(_, shape)| shape.access != Accesses::Alike) {
        unify(f, cx, &vars);
    }
    let types: Vec<(Slot, Type)> = vars.iter().map(|&(slot, shape)| (slot, shape.ty)).collect();
    promote(f, &types);
    true
}

/// How a promotable slot is accessed.
#[derive(Clone, Copy)]
struct Shape {
    /// Type of the value it becomes.
    ty: Type,
    access: Accesses,
}

/// What its accesses have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Accesses {
    /// The bytes and the type.
    Alike,
    /// The bytes: some access them as a pointer, some as an integer.
    Bytes,
    /// Nothing: they are of parts of the value.
    Nothing,
}

/// The promotable slots, in order.
fn candidates(f: &Function, usage: &Usages) -> Vec<(Slot, Shape)> {
    usage.iter().filter_map(|(slot, usage)| Some((slot, shape(f.slots[slot].size, usage)?))).collect()
}

/// How a slot of some size is accessed, if it is promotable.
fn shape(size: u32, usage: &Usage) -> Option<Shape> {
    let first = usage.accesses.first().filter(|_| !usage.escapes)?;
    let ty = value_type(first)?;
    let mut access = Accesses::Alike;
    for a in &usage.accesses {
        let other = value_type(a).filter(|_| !a.volatile && a.start >= 0 && a.end() <= size.into())?;
        if (a.start, a.size) != (first.start, first.size) {
            access = Accesses::Nothing;
        } else if other != ty && access == Accesses::Alike {
            access = Accesses::Bytes;
        }
    }
    let ty = match access {
        Accesses::Alike => ty,
        Accesses::Bytes => Type::I64,
        Accesses::Nothing if size <= 4 => Type::I32,
        Accesses::Nothing if size <= 8 => Type::I64,
        Accesses::Nothing => return None,
    };
    Some(Shape { ty, access })
}

/// The type of the value that is loaded or stored.
fn value_type(access: &Access) -> Option<Type> {
    match access.kind {
        AccessKind::Load(ty) | AccessKind::Store(ty) => Some(ty),
        AccessKind::Copy | AccessKind::Set => None,
    }
}

/// Rewrites accesses so that each slot is accessed as one value of one type.
fn unify(f: &mut Function, cx: &Cx<'_>, vars: &[(Slot, Shape)]) {
    let mut shapes = Arena::filled(&f.slots, None);
    for &(slot, shape) in vars.iter().filter(|(_, shape)| shape.access != Accesses::Alike) {
        shapes[slot] = Some(shape);
    }
    edit::rewrite(f, |ed, inst| {
        let (base, by, access, stored) = match ed.f.insts[inst] {
            InstData::Load { base, offset, ty, .. } => (base, offset, ty, None),
            InstData::Store { base, offset, value, .. } => (base, offset, ed.f.ty(value), Some(value)),
            _ => return Edit::Keep,
        };
        let Some(&InstData::SlotAddr { slot, offset: at }) = ed.f.def(base) else { return Edit::Keep };
        let Some(Shape { ty, access: common }) = shapes[slot] else { return Edit::Keep };
        let mixed = common == Accesses::Nothing;
        if access == ty && !mixed {
            return Edit::Keep;
        }
        let base = ed.emit(InstData::SlotAddr { slot, offset: 0 });
        let start = at + by;
        match stored {
            None => {
                let whole = load(ed, base, ty);
                Edit::Replace(if mixed {
                    extract(ed, cx, whole, start, access)
                } else {
                    cast(ed, whole, access)
                })
            }
            Some(value) => {
                let value = if mixed { insert(ed, cx, base, ty, start, value) } else { cast(ed, value, ty) };
                let flags = MemFlags { volatile: false, align: ty.bytes() };
                ed.set(inst, InstData::Store { value, base, offset: 0, flags });
                Edit::Keep
            }
        }
    });
}

fn load(ed: &mut Editor<'_>, base: Value, ty: Type) -> Value {
    ed.emit(InstData::Load { ty, base, offset: 0, flags: MemFlags { volatile: false, align: ty.bytes() } })
}

/// Between pointers and integers of 8 bytes, and between integers of different widths.
pub fn cast(ed: &mut Editor<'_>, value: Value, ty: Type) -> Value {
    let from = ed.f.ty(value);
    match (from, ty) {
        (Type::Ptr, Type::Ptr) => value,
        (Type::Ptr, _) => {
            let bits = ed.convert(ConvertOp::PtrToInt, Type::I64, value);
            ed.convert(ConvertOp::Trunc, ty, bits)
        }
        (_, Type::Ptr) => {
            let bits = ed.convert(ConvertOp::Zext, Type::I64, value);
            ed.convert(ConvertOp::IntToPtr, Type::Ptr, bits)
        }
        _ if from.bits() > ty.bits() => ed.convert(ConvertOp::Trunc, ty, value),
        _ => ed.convert(ConvertOp::Zext, ty, value),
    }
}

/// How far a part at byte `start` is shifted in an integer of type `whole`.
fn shift(cx: &Cx<'_>, whole: Type, start: i32, part: Type) -> u64 {
    let bytes =
        if cx.options.big_endian { whole.bytes() as i32 - start - part.bytes() as i32 } else { start };
    8 * bytes.max(0) as u64
}

fn extract(ed: &mut Editor<'_>, cx: &Cx<'_>, whole: Value, start: i32, part: Type) -> Value {
    let count = shift(cx, ed.f.ty(whole), start, part);
    let shifted = if count == 0 { whole } else { ed.binary_imm(BinaryOp::Lshr, whole, count) };
    cast(ed, shifted, part)
}

fn insert(ed: &mut Editor<'_>, cx: &Cx<'_>, base: Value, ty: Type, start: i32, value: Value) -> Value {
    let part = ed.f.ty(value);
    let wide = cast(ed, value, ty);
    if part.bytes() == ty.bytes() {
        return wide;
    }
    let count = shift(cx, ty, start, part);
    let wide = if count == 0 { wide } else { ed.binary_imm(BinaryOp::Shl, wide, count) };
    let old = load(ed, base, ty);
    let kept = ed.binary_imm(BinaryOp::And, old, !(part.mask() << count));
    ed.binary(BinaryOp::Or, kept, wide)
}

/// Turns slots into values. Each is accessed as one value of the given type, by loads and stores
/// only; all blocks are reachable.
pub fn promote(f: &mut Function, types: &[(Slot, Type)]) {
    let mut var_of = Arena::filled(&f.slots, None);
    types.iter().enumerate().for_each(|(i, &(slot, _))| var_of[slot] = Some(i));
    let accesses = accesses(f, &var_of);
    let mut first = Arena::filled(&f.blocks, None);
    accesses.iter().enumerate().rev().for_each(|(at, access)| first[access.block] = Some(at));
    let effects = effects(&accesses, types.len());
    ssa::construct(f, types.iter().map(|&(_, ty)| ty).collect(), effects, |f, block, vars| {
        if let Some(first) = first[block] {
            replace(f, block, &accesses[first..], vars);
        }
    });
    for &(slot, _) in types {
        f.slots[slot].size = 0;
        f.slots[slot].name.clear();
    }
    super::dce::remove_unused(f);
}

/// A load or store of a variable.
#[derive(Clone, Copy)]
struct VarAccess {
    block: Block,
    inst: Inst,
    var: usize,
    /// What a store stores.
    stored: Option<Value>,
}

/// All of them, block by block.
fn accesses(f: &Function, var_of: &Arena<Slot, Option<usize>>) -> Vec<VarAccess> {
    let mut found = Vec::new();
    for &block in &f.order {
        for &inst in &f.blocks[block].insts {
            let (base, stored) = match f.insts[inst] {
                InstData::Load { base, .. } => (base, None),
                InstData::Store { base, value, .. } => (base, Some(value)),
                _ => continue,
            };
            if let Some((slot, _)) = slots::slot_of(f, base)
                && let Some(var) = var_of[slot]
            {
                found.push(VarAccess { block, inst, var, stored });
            }
        }
    }
    found
}

/// What each block does to each variable.
fn effects(accesses: &[VarAccess], vars: usize) -> Vec<(usize, Block, Effect)> {
    let mut effects = Vec::new();
    // The block that accessed each variable last, and what it did.
    let mut last = vec![None; vars];
    for &VarAccess { block, var, stored, .. } in accesses {
        let here = last[var].filter(|&(before, _)| before == block).map(|(_, effect)| effect);
        let effect = match stored {
            None if here.is_none() => Effect::Needs,
            Some(_) if here != Some(Effect::Writes) => Effect::Writes,
            _ => continue,
        };
        last[var] = Some((block, effect));
        effects.push((var, block, effect));
    }
    effects
}

/// Takes the accesses, of which the first are the block's, out of it.
fn replace(f: &mut Function, block: Block, accesses: &[VarAccess], vars: &mut Variables) {
    let mut next = accesses.iter();
    let mut insts = std::mem::take(&mut f.blocks[block].insts);
    insts.retain(|&inst| {
        let Some(&VarAccess { var, stored, .. }) = next.as_slice().first().filter(|a| a.inst == inst) else {
            return true;
        };
        next.next();
        if let Some(value) = stored {
            vars.write(var, f.resolve(value));
        } else if let Some(result) = f.result(inst) {
            let value = vars.read(f, var);
            f.replace(result, value);
        }
        false
    });
    f.blocks[block].insts = insts;
}
