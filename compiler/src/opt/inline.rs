//! inline: calls become the code of the callee.
//!
//! ```text
//!   v3 = call @twice(v1)        v9 = add v1, v1
//!   return v3              ->   jump block7(v9)
//!                             block7(v3'):
//!                               return v3'
//! ```
//!
//! Always inlined: `always_inline`, callees with more than five parameters. From `-O1` on: the only
//! call of a static function, and small functions. Never: weak and `noinline` functions, recursion.
//! Callees come before their callers, so what is copied is optimised already; pointers to functions
//! that become constant in a caller are inlined in its next round.
//! Preserves: everything; each copied instruction keeps its place with the call appended to its chain.
//! The kernel's verifier still accepts: it checks the same code with more precise arguments.
//! Cost: linear in the code that is copied, bounded by [`GROWTH`] instructions for each function.

use std::cell::RefCell;

use super::Options;
use super::edit;
use super::globals::References;
use crate::hash::LookupMap;
use crate::ir::{
    Arena, Block, BlockCall, Callee, FuncSymbol, Function, Inst, InstData, LocData, Module, Remark, Slot,
    SrcLoc, SymbolId, Value, ValueDef,
};

/// A static callee of at most this many instructions that become code is small.
const SMALL: usize = 30;

/// The same for functions with external linkage, what a call costs included: where clang draws the line. The
/// kernel verifies such a function on its own, where it knows nothing of the arguments, and may take
/// only its inlined copies.
const SMALL_GLOBAL: usize = 55;

/// A callee of at most this many instructions is as small as a call of it: what `-Os` inlines.
const TINY: usize = 8;

/// What a call costs besides its arguments in a function with external linkage: it destroys six
/// registers.
const CALL: usize = 5;

/// The only call of a static function is inlined up to this size.
const SINGLE: usize = 5_000;

/// A function that has grown beyond this only inlines what it must.
const GROWTH: usize = 50_000;

/// A function that has grown beyond this is not made larger at all: it cannot be loaded anyway, and
/// functions that call each other twice grow exponentially.
const HUGE: usize = 400_000;

/// Real calls pass this many arguments.
const REGISTERS: usize = 5;

/// What the decision needs of all functions.
pub struct Decision<'a> {
    /// The options.
    pub options: &'a Options,
    /// How often each symbol is named in the module.
    pub references: &'a References,
    /// Functions that are optimised already and not being worked on.
    pub ready: &'a dyn Fn(SymbolId) -> bool,
    /// Where remarks go, if they are wanted.
    pub remarks: &'a RefCell<Vec<Remark>>,
}

impl Decision<'_> {
    fn remark(&self, loc: SrcLoc, missed: bool, message: impl FnOnce() -> String) {
        if self.options.remarks {
            self.remarks.borrow_mut().push(Remark { loc, pass: "inline", missed, message: message() });
        }
    }
}

/// Inlines what should be into one function. Returns whether there was any.
pub fn run(module: &mut Module, index: usize, decision: &Decision<'_>) -> bool {
    if module.functions[index].callees().next().is_none() {
        return false;
    }
    let mut f = std::mem::replace(&mut module.functions[index], placeholder());
    let mut changed = false;
    let mut block_index = 0;
    let mut size = edit::size(&f);
    while let Some(&block) = f.order.get(block_index) {
        let site = f.blocks[block].insts.iter().position(|&inst| {
            let InstData::Call { callee: Callee::Func(symbol), args, ret } = &f.insts[inst] else {
                return false;
            };
            wanted(module, &f, *symbol, size, decision)
                && module.definition(*symbol).is_some_and(|callee| {
                    callee.sig.ret == *ret
                        && callee.sig.params.iter().zip(args).all(|(&ty, &arg)| ty == f.ty(arg))
                        && callee.sig.params.len() == args.len()
                })
        });
        if let Some(at) = site
            && let InstData::Call { callee: Callee::Func(symbol), args, .. } =
                f.insts[f.blocks[block].insts[at]].clone()
            && let Some(position) = module.functions.position(symbol)
        {
            let name = |symbol: SymbolId| &module.symbols[symbol].name;
            decision.remark(f.locs[f.blocks[block].insts[at]], false, || {
                format!("'{}' inlined into '{}'", name(symbol), name(f.symbol))
            });
            // Calls copied from the callee were not wanted there, and are not looked at again.
            block_index += splice(&mut f, block, at, &module.functions[position], &args, &mut module.locs);
            size += edit::size(&module.functions[position]);
            changed = true;
        } else {
            block_index += 1;
        }
    }
    f.resolve_aliases();
    if !changed && decision.options.remarks {
        missed(module, &f, decision);
    }
    module.functions[index] = f;
    changed
}

