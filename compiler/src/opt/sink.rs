//! sink: blocks that end alike share the end.
//!
//! ```text
//! block1: ... store.i32 v1, v9   jump block5(v2)        block1: ... jump block7(v1, v2)
//! block2: ... store.i32 v3, v9   jump block5(v4)   ->   block2: ... jump block7(v3, v4)
//!                                                       block7(v5, v6): store.i32 v5, v9   jump block5(v6)
//! ```
//!
//! This is what several calls of an inlined function leave behind. Numbers that differ become
//! parameters of the shared end, pointers must be the same value; variables that only the ends use are
//! one in the shared end.
//! Preserves: effects and their order on every path.
//! The kernel's verifier still accepts: every access goes through the pointer that it went through
//! before, and what is added to a pointer is the same value on all paths. Assembly and calls of other
//! programs, whose operands must be constants, are shared only if all operands are the same.
//! Cost: for each block, the lengths of the ends of its predecessors times [`NEIGHBOURS`].

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::Cx;
use super::edit::cost;
use crate::ir::{Block, BlockCall, Callee, Function, Inst, InstData, Intrinsic, Slot, Type, Value, ValueDef};

/// Ends of many blocks are alike; those nearby are enough to find that.
const NEIGHBOURS: usize = 16;

/// Numbers in which shared ends may differ.
const PARAMS: usize = 3;

/// An end that is shared becomes at least this many instructions.
const SHORTEST: usize = 3;

/// Merges per run; each starts from a fresh analysis.
const MERGES: usize = 64;

/// `bpf_tail_call`: the kernel makes a direct jump of it when its operands are always the same.
const TAIL_CALL: u32 = 12;

/// Runs the pass.
pub fn run(f: &mut Function, _: &Cx<'_>) -> bool {
    let mut changed = super::cfg::remove_unreachable(f);
    changed |= return_directly(f);
    for _ in 0..MERGES {
        let plans = plans(f);
        if plans.is_empty() {
            break;
        }
        for plan in &plans {
            plan.carry_out(f);
        }
        changed = true;
    }
    changed
}

/// Blocks that do something and go to one that only returns a constant return themselves: those that
/// return different constants then differ in a number only. What is not shared, `cfg` undoes.
fn return_directly(f: &mut Function) -> bool {
    let mut changed = false;
    for block in f.order.clone() {
        let Some(last) = f.terminator(block) else { continue };
        let InstData::Jump { target } = &f.insts[last] else { continue };
        let Some((&end, others)) = f.blocks[target.block].insts.split_last() else { continue };
        let InstData::Return { value: Some(value) } = f.insts[end] else { continue };
        let only = others.iter().all(|&inst| matches!(f.insts[inst], InstData::Const { .. }));
        let Some(constant) = f.constant(value).filter(|_| only) else { continue };
        let costs = f.blocks[block].insts.iter().map(|&inst| cost(&f.insts[inst]));
        if costs.sum::<usize>() < SHORTEST {
            continue;
        }
        let loc = f.locs[last];
        let own = f.make_inst(InstData::Const { ty: f.ty(value), value: constant }, loc);
        f.set_inst(last, InstData::Return { value: f.result(own) });
        let insts = &mut f.blocks[block].insts;
        insts.insert(insts.len() - 1, own);
        changed = true;
    }
    changed
}

/// What is done about some blocks that end alike.
struct Plan {
    /// The blocks. The instructions of the first one stay.
    members: Vec<Block>,
    /// How many instructions of [`Ends::of`] are shared.
    length: usize,
    /// By parameter: what each member passes.
    params: Vec<Vec<Value>>,
    /// By operand of the first member's instructions that is a parameter: its number.
    places: BTreeMap<Place, usize>,
}

/// An operand: the instruction, counted from the end of the block, and the number of the operand.
type Place = (usize, usize);

