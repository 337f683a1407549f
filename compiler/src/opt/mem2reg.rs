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

use std::collections::{BTreeMap, BTreeSet};

use std::rc::Rc;

use super::Cx;
use super::edit::{self, Edit, Editor, inst_blocks};
use super::slots::{self, AccessKind, Usages};
use crate::ir::flow::Flow;
use crate::ir::{
    Arena, BinaryOp, Block, ConvertOp, Function, Inst, InstData, MemFlags, Slot, SlotData, SrcLoc, Type,
    Value, ValueDef,
};

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    let mut changed = super::cfg::remove_unreachable(f);
    // Blocks that are gone used slots too.
    let usage = if changed { Rc::new(slots::usage(f)) } else { cx.usage(f) };
    let vars = candidates(f, &usage);
    if vars.is_empty() {
        return changed;
    }
    unify(f, cx, &vars);
    let types = vars.iter().map(|(&slot, shape)| (slot, shape.ty)).collect();
    promote(f, &types);
    changed = true;
    changed
}

/// How a promotable slot is accessed.
#[derive(Clone, Copy)]
struct Shape {
    /// Type of the value it becomes.
    ty: Type,
    /// Where accesses begin when all are alike.
    offset: i32,
    /// Accesses are parts of the value.
    mixed: bool,
}

fn candidates(f: &Function, usage: &Usages) -> BTreeMap<Slot, Shape> {
    let mut found = BTreeMap::new();
    for (&slot, usage) in usage {
        if usage.escapes || usage.accesses.is_empty() {
            continue;
        }
        let size = i64::from(f.slots[slot].size);
        let plain = usage.accesses.iter().all(|a| {
            matches!(a.kind, AccessKind::Load(_) | AccessKind::Store(_))
                && !a.volatile
                && a.start >= 0
                && a.end() <= size
        });
        if !plain {
            continue;
        }
        let types: BTreeSet<Type> = usage
            .accesses
            .iter()
            .filter_map(|a| match a.kind {
                AccessKind::Load(ty) | AccessKind::Store(ty) => Some(ty),
                AccessKind::Copy | AccessKind::Set => None,
            })
            .collect();
        let ranges: BTreeSet<(i64, i64)> = usage.accesses.iter().map(|a| (a.start, a.size)).collect();
        let shape = match (ranges.len(), types.len()) {
            (1, 1) => Shape {
                ty: *types.first().unwrap_or(&Type::I64),
                offset: usage.accesses[0].start as i32,
                mixed: false,
            },
            // Pointers and integers of the same bytes.
            (1, _) => Shape { ty: Type::I64, offset: usage.accesses[0].start as i32, mixed: false },
            _ if size <= 4 => Shape { ty: Type::I32, offset: 0, mixed: true },
            _ if size <= 8 => Shape { ty: Type::I64, offset: 0, mixed: true },
            _ => continue,
        };
        found.insert(slot, shape);
    }
    found
}