/// Says of the calls that stay why they do.
fn missed(module: &Module, f: &Function, decision: &Decision<'_>) {
    for &inst in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
        let InstData::Call { callee: Callee::Func(symbol), .. } = f.insts[inst] else { continue };
        let name = |symbol: SymbolId| &module.symbols[symbol].name;
        let why = match (module.func(symbol), module.definition(symbol)) {
            (_, None) => "because its definition is unavailable".to_string(),
            (Some(func), _) if func.weak => "because another object may replace it".to_string(),
            (Some(func), _) if func.noinline => "because it should never be inlined".to_string(),
            (_, Some(_)) if symbol == f.symbol => "because it calls itself".to_string(),
            (_, Some(_)) if decision.options.no_inline || decision.options.level == 0 => {
                "because inlining is off".to_string()
            }
            (_, Some(callee)) => format!("because too costly to inline (cost={})", weight(callee, 2)),
        };
        decision.remark(f.locs[inst], true, || {
            format!("'{}' not inlined into '{}' {why}", name(symbol), name(f.symbol))
        });
    }
}

/// Stands in the module for the function that is being worked on.
fn placeholder() -> Function {
    let nobody = SymbolId::from_index(u32::MAX as usize);
    Function::new(nobody, crate::ir::Signature::default())
}

fn wanted(
    module: &Module,
    caller: &Function,
    symbol: SymbolId,
    size: usize,
    decision: &Decision<'_>,
) -> bool {
    let Some(func) = module.func(symbol) else { return false };
    let Some(callee) = module.definition(symbol) else { return false };
    if func.weak || symbol == caller.symbol || !(decision.ready)(symbol) || size > HUGE {
        return false;
    }
    if func.always_inline {
        return true;
    }
    if func.noinline {
        return false;
    }
    if callee.sig.params.len() > REGISTERS {
        return true;
    }
    if decision.options.no_inline || decision.options.level == 0 || size > GROWTH {
        return false;
    }
    let once = is_named_once(func, symbol, decision.references);
    let size = decision.options.size;
    let small = if func.local {
        weight(callee, 2) <= if size { TINY } else { SMALL }
    } else {
        let limit = if size { TINY } else { SMALL_GLOBAL };
        weight(callee, CALL) <= limit + callee.sig.params.len()
    };
    small || (once && weight(callee, 2) <= SINGLE)
}

/// Does one place of this module name the function, and nothing outside of it?
fn is_named_once(func: &FuncSymbol, symbol: SymbolId, references: &References) -> bool {
    func.local && !func.keep && references.count(symbol) == 1
}

/// Will the function be part of the only function that names it, and not be any more by itself? It may still double
/// by what is inlined into it before that.
pub fn is_part(module: &Module, index: usize, references: &References, options: &Options) -> bool {
    let f = &module.functions[index];
    let Some(func) = module.func(f.symbol) else { return false };
    let may = func.always_inline || !(func.noinline || options.no_inline || options.level == 0);
    let once = !func.weak && is_named_once(func, f.symbol, references);
    once && may && weight(f, 2) <= SINGLE / 2
}

/// How many instructions become code, roughly, when a call counts as `call` more than its arguments.
fn weight(f: &Function, call: usize) -> usize {
    let weight = |data: &InstData| match data {
        InstData::Call { args, .. } => call + args.len(),
        other => edit::cost(other),
    };
    f.order.iter().flat_map(|&block| &f.blocks[block].insts).map(|&inst| weight(&f.insts[inst])).sum()
}

/// Ids of the callee's entities in the caller.
struct Copy<'a> {
    callee: &'a Function,
    call: SrcLoc,
    values: Arena<Value, Option<Value>>,
    blocks: Arena<Block, Block>,
    slots: Arena<Slot, Option<Slot>>,
    locs: LookupMap<SrcLoc, SrcLoc>,
    /// The place that was asked for last: neighbours often have the same.
    last: (SrcLoc, SrcLoc),
}

