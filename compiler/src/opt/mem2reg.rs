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

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Cx;
use super::edit::{self, Edit, Editor, inst_blocks};
use super::slots::{self, Access, AccessKind, Usage, Usages};
use crate::ir::flow::Flow;
use crate::ir::{
    Arena, BinaryOp, Block, ConvertOp, Function, Inst, InstData, MemFlags, Slot, SlotData, SrcLoc, Type,
    Value, ValueDef,
};

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

/// A new slot for a value, which [`promote`] makes a value again.
pub fn slot_for(f: &mut Function, value: Value) -> Slot {
    let bytes = f.ty(value).bytes();
    f.slots.push(SlotData { size: bytes, align: bytes, name: String::new(), loc: SrcLoc::NONE })
}

/// Makes the instructions of a block load these values from their slots before each use.
pub fn load_in(f: &mut Function, block: Block, values: &[Value], slots: &BTreeMap<Value, Slot>) {
    let mut out = Vec::new();
    for inst in std::mem::take(&mut f.blocks[block].insts) {
        let mut used = Vec::new();
        f.insts[inst].for_each_operand(|v| {
            if values.binary_search(&v).is_ok() && !used.contains(&v) {
                used.push(v);
            }
        });
        used.sort();
        for value in used {
            let (loc, ty) = (f.locs[inst], f.ty(value));
            let addr = f.make_inst(InstData::SlotAddr { slot: slots[&value], offset: 0 }, loc);
            let base = f.result(addr).unwrap_or(value);
            let flags = MemFlags { volatile: false, align: ty.bytes() };
            let read = f.make_inst(InstData::Load { ty, base, offset: 0, flags }, loc);
            let copy = f.result(read).unwrap_or(value);
            f.insts.map_operands(inst, |v| if v == value { copy } else { v });
            out.extend([addr, read]);
        }
        out.push(inst);
    }
    f.blocks[block].insts = out;
}

/// Stores these values, which the block defines, to their slots.
pub fn store_in(f: &mut Function, block: Block, values: &[Value], slots: &BTreeMap<Value, Slot>) {
    let mut out = Vec::new();
    let store = |f: &mut Function, value: Value, out: &mut Vec<Inst>| {
        let addr = f.make_inst(InstData::SlotAddr { slot: slots[&value], offset: 0 }, SrcLoc::NONE);
        let base = f.result(addr).unwrap_or(value);
        let flags = MemFlags { volatile: false, align: f.ty(value).bytes() };
        let write = f.make_inst(InstData::Store { value, base, offset: 0, flags }, SrcLoc::NONE);
        out.extend([addr, write]);
    };
    // The last comes first: what is stored meets no other store of the same slot before.
    for &value in values.iter().rev() {
        if matches!(f.values[value].def, ValueDef::Param(..)) {
            store(f, value, &mut out);
        }
    }
    for inst in std::mem::take(&mut f.blocks[block].insts) {
        out.push(inst);
        if let Some(value) = f.result(inst).filter(|v| values.contains(v)) {
            store(f, value, &mut out);
        }
    }
    f.blocks[block].insts = out;
}

/// Turns slots into values. Each is accessed as one value of the given type, by loads and stores
/// only; all blocks are reachable.
pub fn promote(f: &mut Function, types: &[(Slot, Type)]) {
    let mut var_of = Arena::filled(&f.slots, None);
    types.iter().enumerate().for_each(|(i, &(slot, _))| var_of[slot] = Some(i));
    let accesses = accesses(f, &var_of);
    let mut first = Arena::filled(&f.blocks, None);
    accesses.iter().enumerate().rev().for_each(|(at, access)| first[access.block] = Some(at));
    let mut pass = Promotion {
        types: types.iter().map(|&(_, ty)| ty).collect(),
        accesses,
        first,
        joins: Arena::filled(&f.blocks, Vec::new()),
        undef: vec![None; types.len()],
    };
    pass.replace(f);
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

struct Promotion {
    types: Vec<Type>,
    accesses: Vec<VarAccess>,
    /// The first access in each block.
    first: Arena<Block, Option<usize>>,
    /// Variables that are parameters of each block now, with the parameter.
    joins: Arena<Block, Vec<(usize, Value)>>,
    /// The constant that stands for a variable that was never stored.
    undef: Vec<Option<Value>>,
}

/// What a block does to a variable that matters to others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Reads it before it writes it.
    Needs,
    Writes,
}

impl Promotion {
    fn replace(&mut self, f: &mut Function) {
        let effects = self.effects();
        if effects.iter().all(|&(.., effect)| effect == Effect::Writes) {
            // Each block only reads what it wrote itself, so they may come in any order.
            let mut current = vec![None; self.types.len()];
            for at in 0..f.order.len() {
                self.rename_block(f, f.order[at], &mut current, |_, _| {});
            }
            return;
        }
        let flow = f.flow();
        self.place_params(f, &flow, effects);
        self.rename(f, &flow);
        self.prune(f, &flow);
    }