/// At most one plan for each group of blocks that go to the same block, and none that touches a block
/// of another.
fn plans(f: &Function) -> Vec<Plan> {
    let flow = f.flow_as_is();
    let loops = flow.loops();
    let ends = Ends::new(f);
    let mut groups: BTreeMap<(Option<Block>, Option<usize>), Vec<Block>> = BTreeMap::new();
    for &block in &flow.rpo {
        let to = match f.terminator(block).map(|last| &f.insts[last]) {
            Some(InstData::Jump { target }) if !flow.dominates(block, target.block) => Some(target.block),
            Some(InstData::Return { .. }) => None,
            _ => continue,
        };
        groups.entry((to, loops.innermost(block))).or_default().push(block);
    }
    let mut touched = BTreeSet::new();
    let mut plans = Vec::new();
    for blocks in groups.values().filter(|blocks| blocks.len() > 1) {
        if let Some(plan) = ends.best(blocks)
            && plan.members.iter().all(|&block| touched.insert(block))
        {
            plans.push(plan);
        }
    }
    plans
}

/// The ends of blocks, and who uses the slots.
struct Ends<'f> {
    f: &'f Function,
    /// Instructions that use the address of each slot, once that is asked.
    users: OnceCell<BTreeMap<Slot, Vec<Inst>>>,
}

