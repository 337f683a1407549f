//! Copies of blocks, for passes that duplicate control flow.
//!
//! In: a function and some of its blocks. Out: copies of them whose jumps among themselves stay among the copies.
//! Invariant: the copies use what the originals use from outside. What the originals define and others use has as
//! many definitions as there are copies; [`Twins::repair`] leads each use to the one that reaches it, once the
//! edges are where they belong.

use std::collections::BTreeMap;

use super::cfg;
use super::ssa::{self, Effect};
use crate::ir::{Arena, Block, Function, Inst, Value, ValueDef};

/// The copy of each block.
pub type Copies = BTreeMap<Block, Block>;

/// Values and what stands for them in copies.
pub struct Twins {
    /// What stands for each value in the copy that is being made: the value itself, if none of its blocks defines it.
    twins: Arena<Value, Value>,
    /// Each value that has been copied, with its twin and the block of that.
    made: Vec<(Value, Block, Value)>,
    /// The first of the blocks that were copied together with a block.
    region: Arena<Block, Option<Block>>,
}

impl Twins {
    /// For copies of blocks of a function as it is now.
    pub fn new(f: &Function) -> Twins {
        Twins { twins: f.values.keys().collect(), made: Vec::new(), region: Arena::filled(&f.blocks, None) }
    }

    /// Copies blocks, which are given in an order in which definitions come before uses. The copies are in no layout
    /// yet, and none of the blocks is a copy that this has made. What is copied once together always is.
    pub fn copy(&mut self, f: &mut Function, list: &[Block]) -> Copies {
        let Twins { twins, made, region } = self;
        let before = made.len();
        let mut copies = Copies::new();
        f.reserve(list.iter().map(|&block| f.blocks[block].insts.len()).sum());
        for &block in list {
            let copy = f.blocks.push(Default::default());
            f.blocks[copy].unroll = f.blocks[block].unroll;
            copies.insert(block, copy);
            region[block] = list.first().copied();
            for param in f.blocks[block].params.clone() {
                let ty = f.ty(param);
                twins[param] = f.add_param(copy, ty);
                made.push((param, copy, twins[param]));
            }
        }
        for &block in list {
            let copy = copies[&block];
            let size = f.blocks[block].insts.len();
            f.blocks[copy].insts.reserve(size);
            for at in 0..size {
                let inst = f.blocks[block].insts[at];
                let mut data = f.insts[inst].clone();
                data.map_operands(|v| twins[v]);
                for call in data.targets_mut() {
                    call.block = copies.get(&call.block).copied().unwrap_or(call.block);
                }
                let twin = f.append(copy, data, f.locs[inst]);
                if f.insts.is_settled(inst) {
                    f.insts.settle(twin);
                }
                if let (Some(old), Some(new)) = (f.result(inst), f.result(twin)) {
                    twins[old] = new;
                    made.push((old, copy, new));
                }
            }
        }
        // Another copy that uses one of these values uses the original.
        made[before..].iter().for_each(|&(value, ..)| twins[value] = value);
        copies
    }

    /// Leads each use of a value that has copies to the definition that reaches it.
    pub fn repair(self, f: &mut Function) {
        cfg::remove_unreachable(f);
        let home = self.homes(f);
        let uses = self.uses(f, &home);
        if !uses.is_empty() {
            self.rename(f, &home, &uses);
        }
        f.resolve_aliases();
    }

    /// The block that defines each value that has copies.
    fn homes(&self, f: &Function) -> Arena<Value, Option<Block>> {
        let mut home = Arena::filled(&f.values, None);
        for (block, _) in self.region.iter().filter(|(_, region)| region.is_some()) {
            let results = f.blocks[block].insts.iter().filter_map(|&inst| f.result(inst));
            f.blocks[block].params.iter().copied().chain(results).for_each(|v| home[v] = Some(block));
        }
        home
    }

    /// What uses such values in blocks that were not copied with them.
    fn uses(&self, f: &Function, home: &Arena<Value, Option<Block>>) -> Vec<Use> {
        let mut uses: Vec<Use> = Vec::new();
        for &block in &f.order {
            let region = self.region.get(block).copied().flatten();
            for &inst in &f.blocks[block].insts {
                let first = uses.len();
                f.insts[inst].for_each_operand(|value| {
                    let escapes = home[value].is_some_and(|home| self.region[home] != region);
                    if escapes && uses[first..].iter().all(|seen| seen.value != value) {
                        uses.push(Use { block, inst, value });
                    }
                });
            }
        }
        uses
    }

    fn rename(&self, f: &mut Function, home: &Arena<Value, Option<Block>>, uses: &[Use]) {
        let mut var_of = Arena::filled(&f.values, None);
        let (mut types, mut effects) = (Vec::new(), Vec::new());
        let mut steps = Arena::filled(&f.blocks, Vec::new());
        // Values that each block defines: those of copies, and the originals.
        let mut defined = Vec::new();
        for &Use { block, inst, value } in uses {
            let var = *var_of[value].get_or_insert_with(|| {
                debug_assert!(!matches!(f.values[value].def, ValueDef::Alias(_)));
                defined.extend(home[value].map(|home| (value, home, value)));
                types.push(f.ty(value));
                types.len() - 1
            });
            effects.push((var, block, Effect::Needs));
            steps[block].push(Step::Use(inst, var, value));
        }
        defined.extend(self.made.iter().filter(|(original, ..)| var_of[*original].is_some()));
        let mut is_placed = Arena::filled(&f.blocks, false);
        f.order.iter().for_each(|&block| is_placed[block] = true);
        for (original, block, value) in defined.into_iter().filter(|&(_, block, _)| is_placed[block]) {
            if let Some(var) = var_of[original] {
                effects.push((var, block, Effect::Writes));
                steps[block].push(Step::Define(var, value));
            }
        }
        ssa::construct(f, types, effects, |f, block, vars| {
            for step in &steps[block] {
                match *step {
                    Step::Define(var, value) => vars.write(var, value),
                    Step::Use(inst, var, original) => {
                        let value = vars.read(f, var);
                        f.insts.map_operands(inst, |v| if v == original { value } else { v });
                    }
                }
            }
        });
    }
}

/// An instruction that uses a value that has copies.
struct Use {
    block: Block,
    inst: Inst,
    value: Value,
}

/// What a block does to a value that has copies. No block both uses and defines one.
#[derive(Clone)]
enum Step {
    /// The instruction uses the variable, as this value.
    Use(Inst, usize, Value),
    /// This is its definition here.
    Define(usize, Value),
}

/// Puts blocks into the layout, each list after a block of its own.
pub fn place(f: &mut Function, lists: &[(Block, Vec<Block>)]) {
    let mut following = Arena::filled(&f.blocks, None);
    for (index, (after, _)) in lists.iter().enumerate() {
        following[*after] = Some(index);
    }
    let order = std::mem::take(&mut f.order);
    f.order.reserve(order.len() + lists.len());
    for block in order {
        f.order.push(block);
        if let Some(index) = following[block] {
            f.order.extend(&lists[index].1);
        }
    }
}
