//! Variables that several blocks write become values: where their values meet, a block gets a parameter.
//!
//! In: which blocks write and need which variables, and a closure that shows what each block does to them.
//! Out: the function in SSA form, with as few parameters as its dominance frontiers and liveness allow.
//! Used by mem2reg, whose variables are stack slots, and by copies of blocks, whose variables are the values that
//! have a definition in each copy.
//! Invariant: all blocks are reachable. What no block has written reads as 0; where a path without a write joins
//! one with a write, the written value wins if it is available.
//! Cost: linear in what blocks do plus the blocks in which a variable is live.

use super::edit::inst_blocks;
use crate::ir::flow::Flow;
use crate::ir::{Arena, Block, Function, Inst, InstData, SrcLoc, Type, Value, ValueDef};

/// What a block does to a variable that matters to others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Reads it before it writes it.
    Needs,
    /// Writes it.
    Writes,
}

/// The values that variables have, at the place that is being looked at.
pub struct Variables {
    types: Vec<Type>,
    current: Vec<Option<Value>>,
    /// What has been written on the way, with what was there before.
    trail: Vec<(usize, Option<Value>)>,
    /// Variables that are parameters of each block now, with the parameter.
    joins: Arena<Block, Vec<(usize, Value)>>,
    /// The constant that stands for a variable that was never written.
    undef: Vec<Option<Value>>,
}

impl Variables {
    /// The value of a variable.
    pub fn read(&mut self, f: &mut Function, var: usize) -> Value {
        if let Some(value) = self.current[var].or(self.undef[var]) {
            return value;
        }
        let inst = f.make_inst(InstData::Const { ty: self.types[var], value: 0 }, SrcLoc::NONE);
        let value = f.result(inst).expect("a constant has a result");
        self.undef[var] = Some(value);
        value
    }

    /// The variable has this value from here on.
    pub fn write(&mut self, var: usize, value: Value) {
        self.trail.push((var, self.current[var].replace(value)));
    }
}

/// Makes values of variables of these types. `visit` is shown each block once, after those that dominate it, and
/// replaces what reads a variable there by what [`Variables::read`] says.
pub fn construct(
    f: &mut Function,
    types: Vec<Type>,
    effects: Vec<(usize, Block, Effect)>,
    mut visit: impl FnMut(&mut Function, Block, &mut Variables),
) {
    let (current, undef) = (vec![None; types.len()], vec![None; types.len()]);
    let joins = Arena::filled(&f.blocks, Vec::new());
    let mut vars = Variables { types, current, trail: Vec::new(), joins, undef };
    if effects.iter().all(|&(.., effect)| effect == Effect::Writes) {
        // Each block only reads what it wrote itself, so they may come in any order.
        for at in 0..f.order.len() {
            visit(f, f.order[at], &mut vars);
        }
        return;
    }
    let flow = f.flow();
    vars.place_params(f, &flow, effects);
    vars.rename(f, &flow, visit);
    vars.prune(f, &flow);
}

impl Variables {
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
    fn rename(
        &mut self,
        f: &mut Function,
        flow: &Flow,
        mut visit: impl FnMut(&mut Function, Block, &mut Variables),
    ) {
        enum Step {
            Enter(Block),
            /// Takes back what has been written since the trail was this long.
            Leave(usize),
        }
        let mut stack = vec![Step::Enter(f.entry())];
        while let Some(step) = stack.pop() {
            let block = match step {
                Step::Enter(block) => block,
                Step::Leave(len) => {
                    for (var, before) in self.trail.drain(len..).rev() {
                        self.current[var] = before;
                    }
                    continue;
                }
            };
            let len = self.trail.len();
            for at in 0..self.joins[block].len() {
                let (var, param) = self.joins[block][at];
                self.write(var, param);
            }
            visit(f, block, self);
            self.pass_args(f, block);
            if self.trail.len() > len {
                stack.push(Step::Leave(len));
            }
            stack.extend(flow.children(block).iter().rev().map(|&child| Step::Enter(child)));
        }
        let undef = self.undef.iter().flatten();
        let at_entry: Vec<Inst> = undef
            .filter_map(|&v| match f.values[v].def {
                ValueDef::Inst(inst) => Some(inst),
                ValueDef::Param(..) | ValueDef::Alias(_) => None,
            })
            .collect();
        let entry = f.entry();
        f.blocks[entry].insts.splice(0..0, at_entry);
    }

    fn pass_args(&mut self, f: &mut Function, block: Block) {
        let Some(inst) = f.terminator(block) else { return };
        for jump in 0..f.insts[inst].targets().len() {
            let joins = std::mem::take(&mut self.joins[f.insts[inst].targets()[jump].block]);
            if joins.is_empty() {
                continue;
            }
            let passed: Vec<Value> = joins.iter().map(|&(var, _)| self.read(f, var)).collect();
            if let Some(call) = f.insts.targets_mut(inst).nth(jump) {
                self.joins[call.block] = joins;
                call.args.extend(passed);
            }
        }
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
