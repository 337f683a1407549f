//! private: a variable is a value until its address is given away.
//!
//! ```text
//! block1:                                block1(v1: i32):
//!   v1 = load.i32 s0                       ..
//!   ..                                     v2 = add v1, 1
//!   v2 = add v1, 1                         br v3, block1(v2), block2
//!   store.i32 v2, s0             ->      block2:
//!   br v3, block1, block2                  store.i32 v2, s0
//! block2:                                  v4 = call helper 1(.., s0)
//!   v4 = call helper 1(.., s0)
//! ```
//!
//! mem2reg leaves a slot alone that anything but loads and stores names anywhere. But what runs before
//! all of these others is sure to be alone with the slot: there it is a value, which is stored just
//! before the address is used. Only slots that a loop writes to are treated: what is written once is in
//! the right place.
//! Preserves: every byte at every read; what was never stored is not anything.
//! The kernel's verifier still accepts: it follows the counter of a loop in a register, and takes the
//! number that it holds at the end for a number, which it does not do with all that is in memory.
//! Cost: linear, times the slots that loops write to.

use std::collections::{BTreeMap, BTreeSet};

use super::slots::{self, Access, AccessKind, Usage};
use super::{Cx, cfg, mem2reg};
use crate::ir::flow::Loops;
use crate::ir::{Arena, Block, Function, Inst, InstData, MemFlags, Slot, SlotData, SrcLoc, Type};

/// Runs the pass.
pub fn run(f: &mut Function, cx: &Cx<'_>) -> bool {
    let all = cx.usage(f);
    let mut used = all.iter().filter(|(_, usage)| usage.escapes && !usage.accesses.is_empty()).peekable();
    if used.peek().is_none() {
        return false;
    }
    let mut changed = cfg::remove_unreachable(f);
    let flow = f.flow();
    let used: BTreeMap<Slot, &Usage> = used.collect();
    let counters = counters(f, flow.loops(), &used);
    if counters.is_empty() {
        return changed;
    }
    let uses = uses(f, &counters);
    let mut types = Vec::new();
    for (slot, uses) in &uses {
        if let Some(life) = Life::new(f, uses, used[slot], flow.loops()) {
            let slot = *slot;
            types.push(life.separate(f, slot));
        }
    }
    if !types.is_empty() {
        mem2reg::promote(f, &types);
        changed = true;
    }
    changed
}

/// Those of the slots that a store in a loop names.
fn counters(f: &Function, loops: &Loops, used: &BTreeMap<Slot, &Usage>) -> BTreeSet<Slot> {
    let looping = f.order.iter().filter(|&&block| loops.innermost(block).is_some());
    let stores = looping.flat_map(|&block| &f.blocks[block].insts).filter_map(|&inst| match f.insts[inst] {
        InstData::Store { base, .. } => slots::slot_of(f, base),
        _ => None,
    });
    stores.map(|(slot, _)| slot).filter(|slot| used.contains_key(slot)).collect()
}

/// An instruction that names a slot.
struct Use {
    block: Block,
    inst: Inst,
    /// More than once.
    again: bool,
}

/// All uses of each of these slots, block by block.
fn uses(f: &Function, of: &BTreeSet<Slot>) -> BTreeMap<Slot, Vec<Use>> {
    let mut uses: BTreeMap<Slot, Vec<Use>> = BTreeMap::new();
    for &block in &f.order {
        for &inst in &f.blocks[block].insts {
            f.insts[inst].for_each_operand(|v| {
                let Some((slot, _)) = slots::slot_of(f, v).filter(|(slot, _)| of.contains(slot)) else {
                    return;
                };
                let uses = uses.entry(slot).or_default();
                match uses.last_mut().filter(|last| last.inst == inst) {
                    Some(last) => last.again = true,
                    None => uses.push(Use { block, inst, again: false }),
                }
            });
        }
    }
    uses
}

/// The part of a slot's life in which nothing but loads and stores of one value names it.
struct Life {
    /// These loads and stores.
    accesses: BTreeSet<Inst>,
    /// Where the value is in the slot.
    start: i64,
    ty: Type,
    /// How it is aligned there.
    flags: MemFlags,
    /// What ends it: the first instruction of a block that uses the slot in another way.
    ends: BTreeMap<Block, Inst>,
}