/// Rewrites accesses so that each slot is accessed as one value of one type at its start.
fn unify(f: &mut Function, cx: &Cx<'_>, vars: &BTreeMap<Slot, Shape>) {
    for (&slot, shape) in vars {
        f.slots[slot].size = shape.ty.bytes();
        f.slots[slot].align = shape.ty.bytes();
    }
    edit::rewrite(f, |ed, inst| {
        let (base, by, access, stored) = match ed.f.insts[inst] {
            InstData::Load { base, offset, ty, .. } => (base, offset, ty, None),
            InstData::Store { base, offset, value, .. } => (base, offset, ed.f.ty(value), Some(value)),
            _ => return Edit::Keep,
        };
        let Some(&InstData::SlotAddr { slot, offset: at }) = ed.f.def(base) else { return Edit::Keep };
        let Some(shape) = vars.get(&slot) else { return Edit::Keep };
        if access == shape.ty && !shape.mixed && at == 0 && by == 0 {
            return Edit::Keep;
        }
        let base = ed.emit(InstData::SlotAddr { slot, offset: 0 });
        let start = at + by - shape.offset;
        match stored {
            None => {
                let whole = load(ed, base, shape.ty);
                let part =
                    if shape.mixed { extract(ed, cx, whole, start, access) } else { cast(ed, whole, access) };
                Edit::Replace(part)
            }
            Some(value) => {
                let whole = if shape.mixed {
                    insert(ed, cx, base, shape.ty, start, value)
                } else {
                    cast(ed, value, shape.ty)
                };
                let flags = MemFlags { volatile: false, align: shape.ty.bytes() };
                ed.set(inst, InstData::Store { value: whole, base, offset: 0, flags });
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
            f.insts[inst].map_operands(|v| if v == value { copy } else { v });
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

/// Turns slots into values. Each is accessed as one value of the given type at its start, by loads
/// and stores only; all blocks are reachable.
pub fn promote(f: &mut Function, types: &BTreeMap<Slot, Type>) {
    let flow = f.flow();
    let mut var_of = Arena::filled(&f.slots, None);
    types.keys().enumerate().for_each(|(i, &slot)| var_of[slot] = Some(i));
    let mut pass = Promotion {
        var_of,
        types: types.values().copied().collect(),
        joins: Arena::filled(&f.blocks, Vec::new()),
        undef: vec![None; types.len()],
    };
    pass.place_params(f, &flow);
    pass.rename(f, &flow);
    f.resolve_aliases();
    pass.prune(f, &flow);
    for &slot in types.keys() {
        f.slots[slot].size = 0;
        f.slots[slot].name.clear();
    }
    super::dce::remove_unused(f);
}

/// What an instruction does to a variable.
enum Event {
    Read(usize),
    Write(usize, Value),
}

struct Promotion {
    var_of: Arena<Slot, Option<usize>>,
    types: Vec<Type>,
    /// Variables that are parameters of each block now, with the parameter.
    joins: Arena<Block, Vec<(usize, Value)>>,
    /// The constant that stands for a variable that was never stored.
    undef: Vec<Option<Value>>,
}

impl Promotion {
    fn event(&self, f: &Function, inst: Inst) -> Option<Event> {
        let var = |base: Value| match f.def(base) {
            Some(InstData::SlotAddr { slot, .. }) => self.var_of[*slot],
            _ => None,
        };
        match f.insts[inst] {
            InstData::Load { base, .. } => var(base).map(Event::Read),
            InstData::Store { base, value, .. } => var(base).map(|v| Event::Write(v, value)),
            _ => None,
        }
    }

    /// Adds a parameter for each variable to each block where several of its definitions meet and
    /// it is still needed.
    fn place_params(&mut self, f: &mut Function, flow: &Flow) {
        let mut writes: Vec<Vec<Block>> = vec![Vec::new(); self.types.len()];
        let mut exposed: Vec<Vec<Block>> = vec![Vec::new(); self.types.len()];
        for &block in &flow.rpo {
            for &inst in &f.blocks[block].insts {
                match self.event(f, inst) {
                    Some(Event::Read(var))
                        if writes[var].last() != Some(&block) && exposed[var].last() != Some(&block) =>
                    {
                        exposed[var].push(block);
                    }
                    Some(Event::Write(var, _)) if writes[var].last() != Some(&block) => {
                        writes[var].push(block);
                    }
                    _ => {}
                }
            }
        }
        let frontiers = frontiers(f, flow);
        // Of each block: the last variable that is written in it, needed at its start, a parameter of it.
        let none = || Arena::filled(&f.blocks, usize::MAX);
        let (mut written, mut live, mut placed) = (none(), none(), none());
        for var in 0..self.types.len() {
            writes[var].iter().for_each(|&block| written[block] = var);
            exposed[var].iter().for_each(|&block| live[block] = var);
            let mut work = std::mem::take(&mut exposed[var]);
            while let Some(block) = work.pop() {
                for &pred in &flow.preds[block] {
                    if written[pred] != var && live[pred] != var {
                        live[pred] = var;
                        work.push(pred);
                    }
                }
            }
            let mut work = std::mem::take(&mut writes[var]);
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
            let set = |var: usize, value: Value, current: &mut Vec<Option<Value>>, stack: &mut Vec<Step>| {
                stack.push(Step::Restore(var, current[var].replace(value)));
            };
            for &(var, param) in &self.joins[block] {
                set(var, param, &mut current, &mut stack);
            }
            let mut insts = std::mem::take(&mut f.blocks[block].insts);
            insts.retain(|&inst| match self.event(f, inst) {
                Some(Event::Read(var)) => {
                    let value = current[var].unwrap_or_else(|| self.undefined(f, var));
                    if let Some(result) = f.result(inst) {
                        f.replace(result, value);
                    }
                    false
                }
                Some(Event::Write(var, value)) => {
                    let value = f.resolve(value);
                    set(var, value, &mut current, &mut stack);
                    false
                }
                None => true,
            });
            f.blocks[block].insts = insts;
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

    fn pass_args(&mut self, f: &mut Function, block: Block, current: &[Option<Value>]) {
        let Some(inst) = f.terminator(block) else { return };
        let mut data = std::mem::replace(&mut f.insts[inst], InstData::Unreachable);
        for call in data.targets_mut() {
            for (var, _) in self.joins[call.block].clone() {
                call.args.push(current[var].unwrap_or_else(|| self.undefined(f, var)));
            }
        }
        f.insts[inst] = data;
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
        let undef: BTreeSet<Value> = self.undef.iter().flatten().copied().collect();
        let mut params: Vec<(Block, Value)> = Vec::new();
        for &block in &flow.rpo {
            params.extend(self.joins[block].iter().map(|&(_, param)| (block, param)));
        }
        let homes = inst_blocks(f);
        let mut changed = !params.is_empty();
        while changed {
            changed = false;
            params.retain(|&(block, param)| {
                let Some(value) = same_argument(f, flow, &homes, block, param, &undef) else { return true };
                drop_param(f, &flow.preds[block], block, param);
                f.replace(param, value);
                changed = true;
                false
            });
        }
        f.resolve_aliases();
    }
}

/// The one value that all edges pass for a parameter, if it can stand for it.
fn same_argument(
    f: &Function,
    flow: &Flow,
    homes: &Arena<Inst, Option<Block>>,
    block: Block,
    param: Value,
    undef: &BTreeSet<Value>,
) -> Option<Value> {
    let index = f.blocks[block].params.iter().position(|&p| p == param)?;
    let (mut same, mut nothing) = (None, None);
    for &pred in &flow.preds[block] {
        for call in f.successors(pred) {
            if call.block != block {
                continue;
            }
            let arg = f.resolve(call.args[index]);
            if arg == param {
                continue;
            }
            if undef.contains(&arg) {
                nothing = Some(arg);
            } else if *same.get_or_insert(arg) != arg {
                return None;
            }
        }
    }
    match (same, nothing) {
        (None, nothing) => nothing,
        (Some(value), None) => Some(value),
        // The value must be available where the parameter was.
        (Some(value), Some(_)) => match f.values[value].def {
            ValueDef::Param(home, _) => (home != block && flow.dominates(home, block)).then_some(value),
            ValueDef::Inst(inst) => {
                let home = homes[inst]?;
                (home != block && flow.dominates(home, block)).then_some(value)
            }
            ValueDef::Alias(_) => None,
        },
    }
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
            for call in f.insts[inst].targets_mut() {
                if call.block == block {
                    call.args.remove(index);
                }
            }
        }
    }
}

/// Dominance frontier of each block.
fn frontiers(f: &Function, flow: &Flow) -> Arena<Block, Vec<Block>> {
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