impl Ends<'_> {
    fn new(f: &Function) -> Ends<'_> {
        Ends { f, users: OnceCell::new() }
    }

    fn users(&self) -> &BTreeMap<Slot, Vec<Inst>> {
        let f = self.f;
        self.users.get_or_init(|| {
            let mut users: BTreeMap<Slot, Vec<Inst>> = BTreeMap::new();
            for &inst in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
                f.insts[inst].for_each_operand(|v| {
                    if let Some(InstData::SlotAddr { slot, .. }) = f.def(v) {
                        users.entry(*slot).or_default().push(inst);
                    }
                });
            }
            users
        })
    }

    /// The instructions of a block from its end that could be shared, the terminator first. Constants
    /// and addresses are not counted: they are made where they are needed.
    fn of(&self, block: Block) -> Vec<Inst> {
        let insts = self.f.blocks[block].insts.iter().rev().copied();
        let code = insts.filter(|&inst| !is_leaf(&self.f.insts[inst]));
        code.take_while(|&inst| is_shareable(&self.f.insts[inst])).collect()
    }

    /// The plan that saves most among these blocks.
    fn best(&self, blocks: &[Block]) -> Option<Plan> {
        let ends = blocks.iter().map(|&block| (block, self.of(block)));
        let (blocks, ends): (Vec<Block>, Vec<Vec<Inst>>) =
            ends.filter(|(_, end)| self.weight(end) >= SHORTEST).unzip();
        let mut best: Option<(usize, usize, usize)> = None;
        for a in 0..blocks.len() {
            for b in (a + 1..blocks.len()).take(NEIGHBOURS) {
                let (length, _) = self.common(&ends[a], &ends[b]);
                let weight = self.weight(&ends[a][..length]);
                if weight >= SHORTEST && best.is_none_or(|(most, ..)| weight > most) {
                    best = Some((weight, a, length));
                }
            }
        }
        let (weight, first, length) = best?;
        let mut members = vec![first];
        let mut places: BTreeSet<Place> = BTreeSet::new();
        for other in (0..blocks.len()).filter(|&other| other != first) {
            if ends[other].len() >= length
                && let Some(more) = self.differences(&ends[first][..length], &ends[other][..length])
            {
                let all: BTreeSet<Place> = places.union(&more).copied().collect();
                members.push(other);
                if self.params(&ends, &members, &all).0.len() <= PARAMS {
                    places = all;
                } else {
                    members.pop();
                }
            }
        }
        let (params, places) = self.params(&ends, &members, &places);
        let members: Vec<Block> = members.into_iter().map(|i| blocks[i]).collect();
        let saved = weight * (members.len() - 1);
        (members.len() > 1 && saved > 1 + params.len() * members.len()).then_some(Plan {
            members,
            length,
            params,
            places,
        })
    }

    fn weight(&self, end: &[Inst]) -> usize {
        end.iter().map(|&inst| cost(&self.f.insts[inst]) + self.addresses(inst)).sum()
    }

    /// What the addresses of variables among the operands cost.
    fn addresses(&self, inst: Inst) -> usize {
        let is_address = |v: &&Value| matches!(self.f.def(**v), Some(InstData::SymbolAddr { .. }));
        operands(self.f, inst).iter().filter(is_address).count()
    }

    /// How long the longest end is that two blocks can share, and where it differs.
    fn common(&self, a: &[Inst], b: &[Inst]) -> (usize, BTreeSet<Place>) {
        let mut length = a.iter().zip(b).take_while(|&(&x, &y)| alike(self.f, x, y)).count();
        while length > 0 {
            match self.differences(&a[..length], &b[..length]) {
                Some(places) => return (length, places),
                None => length -= 1,
            }
        }
        (0, BTreeSet::new())
    }

    /// The operands in which two ends differ; `None` when these ends cannot be shared.
    fn differences(&self, a: &[Inst], b: &[Inst]) -> Option<BTreeSet<Place>> {
        let f = self.f;
        let mut places = BTreeSet::new();
        // Results of the end of `a`: those of `b` that they correspond to, and whether they depend on
        // what differs.
        let mut made: BTreeMap<Value, (Value, bool)> = BTreeMap::new();
        let own: BTreeSet<Value> = b.iter().filter_map(|&inst| f.result(inst)).collect();
        let mut slots: BTreeMap<Slot, Slot> = BTreeMap::new();
        let mut numbers = 0;
        for (at, (&x, &y)) in a.iter().zip(b).enumerate().rev() {
            if !alike(f, x, y) {
                return None;
            }
            let (xs, ys) = (operands(f, x), operands(f, y));
            let mut varies = false;
            for (number, (&p, &q)) in xs.iter().zip(&ys).enumerate() {
                let differs = match made.get(&p) {
                    Some(&(twin, _)) if twin != q => return None,
                    Some(&(_, depends)) => {
                        varies |= depends;
                        if depends && is_offset(&f.insts[x], number) {
                            return None;
                        }
                        false
                    }
                    None => !self.same(p, q, [a, b], &mut slots),
                };
                if differs {
                    let free = !own.contains(&q) && f.ty(p) == f.ty(q) && may_differ(f, x, number, f.ty(p));
                    if !free || numbers == PARAMS {
                        return None;
                    }
                    numbers += 1;
                    varies = true;
                    places.insert((at, number));
                }
            }
            if let (Some(p), Some(q)) = (f.result(x), f.result(y)) {
                made.insert(p, (q, varies));
            }
        }
        Some(places)
    }

    /// Are two operands, neither of which is made in the ends, the same?
    fn same(&self, a: Value, b: Value, ends: [&[Inst]; 2], slots: &mut BTreeMap<Slot, Slot>) -> bool {
        if a == b {
            return true;
        }
        match (self.f.def(a), self.f.def(b)) {
            (
                Some(&InstData::SlotAddr { slot: x, offset: i }),
                Some(&InstData::SlotAddr { slot: y, offset: j }),
            ) if x != y => i == j && self.may_be_one([x, y], ends, slots),
            (Some(x), Some(y)) => is_leaf(x) && x == y,
            _ => false,
        }
    }

    /// Can the second slot be the first? Nothing but the ends may use them.
    fn may_be_one(&self, [a, b]: [Slot; 2], ends: [&[Inst]; 2], slots: &mut BTreeMap<Slot, Slot>) -> bool {
        if let Some(&known) = slots.get(&a) {
            return known == b;
        }
        let (x, y) = (&self.f.slots[a], &self.f.slots[b]);
        let only = |slot: Slot, end: &[Inst]| {
            self.users().get(&slot).is_some_and(|users| users.iter().all(|inst| end.contains(inst)))
        };
        let fits = (x.size, x.align) == (y.size, y.align)
            && slots.values().all(|&taken| taken != b)
            && only(a, ends[0])
            && only(b, ends[1]);
        if fits {
            slots.insert(a, b);
        }
        fits
    }

    /// What the members pass for the operands at these places: one parameter for all places at which
    /// each member has one value.
    fn params(
        &self,
        ends: &[Vec<Inst>],
        members: &[usize],
        places: &BTreeSet<Place>,
    ) -> (Vec<Vec<Value>>, BTreeMap<Place, usize>) {
        let mut params: Vec<Vec<Value>> = Vec::new();
        let mut numbers = BTreeMap::new();
        for &(at, number) in places {
            let passed: Vec<Value> =
                members.iter().map(|&member| operands(self.f, ends[member][at])[number]).collect();
            let known = params.iter().position(|other| *other == passed).unwrap_or_else(|| {
                params.push(passed);
                params.len() - 1
            });
            numbers.insert((at, number), known);
        }
        (params, numbers)
    }
}