    /// What each block does to each variable.
    fn effects(&self) -> Vec<(usize, Block, Effect)> {
        let mut effects = Vec::new();
        // The block that accessed each variable last, and what it did.
        let mut last = vec![None; self.types.len()];
        for &VarAccess { block, var, stored, .. } in &self.accesses {
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

    /// Adds a parameter for each variable to each block where several of its definitions meet and
    /// it is still needed.
    fn place_params(&mut self, f: &mut Function, flow: &Flow, mut effects: Vec<(usize, Block, Effect)>) {
        effects.sort_by_key(|&(var, ..)| var);
        let mut frontiers = None;
        // Of each block: the last variable that is written in it, needed at its start, a parameter of it.
        let none = || Arena::filled(&f.blocks, usize::MAX);
        let (mut written, mut live, mut placed) = (none(), none(), none());
        for effects in effects.chunk_by(|a, b| a.0 == b.0) {
            let var = effects[0].0;
            let blocks = |effect| effects.iter().filter(move |e| e.2 == effect).map(|&(_, block, _)| block);
            let (writes, needs) = (|| blocks(Effect::Writes), || blocks(Effect::Needs));
            writes().for_each(|block| written[block] = var);
            needs().for_each(|block| live[block] = var);
            let mut work: Vec<Block> = needs().collect();
            if work.is_empty() {
                continue;
            }
            while let Some(block) = work.pop() {
                for &pred in &flow.preds[block] {
                    if written[pred] != var && live[pred] != var {
                        live[pred] = var;
                        work.push(pred);
                    }
                }
            }
            // What one block writes before all reads meets nothing else.
            if live[f.entry()] != var && writes().count() == 1 {
                continue;
            }
            work.extend(writes());
            let frontiers = frontiers.get_or_insert_with(|| frontiers_of(f, flow));
            let mut joins = Vec::new();
            while let Some(block) = work.pop() {
                for &join in &frontiers[block] {
                    if live[join] == var && placed[join] != var {
                        placed[join] = var;
                        joins.push(join);
                        work.push(join);
                    }
                }
            }
            joins.sort();
            for join in joins {
                let param = f.add_param(join, self.types[var]);
                self.joins[join].push((var, param));
            }
        }
    }

    /// Walks the dominator tree with the current value of each variable.
    fn rename(&mut self, f: &mut Function, flow: &Flow) {
        enum Step {
            Enter(Block),
            Restore(usize, Option<Value>),
        }
        let mut current: Vec<Option<Value>> = vec![None; self.types.len()];
        let mut stack = vec![Step::Enter(f.entry())];
        while let Some(step) = stack.pop() {
            let block = match step {
                Step::Enter(block) => block,
                Step::Restore(var, value) => {
                    current[var] = value;
                    continue;
                }
            };
            for &(var, param) in &self.joins[block] {
                stack.push(Step::Restore(var, current[var].replace(param)));
            }
            self.rename_block(f, block, &mut current, |var, before| stack.push(Step::Restore(var, before)));
            self.pass_args(f, block, &current);
            for &child in flow.children(block).iter().rev() {
                stack.push(Step::Enter(child));
            }
        }
        let undef: Vec<Value> = self.undef.iter().flatten().copied().collect();
        let entry = f.entry();
        let at_entry: Vec<Inst> = undef
            .iter()
            .filter_map(|&v| match f.values[v].def {
                ValueDef::Inst(inst) => Some(inst),
                ValueDef::Param(..) | ValueDef::Alias(_) => None,
            })
            .collect();
        f.blocks[entry].insts.splice(0..0, at_entry);
    }

    /// Takes the accesses out of a block. Is told of each variable that it writes what that was before.
    fn rename_block(
        &mut self,
        f: &mut Function,
        block: Block,
        current: &mut [Option<Value>],
        mut written: impl FnMut(usize, Option<Value>),
    ) {
        let Some(mut next) = self.first[block] else { return };
        let mut insts = std::mem::take(&mut f.blocks[block].insts);
        insts.retain(|&inst| {
            let Some(&VarAccess { var, stored, .. }) = self.accesses.get(next).filter(|a| a.inst == inst)
            else {
                return true;
            };
            next += 1;
            if let Some(value) = stored {
                written(var, current[var].replace(f.resolve(value)));
            } else if let Some(result) = f.result(inst) {
                let value = current[var].unwrap_or_else(|| self.undefined(f, var));
                f.replace(result, value);
            }
            false
        });
        f.blocks[block].insts = insts;
    }

    fn pass_args(&mut self, f: &mut Function, block: Block, current: &[Option<Value>]) {
        let Some(inst) = f.terminator(block) else { return };
        for jump in 0..f.insts[inst].targets().len() {
            let joins = std::mem::take(&mut self.joins[f.insts[inst].targets()[jump].block]);
            if joins.is_empty() {
                continue;
            }
            let passed: Vec<Value> = joins
                .iter()
                .map(|&(var, _)| current[var].unwrap_or_else(|| self.undefined(f, var)))
                .collect();
            if let Some(call) = f.insts.targets_mut(inst).nth(jump) {
                self.joins[call.block] = joins;
                call.args.extend(passed);
            }
        }
    }

    fn undefined(&mut self, f: &mut Function, var: usize) -> Value {
        if let Some(value) = self.undef[var] {
            return value;
        }
        let inst = f.make_inst(InstData::Const { ty: self.types[var], value: 0 }, SrcLoc::NONE);
        let value = f.result(inst).expect("a constant has a result");
        self.undef[var] = Some(value);
        value
    }

    /// Removes parameters to which every edge passes the same value, nothing, or themselves.
    fn prune(&self, f: &mut Function, flow: &Flow) {
        let mut params: Vec<(Block, Value)> = Vec::new();
        for &block in &flow.rpo {
            params.extend(self.joins[block].iter().map(|&(_, param)| (block, param)));
        }
        let mut undef: Vec<Value> = self.undef.iter().flatten().copied().collect();
        undef.sort_unstable();
        let mut homes = None;
        let mut changed = !params.is_empty();
        while changed {
            changed = false;
            params.retain(|&(block, param)| {
                let Some((value, unless)) = same_argument(f, block, &flow.preds[block], param, &undef) else {
                    return true;
                };
                // It must be available where the parameter was.
                if unless && !is_before(f, flow, homes.get_or_insert_with(|| inst_blocks(f)), value, block) {
                    return true;
                }
                drop_param(f, &flow.preds[block], block, param);
                f.replace(param, value);
                changed = true;
                false
            });
        }
    }
}

/// The one value that all edges pass for a parameter, and whether some pass nothing instead.
fn same_argument(
    f: &Function,
    block: Block,
    preds: &[Block],
    param: Value,
    undef: &[Value],
) -> Option<(Value, bool)> {
    let index = f.blocks[block].params.iter().position(|&p| p == param)?;
    let (mut same, mut nothing) = (None, None);
    for call in preds.iter().flat_map(|&pred| f.successors(pred)).filter(|call| call.block == block) {
        let arg = f.resolve(call.args[index]);
        if arg == param {
            continue;
        }
        if undef.binary_search(&arg).is_ok() {
            nothing = Some(arg);
        } else if *same.get_or_insert(arg) != arg {
            return None;
        }
    }
    same.map(|value| (value, nothing.is_some())).or(nothing.map(|value| (value, false)))
}

/// Is the value there before a block begins?
fn is_before(
    f: &Function,
    flow: &Flow,
    homes: &Arena<Inst, Option<Block>>,
    value: Value,
    block: Block,
) -> bool {
    let home = match f.values[value].def {
        ValueDef::Param(home, _) => Some(home),
        ValueDef::Inst(inst) => homes[inst],
        ValueDef::Alias(_) => None,
    };
    home.is_some_and(|home| home != block && flow.dominates(home, block))
}

/// Removes a parameter of a block and the arguments for it.
pub fn drop_param(f: &mut Function, preds: &[Block], block: Block, param: Value) {
    let Some(index) = f.blocks[block].params.iter().position(|&p| p == param) else { return };
    f.blocks[block].params.remove(index);
    for i in index..f.blocks[block].params.len() {
        let value = f.blocks[block].params[i];
        f.values[value].def = ValueDef::Param(block, i as u32);
    }
    let mut seen = None;
    for &pred in preds {
        // The jumps of one block are neighbours in the list.
        if seen.replace(pred) == Some(pred) {
            continue;
        }
        if let Some(inst) = f.terminator(pred) {
            for call in f.insts.targets_mut(inst) {
                if call.block == block {
                    call.args.remove(index);
                }
            }
        }
    }
}

/// Dominance frontier of each block.
fn frontiers_of(f: &Function, flow: &Flow) -> Arena<Block, Vec<Block>> {
    let mut frontiers = Arena::filled(&f.blocks, Vec::new());
    for &join in &flow.rpo {
        if flow.preds[join].len() < 2 {
            continue;
        }
        for &pred in &flow.preds[join] {
            let mut runner = Some(pred).filter(|&p| flow.is_reachable(p));
            while let Some(block) = runner
                && Some(block) != flow.idom(join)
            {
                let list: &mut Vec<Block> = &mut frontiers[block];
                // Another predecessor came this way, and went on to the end of it.
                if list.last() == Some(&join) {
                    break;
                }
                list.push(join);
                runner = flow.idom(block);
            }
        }
    }
    frontiers
}
