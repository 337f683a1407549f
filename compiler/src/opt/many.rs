//! Parameters that registers have no room for travel in the caller's frame.
//!
//! ```text
//! call @sum(v0, v1, v2, v3, v4, v5)      store.i64 v4, s0      store.i32 v5, s0+8
//!                                   ->   call @sum(v0, v1, v2, v3, slot_addr s0)
//! function @sum(i64, .., i64, i32):      function @sum(i64, i64, i64, i64, ptr):
//! block0(.., v4: i64, v5: i32)           block0(.., v6: ptr):  v4 = load.i64 v6   v5 = load.i32 v6+8
//! ```
//!
//! In: a module after inlining. A static function of more than five parameters whose calls are all known
//! loses those that it does not use; if more than five are left, all but the first four go through a slot
//! of each caller, whose address is the fifth. Others are left alone, and reported when code is made.
//! Preserves: everything; the signature that BTF describes is that of the source.
//! The kernel's verifier still accepts: it walks a static function anew for every call, and follows
//! whatever the caller stored in eight aligned bytes of its frame, pointers too.
//! Cost: linear in the instructions.

use std::collections::BTreeMap;

use thin_vec::ThinVec;

use super::arguments;
use crate::ir::{
    Block, Callee, Function, Inst, InstData, MemFlags, Module, SlotData, SrcLoc, SymbolId, SymbolKind, Type,
    Value, ValueDef,
};

/// Registers that pass arguments.
const REGISTERS: usize = 5;

/// Bytes of the frame for each parameter that has no register.
const SLOT: u32 = 8;

/// How the parameters of a function travel.
struct Passing {
    /// Those that are used, by their places in the source.
    used: Vec<usize>,
    /// So many of these have registers of their own; the others are in memory.
    direct: usize,
    types: Vec<Type>,
}

/// Changes such functions and their calls. Returns the symbols of the functions that changed.
pub fn run(module: &mut Module) -> Vec<SymbolId> {
    let known = arguments::known(module);
    let mut passing = BTreeMap::new();
    for f in &mut module.functions {
        if f.sig.params.len() > REGISTERS && known.contains(&f.symbol) {
            passing.insert(f.symbol, receive(f));
        }
    }
    for (symbol, passing) in &passing {
        if let SymbolKind::Func(func) = &mut module.symbols[*symbol].kind {
            func.sig.params = passing.types.clone();
        }
    }
    let mut changed: Vec<SymbolId> = passing.keys().copied().collect();
    if passing.is_empty() {
        return changed;
    }
    for f in &mut module.functions {
        if pass(f, &passing) && !passing.contains_key(&f.symbol) {
            changed.push(f.symbol);
        }
    }
    changed
}

/// Changes what a function receives.
fn receive(f: &mut Function) -> Passing {
    let entry = f.entry();
    let params = f.blocks[entry].params.clone();
    let mut used: Vec<usize> = Vec::new();
    for (at, &param) in params.iter().enumerate() {
        let mut named = false;
        for &inst in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
            f.insts[inst].for_each_operand(|v| named |= f.resolve(v) == param);
        }
        if named {
            used.push(at);
        }
    }
    let direct = if used.len() > REGISTERS { REGISTERS - 1 } else { used.len() };
    let mut types: Vec<Type> = used[..direct].iter().map(|&at| f.ty(params[at])).collect();
    f.blocks[entry].params = used[..direct].iter().map(|&at| params[at]).collect();
    for (place, &at) in used[..direct].iter().enumerate() {
        f.values[params[at]].def = ValueDef::Param(entry, place as u32);
    }
    if direct < used.len() {
        types.push(Type::Ptr);
        let base = f.add_param(entry, Type::Ptr);
        let loads: Vec<Inst> = used[direct..]
            .iter()
            .enumerate()
            .filter_map(|(place, &at)| {
                let ty = f.ty(params[at]);
                let flags = MemFlags { volatile: false, align: ty.bytes() };
                let offset = (place as u32 * SLOT) as i32;
                let load = f.make_inst(InstData::Load { ty, base, offset, flags }, SrcLoc::NONE);
                f.replace(params[at], f.result(load)?);
                Some(load)
            })
            .collect();
        f.resolve_aliases();
        f.blocks[entry].insts.splice(0..0, loads);
    }
    f.sig.params = types.clone();
    Passing { used, direct, types }
}