impl Plan {
    fn carry_out(&self, f: &mut Function) {
        let [first, ..] = self.members[..] else { return };
        let end = f.blocks.push(Default::default());
        let params: Vec<Value> = self.params.iter().map(|passed| f.add_param(end, f.ty(passed[0]))).collect();
        let shared: Vec<Inst> = Ends::new(f).of(first)[..self.length].to_vec();
        let mut copies: BTreeMap<Value, Value> = BTreeMap::new();
        for (at, &inst) in shared.iter().enumerate().rev() {
            let mut data = f.insts[inst].clone();
            let mut number = 0;
            data.map_operands(|v| {
                let place = (at, number);
                number += 1;
                match self.places.get(&place) {
                    Some(&param) => params[param],
                    None => leaf(f, end, v, &mut copies),
                }
            });
            f.set_inst(inst, data);
            f.blocks[end].insts.push(inst);
        }
        for (index, &block) in self.members.iter().enumerate() {
            let gone: BTreeSet<Inst> = Ends::new(f).of(block).into_iter().take(self.length).collect();
            let loc = f.terminator(block).map(|last| f.locs[last]).unwrap_or_default();
            f.blocks[block].insts.retain(|inst| !gone.contains(inst));
            let args = self.params.iter().map(|passed| passed[index]).collect();
            f.append(block, InstData::Jump { target: BlockCall { block: end, args } }, loc);
        }
        let place = f.order.iter().position(|&block| block == first).map_or(f.order.len(), |at| at + 1);
        f.order.insert(place, end);
    }
}

/// A constant or address for the shared end; any other value is itself.
fn leaf(f: &mut Function, end: Block, value: Value, copies: &mut BTreeMap<Value, Value>) -> Value {
    let ValueDef::Inst(inst) = f.values[f.resolve(value)].def else { return value };
    if !is_leaf(&f.insts[inst]) {
        return value;
    }
    if let Some(&copy) = copies.get(&value) {
        return copy;
    }
    let (data, loc) = (f.insts[inst].clone(), f.locs[inst]);
    let copy = f.append_value(end, data, loc);
    copies.insert(value, copy);
    copy
}

/// Is it made again wherever it is needed?
fn is_leaf(data: &InstData) -> bool {
    matches!(
        data,
        InstData::Const { .. }
            | InstData::SymbolAddr { .. }
            | InstData::SlotAddr { .. }
            | InstData::Core { .. }
    )
}

/// The operands of an instruction, in order.
fn operands(f: &Function, inst: Inst) -> Vec<Value> {
    let mut list = Vec::new();
    f.insts[inst].for_each_operand(|v| list.push(f.resolve(v)));
    list
}

/// Do two instructions do the same with their operands?
fn alike(f: &Function, x: Inst, y: Inst) -> bool {
    let (x, y) = (&f.insts[x], &f.insts[y]);
    if std::mem::discriminant(x) != std::mem::discriminant(y) {
        return false;
    }
    let shape = |data: &InstData| {
        let mut data = data.clone();
        data.map_operands(|_| Value::from_index(0));
        data
    };
    shape(x) == shape(y)
}

/// May instructions of this kind be shared?
fn is_shareable(data: &InstData) -> bool {
    match data {
        InstData::Unary { .. }
        | InstData::Binary { .. }
        | InstData::PtrAdd { .. }
        | InstData::Convert { .. }
        | InstData::Compare { .. }
        | InstData::Select { .. }
        | InstData::Load { .. }
        | InstData::Store { .. }
        | InstData::AtomicRmw { .. }
        | InstData::AtomicCmpXchg { .. }
        | InstData::Call { .. }
        | InstData::Jump { .. }
        | InstData::Return { .. } => true,
        InstData::Intrinsic { op, .. } => matches!(op, Intrinsic::Fence | Intrinsic::FrameAddress),
        InstData::Const { .. }
        | InstData::SymbolAddr { .. }
        | InstData::SlotAddr { .. }
        | InstData::Core { .. }
        | InstData::Asm { .. }
        | InstData::Branch { .. }
        | InstData::Switch { .. }
        | InstData::Unreachable => false,
    }
}