/// Replaces the call at a position by the callee's blocks. Returns how many blocks of the layout
/// need no second look.
fn splice(
    f: &mut Function,
    block: Block,
    at: usize,
    callee: &Function,
    args: &[Value],
    locs: &mut Arena<SrcLoc, LocData>,
) -> usize {
    let tail = f.blocks[block].insts.split_off(at);
    let (call, rest) = (tail[0], &tail[1..]);
    let mut copy = Copy {
        callee,
        call: f.locs[call],
        values: Arena::filled(&callee.values, None),
        blocks: Arena::filled(&callee.blocks, block),
        slots: Arena::filled(&callee.slots, None),
        locs: LookupMap::default(),
        last: (SrcLoc::NONE, f.locs[call]),
    };
    for (id, slot) in callee.slots.iter().filter(|(_, slot)| slot.size > 0) {
        let loc = copy.loc(slot.loc, locs);
        copy.slots[id] = Some(f.slots.push(crate::ir::SlotData { loc, ..slot.clone() }));
    }
    let mut order = Vec::new();
    for &source in &callee.order {
        let target = f.blocks.push(Default::default());
        f.blocks[target].unroll = callee.blocks[source].unroll;
        copy.blocks[source] = target;
        order.push(target);
        if source != callee.entry() {
            for &param in &callee.blocks[source].params {
                copy.values[param] = Some(f.add_param(target, callee.ty(param)));
            }
        }
    }
    for (&param, &arg) in callee.blocks[callee.entry()].params.iter().zip(args) {
        copy.values[param] = Some(arg);
    }
    let after = f.blocks.push(Default::default());
    if let Some(result) = f.result(call) {
        let param = f.add_param(after, f.ty(result));
        f.replace(result, param);
    }
    f.blocks[after].insts = rest.to_vec();
    f.reserve(edit::size(callee));
    copy.body(f, after, locs);
    let entry = order[0];
    f.append(block, InstData::Jump { target: BlockCall::to(entry) }, copy.call);
    let place = f.order.iter().position(|&b| b == block).unwrap_or(0) + 1;
    let skip = order.len() + 1;
    order.push(after);
    f.order.splice(place..place, order);
    skip
}

impl Copy<'_> {
    /// Copies instructions. A use may come before its definition in layout order, but not in this one.
    fn body(&mut self, f: &mut Function, after: Block, locs: &mut Arena<SrcLoc, LocData>) {
        for block in crate::ir::flow::reverse_post_order(self.callee) {
            let target = self.blocks[block];
            f.blocks[target].insts.reserve(self.callee.blocks[block].insts.len());
            for &source in &self.callee.blocks[block].insts {
                let old = self.callee.locs[source];
                if old != self.last.0 {
                    self.last = (old, self.loc(old, locs));
                }
                let loc = self.last.1;
                let data = self.translate(f, &self.callee.insts[source], after);
                let inst = f.append(target, data, loc);
                if self.callee.insts.is_settled(source) && !self.is_given(source) {
                    f.insts.settle(inst);
                }
                if let (Some(old), Some(new)) = (self.callee.result(source), f.result(inst)) {
                    self.values[old] = Some(new);
                }
            }
        }
        // Unreachable blocks of the callee still need a terminator.
        for &source in &self.callee.order {
            let target = self.blocks[source];
            if f.blocks[target].insts.is_empty() && !self.callee.blocks[source].insts.is_empty() {
                f.append(target, InstData::Unreachable, self.call);
            }
        }
    }

    /// Does an instruction of the callee use what the call passes?
    fn is_given(&self, inst: Inst) -> bool {
        let mut given = false;
        self.callee.insts[inst].for_each_operand(|v| {
            given |= matches!(self.callee.values[v].def, ValueDef::Param(block, _) if block == self.callee.entry());
        });
        given
    }

    fn translate(&self, f: &Function, data: &InstData, after: Block) -> InstData {
        let mut data = data.clone();
        // In reverse post-order definitions come before uses; the entry's values come from the call.
        data.map_operands(|v| self.values[self.callee.resolve(v)].unwrap_or(v));
        for call in data.targets_mut() {
            call.block = self.blocks[call.block];
        }
        match &mut data {
            InstData::SlotAddr { slot, .. } => *slot = self.slots[*slot].unwrap_or(*slot),
            InstData::Return { value } => {
                let wanted = f.blocks[after].params.len();
                let args = value.iter().copied().take(wanted).collect();
                data = InstData::Jump { target: BlockCall { block: after, args } };
            }
            _ => {}
        }
        data
    }

    /// The place with the call at the end of its chain.
    fn loc(&mut self, loc: SrcLoc, locs: &mut Arena<SrcLoc, LocData>) -> SrcLoc {
        if loc == SrcLoc::NONE || self.call == SrcLoc::NONE {
            return if loc == SrcLoc::NONE { self.call } else { loc };
        }
        if let Some(&known) = self.locs.get(&loc) {
            return known;
        }
        let LocData { span, inlined_at } = locs[loc];
        let outer = match inlined_at {
            None => self.call,
            Some(outer) => self.loc(outer, locs),
        };
        let new = locs.push(LocData { span, inlined_at: Some(outer) });
        self.locs.insert(loc, new);
        new
    }
}