/// Changes the calls of such functions; says whether there are any.
fn pass(f: &mut Function, passing: &BTreeMap<SymbolId, Passing>) -> bool {
    let mut changed = false;
    for block in f.order.clone() {
        let mut at = 0;
        while at < f.blocks[block].insts.len() {
            let inst = f.blocks[block].insts[at];
            let called = match &f.insts[inst] {
                InstData::Call { callee: Callee::Func(symbol), args, ret } => {
                    passing.get(symbol).map(|how| (*symbol, how, args.clone(), *ret))
                }
                _ => None,
            };
            if let Some((symbol, how, args, ret)) = called {
                let mut direct: ThinVec<Value> =
                    how.used[..how.direct].iter().filter_map(|&i| args.get(i)).copied().collect();
                let in_memory: Vec<Value> =
                    how.used[how.direct..].iter().filter_map(|&i| args.get(i)).copied().collect();
                if !in_memory.is_empty() {
                    let (address, stores) = store(f, inst, &in_memory);
                    direct.push(address);
                    insert(f, block, &mut at, stores);
                }
                f.set_inst(inst, InstData::Call { callee: Callee::Func(symbol), args: direct, ret });
                changed = true;
            }
            at += 1;
        }
    }
    changed
}

fn insert(f: &mut Function, block: Block, at: &mut usize, insts: Vec<Inst>) {
    let count = insts.len();
    f.blocks[block].insts.splice(*at..*at, insts);
    *at += count;
}

/// Stores values in a slot of their own; yields its address, and the instructions that do it.
fn store(f: &mut Function, call: Inst, values: &[Value]) -> (Value, Vec<Inst>) {
    let loc = f.locs[call];
    let size = values.len() as u32 * SLOT;
    let slot = f.slots.push(SlotData { size, align: SLOT, name: String::new(), loc });
    let address = f.make_inst(InstData::SlotAddr { slot, offset: 0 }, loc);
    let base = f.result(address).expect("an address is a value");
    let mut insts = vec![address];
    for (place, &value) in values.iter().enumerate() {
        let flags = MemFlags { volatile: false, align: f.ty(value).bytes() };
        let offset = (place as u32 * SLOT) as i32;
        insts.push(f.make_inst(InstData::Store { value, base, offset, flags }, loc));
    }
    (base, insts)
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_module_pass;

    /// `@callee` has seven parameters, of which it uses those of `{body}`.
    fn after(body: &str) -> String {
        let text = format!(
            "func @callee(i64, i32, i64, i32, i64, i16, i64) -> i64 local noinline\nfunc @f(i64, i32) -> i64 keep\n\
             function @callee(i64, i32, i64, i32, i64, i16, i64) -> i64 {{\n\
             block0(v0: i64, v1: i32, v2: i64, v3: i32, v4: i64, v5: i16, v6: i64):\n{body}}}\n\
             function @f(i64, i32) -> i64 {{\nblock0(v0: i64, v1: i32):\n  v2 = iconst.i16 7\n  v3 = add v0, v0\n  \
             v4 = call @callee(v0, v1, v3, v1, v3, v2, v0) -> i64\n  \
             v5 = call @callee(v4, v1, v0, v1, v3, v2, v4) -> i64\n  return v5\n}}\n"
        );
        after_module_pass(&text, super::run)
    }

    #[test]
    fn parameters_that_are_not_used_are_not_passed() {
        let text = after("  v7 = add v0, v6\n  v8 = sub v7, v2\n  return v8\n");
        assert!(text.contains("func @callee(i64, i64, i64) -> i64"), "{text}");
        assert!(!text.contains("store"), "{text}");
    }

    #[test]
    fn parameters_beyond_the_fourth_are_in_memory() {
        let body = "  v7 = add v0, v6\n  v8 = sub v7, v2\n  v9 = zext.i64 v1\n  v10 = mul v8, v9\n  \
            v11 = zext.i64 v5\n  v12 = sub v10, v11\n  v13 = mul v12, v4\n  return v13\n";
        let text = after(body);
        assert!(text.contains("func @callee(i64, i32, i64, i64, ptr) -> i64"), "{text}");
        assert_eq!(text.matches("store").count(), 4, "{text}");
    }
}
