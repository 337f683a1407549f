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

use super::Cx;
use super::edit::{self, Edit, Editor, inst_blocks};
use super::slots::{self, AccessKind};
use crate::ir::flow::Flow;
use crate::ir::{
    Arena, BinaryOp, Block, ConvertOp, Function, Inst, InstData, MemFlags, Slot, SlotData, SrcLoc, Type,
    Value, ValueDef,
};

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    let mut changed = super::cfg::remove_unreachable(f);
    let vars = candidates(f);
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

fn candidates(f: &Function) -> BTreeMap<Slot, Shape> {
    let mut found = BTreeMap::new();
    for (slot, usage) in slots::usage(f) {
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
        let data = ed.f.insts[inst].clone();
        let (base, by, access) = match &data {
            InstData::Load { base, offset, ty, .. } => (*base, *offset, *ty),
            InstData::Store { base, offset, value, .. } => (*base, *offset, ed.f.ty(*value)),
            _ => return Edit::Keep,
        };
        let Some(&InstData::SlotAddr { slot, offset: at }) = ed.f.def(base) else { return Edit::Keep };
        let Some(shape) = vars.get(&slot) else { return Edit::Keep };
        let base = ed.emit(InstData::SlotAddr { slot, offset: 0 });
        let start = at + by - shape.offset;
        match data {
            InstData::Load { .. } => {
                let whole = load(ed, base, shape.ty);
                let part =
                    if shape.mixed { extract(ed, cx, whole, start, access) } else { cast(ed, whole, access) };
                Edit::Replace(part)
            }
            InstData::Store { value, .. } => {
                let whole = if shape.mixed {
                    insert(ed, cx, base, shape.ty, start, value)
                } else {
                    cast(ed, value, shape.ty)
                };
                let flags = MemFlags { volatile: false, align: shape.ty.bytes() };
                ed.set(inst, InstData::Store { value: whole, base, offset: 0, flags });
                Edit::Keep
            }
            _ => Edit::Keep,
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

/// Moves a value into a new slot: stored where it is defined, loaded at each use outside some blocks.
/// A pass that duplicates these blocks does this before, and [`promote`]s the slot after.
pub fn demote(f: &mut Function, value: Value, inside: &BTreeSet<Block>) -> Slot {
    let ty = f.ty(value);
    let slot = f.slots.push(SlotData {
        size: ty.bytes(),
        align: ty.bytes(),
        name: String::new(),
        loc: SrcLoc::NONE,
    });
    let flags = MemFlags { volatile: false, align: ty.bytes() };
    let home = match f.values[value].def {
        ValueDef::Inst(inst) => inst_blocks(f)[inst],
        ValueDef::Param(block, _) => Some(block),
        ValueDef::Alias(_) => None,
    };
    for block in f.order.clone() {
        if inside.contains(&block) {
            continue;
        }
        let mut at = 0;
        while at < f.blocks[block].insts.len() {
            let inst = f.blocks[block].insts[at];
            let mut used = false;
            f.insts[inst].for_each_operand(|v| used |= v == value);
            if used {
                let loc = f.locs[inst];
                let addr = f.make_inst(InstData::SlotAddr { slot, offset: 0 }, loc);
                let base = f.result(addr).unwrap_or(value);
                let read = f.make_inst(InstData::Load { ty, base, offset: 0, flags }, loc);
                let copy = f.result(read).unwrap_or(value);
                f.insts[inst].map_operands(|v| if v == value { copy } else { v });
                f.blocks[block].insts.splice(at..at, [addr, read]);
                at += 2;
            }
            at += 1;
        }
    }
    if let Some(home) = home {
        let at = match f.values[value].def {
            ValueDef::Inst(inst) => f.blocks[home].insts.iter().position(|&i| i == inst).map_or(0, |i| i + 1),
            ValueDef::Param(..) | ValueDef::Alias(_) => 0,
        };
        let addr = f.make_inst(InstData::SlotAddr { slot, offset: 0 }, SrcLoc::NONE);
        let base = f.result(addr).unwrap_or(value);
        let write = f.make_inst(InstData::Store { value, base, offset: 0, flags }, SrcLoc::NONE);
        f.blocks[home].insts.splice(at..at, [addr, write]);
    }
    slot
}

/// Turns slots into values. Each is accessed as one value of the given type at its start, by loads
/// and stores only; all blocks are reachable.
pub fn promote(f: &mut Function, types: &BTreeMap<Slot, Type>) {
    let flow = Flow::new(f);
    let mut pass = Promotion {
        var_of: types.keys().enumerate().map(|(i, &slot)| (slot, i)).collect(),
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
    var_of: BTreeMap<Slot, usize>,
    types: Vec<Type>,
    /// Variables that are parameters of each block now, with the parameter.
    joins: Arena<Block, Vec<(usize, Value)>>,
    /// The constant that stands for a variable that was never stored.
    undef: Vec<Option<Value>>,
}

impl Promotion {
    fn event(&self, f: &Function, inst: Inst) -> Option<Event> {
        let var = |base: Value| match f.def(base) {
            Some(InstData::SlotAddr { slot, .. }) => self.var_of.get(slot).copied(),
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
        let mut writes = vec![BTreeSet::new(); self.types.len()];
        let mut exposed = vec![BTreeSet::new(); self.types.len()];
        for &block in &flow.rpo {
            for &inst in &f.blocks[block].insts {
                match self.event(f, inst) {
                    Some(Event::Read(var)) if !writes[var].contains(&block) => {
                        exposed[var].insert(block);
                    }
                    Some(Event::Write(var, _)) => {
                        writes[var].insert(block);
                    }
                    _ => {}
                }
            }
        }
        let frontiers = frontiers(f, flow);
        for var in 0..self.types.len() {
            let live = live_in(flow, &writes[var], &exposed[var]);
            let mut work: Vec<Block> = writes[var].iter().copied().collect();
            let mut placed = BTreeSet::new();
            while let Some(block) = work.pop() {
                for &join in &frontiers[block] {
                    if live.contains(&join) && placed.insert(join) {
                        work.push(join);
                    }
                }
            }
            for join in placed {
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
            let mut kept = Vec::new();
            for inst in std::mem::take(&mut f.blocks[block].insts) {
                match self.event(f, inst) {
                    Some(Event::Read(var)) => {
                        let value = current[var].unwrap_or_else(|| self.undefined(f, var));
                        if let Some(result) = f.result(inst) {
                            f.replace(result, value);
                        }
                    }
                    Some(Event::Write(var, value)) => {
                        let value = f.resolve(value);
                        set(var, value, &mut current, &mut stack);
                    }
                    None => kept.push(inst),
                }
            }
            // `undefined` may have put constants into the entry block meanwhile.
            f.blocks[block].insts.extend(kept);
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
        let mut changed = true;
        while changed {
            changed = false;
            params.retain(|&(block, param)| {
                let Some(value) = same_argument(f, flow, block, param, &undef) else { return true };
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
                let home = *f.order.iter().find(|&&b| f.blocks[b].insts.contains(&inst))?;
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
                if list.last() != Some(&join) {
                    list.push(join);
                }
                runner = flow.idom(block);
            }
        }
    }
    frontiers
}

/// Blocks at whose start a variable is needed.
fn live_in(flow: &Flow, writes: &BTreeSet<Block>, exposed: &BTreeSet<Block>) -> BTreeSet<Block> {
    let mut live = exposed.clone();
    let mut work: Vec<Block> = exposed.iter().copied().collect();
    while let Some(block) = work.pop() {
        for &pred in &flow.preds[block] {
            if !writes.contains(&pred) && live.insert(pred) {
                work.push(pred);
            }
        }
    }
    live
}