/// Functions, callees before their callers where there is no cycle.
pub fn bottom_up(module: &Module) -> Vec<usize> {
    let callees: Vec<Vec<usize>> = module
        .functions
        .iter()
        .map(|f| {
            let mut named: Vec<usize> =
                f.named().filter_map(|symbol| module.functions.position(symbol)).collect();
            named.dedup();
            named
        })
        .collect();
    let mut order = Vec::new();
    let mut seen = vec![false; callees.len()];
    for root in 0..callees.len() {
        let mut stack = vec![(root, 0)];
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        while let Some((at, next)) = stack.pop() {
            match callees[at].get(next) {
                Some(&callee) => {
                    stack.push((at, next + 1));
                    if !std::mem::replace(&mut seen[callee], true) {
                        stack.push((callee, 0));
                    }
                }
                None => order.push(at),
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use skep_syntax::source::Span;

    use crate::ir::parse;
    use crate::ir::verify::{self, verify_module};
    use crate::opt::testing::{assert_same, generate};
    use crate::opt::{self, Options};

    #[test]
    fn the_chain_of_calls_is_kept() {
        let text = "loc1 = 10..14\nloc2 = 20..24\nloc3 = 30..34\n\
            func @inner(ptr) local always_inline\nfunc @outer(ptr) local always_inline\nfunc @top(ptr) keep\n\
            function @inner(ptr) {\nblock0(v0: ptr):\n  v1 = iconst.i32 1 !loc1\n  store.i32 v1, v0 align 4 !loc1\n  return !loc1\n}\n\
            function @outer(ptr) {\nblock0(v0: ptr):\n  call @inner(v0) !loc2\n  return !loc2\n}\n\
            function @top(ptr) {\nblock0(v0: ptr):\n  call @outer(v0) !loc3\n  return !loc3\n}\n";
        let mut module = parse(text).expect("the text parses");
        opt::run(&mut module, &Options::default(), &mut |_, _, _| {});
        assert_eq!(module.functions.len(), 1);
        let f = &module.functions[0];
        let store = f.blocks[f.entry()]
            .insts
            .iter()
            .find(|&&i| matches!(f.insts[i], crate::ir::InstData::Store { .. }));
        let mut loc = f.locs[*store.expect("the store is there")];
        let mut chain: Vec<Span> = Vec::new();
        loop {
            chain.push(module.locs[loc].span);
            match module.locs[loc].inlined_at {
                Some(at) => loc = at,
                None => break,
            }
        }
        let starts: Vec<u32> = chain.iter().map(|span| span.lo.raw()).collect();
        assert_eq!(starts, [10, 20, 30]);
    }

    #[test]
    fn recursion_stays_a_call() {
        let text = "func @even(i32) -> i32 local always_inline\nfunc @odd(i32) -> i32 local always_inline\nfunc @top(i32) -> i32 keep\n\
            function @even(i32) -> i32 {\nblock0(v0: i32):\n  v1 = call @odd(v0) -> i32\n  return v1\n}\n\
            function @odd(i32) -> i32 {\nblock0(v0: i32):\n  v1 = call @even(v0) -> i32\n  return v1\n}\n\
            function @top(i32) -> i32 {\nblock0(v0: i32):\n  v1 = call @odd(v0) -> i32\n  return v1\n}\n";
        let mut module = parse(text).expect("the text parses");
        opt::run(&mut module, &Options::default(), &mut |_, _, _| {});
        verify_module(&module, verify::Options::default()).expect("the module is valid");
    }

    #[test]
    fn inlining_alone_keeps_the_meaning() {
        for seed in 1..200 {
            let before = generate::module(seed);
            let mut after = before.clone();
            let references = opt::globals::References::new(&after);
            let options = Options::default();
            for index in super::bottom_up(&before) {
                let ready = |symbol| symbol != before.functions[index].symbol;
                let remarks = std::cell::RefCell::default();
                let decision = super::Decision {
                    options: &options,
                    references: &references,
                    ready: &ready,
                    remarks: &remarks,
                };
                super::run(&mut after, index, &decision);
            }
            if let Err(broken) = verify_module(&after, verify::Options::default()) {
                panic!("seed {seed}: {broken}");
            }
            assert_same(&before, &after, seed, false);
        }
    }
}