impl Life {
    fn new(f: &Function, all: &[Use], usage: &Usage, loops: &Loops) -> Option<Life> {
        let plain: BTreeMap<Inst, &Access> = usage
            .accesses
            .iter()
            .filter(|a| matches!(a.kind, AccessKind::Load(_) | AccessKind::Store(_)) && !a.volatile)
            .map(|access| (access.inst, access))
            .collect();
        // Uses of the slot in each block, up to the first that is not a plain access.
        let mut uses: BTreeMap<Block, Vec<Inst>> = BTreeMap::new();
        let mut ends: BTreeMap<Block, Inst> = BTreeMap::new();
        for &Use { block, inst, again } in all {
            if ends.contains_key(&block) {
                continue;
            }
            uses.entry(block).or_default().push(inst);
            if again || !plain.contains_key(&inst) {
                ends.insert(block, inst);
            }
        }
        let after = reachable(f, ends.keys().flat_map(|&block| next(f, block)));
        ends.retain(|&block, _| !after[block]);
        // Control that goes past all ends must not come to where the slot is used again.
        let past = f.order.iter().filter(|&&block| !after[block] && !ends.contains_key(&block));
        let joins = past.flat_map(|&block| next(f, block)).filter(|&next| after[next]);
        let joined = reachable(f, joins);
        if uses.keys().any(|&block| joined[block]) {
            return None;
        }
        let mut place = None;
        let (mut accesses, mut counted) = (BTreeSet::new(), false);
        for (&block, insts) in uses.iter().filter(|&(&block, _)| !after[block]) {
            for &inst in insts.iter().filter(|&&inst| ends.get(&block) != Some(&inst)) {
                let access = plain[&inst];
                let (ty, flags) = match (access.kind, &f.insts[inst]) {
                    (
                        AccessKind::Load(ty) | AccessKind::Store(ty),
                        InstData::Load { flags, .. } | InstData::Store { flags, .. },
                    ) => (ty, *flags),
                    _ => return None,
                };
                let (start, first, _) = *place.get_or_insert((access.start, ty, flags));
                if (start, first) != (access.start, ty) {
                    return None;
                }
                counted |= !access.reads && loops.innermost(block).is_some();
                accesses.insert(inst);
            }
        }
        let (start, ty, flags) = place.filter(|_| counted)?;
        Some(Life { accesses, start, ty, flags, ends })
    }

    /// Gives that life a slot of its own, which is stored to the old one where it ends.
    fn separate(&self, f: &mut Function, slot: Slot) -> (Slot, Type) {
        let bytes = self.ty.bytes();
        let private = SlotData { size: bytes, align: bytes, name: String::new(), loc: SrcLoc::NONE };
        let private = f.slots.push(private);
        let flags = MemFlags { volatile: false, align: bytes };
        for block in f.order.clone() {
            let end = self.ends.get(&block).copied();
            let mut insts = Vec::with_capacity(f.blocks[block].insts.len());
            for inst in std::mem::take(&mut f.blocks[block].insts) {
                let loc = f.locs[inst];
                let mut address = |f: &mut Function, slot: Slot, offset: i32| {
                    let made = f.make_inst(InstData::SlotAddr { slot, offset }, loc);
                    insts.push(made);
                    f.result(made)
                };
                if self.accesses.contains(&inst)
                    && let Some(base) = address(f, private, 0)
                {
                    let data = match f.insts[inst] {
                        InstData::Store { value, .. } => InstData::Store { value, base, offset: 0, flags },
                        _ => InstData::Load { ty: self.ty, base, offset: 0, flags },
                    };
                    f.set_inst(inst, data);
                } else if end == Some(inst)
                    && let (Some(from), Some(to)) =
                        (address(f, private, 0), address(f, slot, self.start as i32))
                {
                    let load = f.make_inst(InstData::Load { ty: self.ty, base: from, offset: 0, flags }, loc);
                    insts.push(load);
                    if let Some(value) = f.result(load) {
                        let store = InstData::Store { value, base: to, offset: 0, flags: self.flags };
                        insts.push(f.make_inst(store, loc));
                    }
                }
                insts.push(inst);
            }
            f.blocks[block].insts = insts;
        }
        (private, self.ty)
    }
}

fn next(f: &Function, block: Block) -> impl Iterator<Item = Block> {
    f.successors(block).map(|call| call.block)
}

/// These blocks, and all that control comes to from them.
fn reachable(f: &Function, from: impl Iterator<Item = Block>) -> Arena<Block, bool> {
    let mut found = Arena::filled(&f.blocks, false);
    let mut work: Vec<Block> = from.collect();
    while let Some(block) = work.pop() {
        if !std::mem::replace(&mut found[block], true) {
            work.extend(next(f, block));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_pass;

    /// Counts in a slot, gives it to a helper if `{end}` says so, and reads it.
    fn text(end: &str) -> String {
        format!(
            "function @f(i32) -> i32 {{\n  s0 = slot 4 align 4\nblock0(v0: i32):\n  v1 = slot_addr s0\n  \
             v2 = iconst.i32 0\n  v3 = iconst.i32 1\n  store.i32 v2, v1 align 4\n  jump block1\n\
             block1:\n  v4 = load.i32 v1 align 4\n  v5 = add v4, v3\n  store.i32 v5, v1 align 4\n  \
             v6 = icmp ult v5, v0\n  br v6, block1, block2\nblock2:\n  {end}\n}}"
        )
    }

    #[test]
    fn a_counter_is_stored_where_its_address_is_given_away() {
        let out = after_pass("private", &text("call helper 1(v1)\n  v8 = load.i32 v1 align 4\n  return v8"));
        let (looped, rest) = out.split_once("block2").expect("there is a third block");
        assert!(!looped.contains("store") && !looped.contains("load"), "{out}");
        assert!(rest.find("store") < rest.find("call") && rest.contains("load"), "{out}");
    }

    #[test]
    fn what_a_helper_sees_in_every_round_stays_in_memory() {
        let within = text("return v5").replace("  v5 = add", "  call helper 1(v1)\n  v5 = add");
        assert!(after_pass("private", &within).contains("load"));
    }

    #[test]
    fn a_path_around_the_end_that_reads_stays_in_memory() {
        let around = text(
            "v7 = icmp eq v5, v3\n  br v7, block3, block4\nblock3:\n  call helper 1(v1)\n  \
             jump block4\nblock4:\n  v9 = load.i32 v1 align 4\n  return v9",
        );
        assert_eq!(after_pass("private", &around).matches("store").count(), 2);
    }
}