/// Is this operand added to a pointer?
fn is_offset(data: &InstData, number: usize) -> bool {
    matches!(data, InstData::PtrAdd { .. }) && number == 1
}

/// May shared instructions differ in this operand?
fn may_differ(f: &Function, inst: Inst, number: usize, ty: Type) -> bool {
    let data = &f.insts[inst];
    match data {
        // What goes on to the next block may be anything.
        InstData::Jump { .. } => true,
        InstData::Call { callee: Callee::Helper(TAIL_CALL), .. } => false,
        _ => !matches!(ty, Type::I1 | Type::Ptr) && !is_offset(data, number),
    }
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    /// Two blocks that store to `{a}` and `{b}`, call a helper with a variable of their own and return.
    fn text(a: &str, b: &str, returned: u32) -> String {
        format!(
            "function @f(ptr, ptr, i32) -> i32 {{\n  s0 = slot 8 align 8\n  s1 = slot 8 align 8\n\
             block0(v0: ptr, v1: ptr, v2: i32):\n  v3 = iconst.i32 7\n  v4 = iconst.i32 8\n  \
             v5 = icmp ult v2, v3\n  br v5, block1, block2\n\
             block1:\n  store.i32 v3, {a} align 1\n  v6 = slot_addr s0\n  v7 = iconst.i64 1\n  \
             store.i64 v7, v6 align 8\n  call helper 1(v6)\n  v8 = iconst.i32 1\n  return v8\n\
             block2:\n  store.i32 v4, {b} align 1\n  v9 = slot_addr s1\n  v10 = iconst.i64 1\n  \
             store.i64 v10, v9 align 8\n  call helper 1(v9)\n  v11 = iconst.i32 {returned}\n  return v11\n}}"
        )
    }

    #[test]
    fn ends_that_differ_in_numbers_are_one() {
        let out = after_pass("sink", &text("v0", "v0", 2));
        assert_eq!(out.matches("call").count(), 1, "{out}");
        assert_eq!(out.matches("store.i32").count(), 1, "{out}");
    }

    #[test]
    fn different_pointers_are_not_merged() {
        let out = after_pass("sink", &text("v0", "v1", 1));
        assert_eq!(out.matches("store.i32").count(), 2, "{out}");
        assert_eq!(out.matches("call").count(), 1, "{out}");
    }

    #[test]
    fn what_is_added_to_a_pointer_is_not_merged() {
        let text = "function @f(ptr, i64) -> i64 {\nblock0(v0: ptr, v1: i64):\n  v2 = iconst.i64 7\n  \
            v3 = iconst.i64 4\n  v4 = icmp ult v1, v2\n  br v4, block1, block2\n\
            block1:\n  v5 = mul v2, v3\n  v6 = ptr_add v0, v5\n  store.i64 v1, v6 align 1\n  return v1\n\
            block2:\n  v7 = mul v3, v3\n  v8 = ptr_add v0, v7\n  store.i64 v1, v8 align 1\n  return v1\n}";
        let out = after_pass("sink", text);
        assert_eq!(out.matches("ptr_add").count(), 2, "{out}");
    }

    #[test]
    fn the_operands_of_a_tail_call_stay_constant() {
        let text = "function @f(ptr, i32) -> i32 {\nblock0(v0: ptr, v1: i32):\n  v2 = iconst.i32 7\n  \
            v3 = iconst.i32 4\n  v4 = icmp ult v1, v2\n  br v4, block1, block2\n\
            block1:\n  call helper 12(v0, v0, v2)\n  return v1\n\
            block2:\n  call helper 12(v0, v0, v3)\n  return v1\n}";
        let out = after_pass("sink", text);
        assert_eq!(out.matches("call").count(), 2, "{out}");
    }
}
