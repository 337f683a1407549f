//! Arguments that every call passes alike become constants of the callee.
//!
//! ```text
//! function @hash(ptr, i32):  block0(v0, v1)            block0(v0, v1):  v9 = iconst.i32 32
//!   ... v1 ...                                   ->      ... v9 ...
//! call @hash(v4, 32)   call @hash(v7, 32)              (the calls stay as they are)
//! ```
//!
//! In: a module whose functions hold their locals in values. Only static functions whose address
//! nobody takes: all their calls are known. The signature stays, so BTF describes what C says.
//! Preserves: everything; a function that is never called keeps its parameters.
//! The kernel's verifier still accepts: it walks a static function anew for every call, with the
//! constant that is passed; what became shorter is what it would have walked.
//! Cost: linear in the instructions.

use std::collections::{BTreeMap, BTreeSet};

use crate::ir::{Callee, Function, InstData, Module, SrcLoc, SymbolId, SymbolKind, Value};

/// What the calls seen so far pass for a parameter.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Passed {
    Nothing,
    Constant(u64),
    Symbol(SymbolId, i64),
    Different,
}

impl Passed {
    fn of(f: &Function, arg: Value) -> Passed {
        match f.def(arg) {
            Some(InstData::Const { ty, value }) => Passed::Constant(value & ty.mask()),
            Some(InstData::SymbolAddr { symbol, offset }) => Passed::Symbol(*symbol, *offset),
            _ => Passed::Different,
        }
    }

    fn join(self, other: Passed) -> Passed {
        match (self, other) {
            (Passed::Nothing, other) => other,
            (one, other) if one == other => one,
            _ => Passed::Different,
        }
    }
}

/// Makes such parameters constants. Returns the symbols of the functions that changed.
pub fn run(module: &mut Module) -> Vec<SymbolId> {
    let mut passed = candidates(module);
    for f in &module.functions {
        for &inst in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
            match &f.insts[inst] {
                InstData::Call { callee: Callee::Func(symbol), args, .. } => {
                    // What a recursive call passes on is what the other calls pass.
                    let own = *symbol == f.symbol;
                    if let Some(params) = passed.get_mut(symbol) {
                        for (at, (param, &arg)) in params.iter_mut().zip(args).enumerate() {
                            let same = own && f.blocks[f.entry()].params.get(at) == Some(&f.resolve(arg));
                            *param = if same { *param } else { param.join(Passed::of(f, arg)) };
                        }
                    }
                }
                InstData::SymbolAddr { symbol, .. } => {
                    passed.remove(symbol);
                }
                _ => {}
            }
        }
    }
    let mut changed = Vec::new();
    for f in &mut module.functions {
        if let Some(params) = passed.get(&f.symbol)
            && apply(f, params)
        {
            changed.push(f.symbol);
        }
    }
    changed
}

/// Static functions all of whose calls are known.
pub fn known(module: &Module) -> BTreeSet<SymbolId> {
    let mut known: BTreeSet<SymbolId> = candidates(module).into_keys().collect();
    for f in &module.functions {
        for &inst in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
            if let InstData::SymbolAddr { symbol, .. } = &f.insts[inst] {
                known.remove(symbol);
            }
        }
    }
    known
}

/// Static functions whose calls are all in the module, as far as their symbols tell.
fn candidates(module: &Module) -> BTreeMap<SymbolId, Vec<Passed>> {
    let mut found = BTreeMap::new();
    for f in &module.functions {
        if module.func(f.symbol).is_some_and(|func| func.local && !func.keep && !func.weak && !func.naked) {
            found.insert(f.symbol, vec![Passed::Nothing; f.sig.params.len()]);
        }
    }
    for symbol in module.symbols.values() {
        if let SymbolKind::Data(data) = &symbol.kind {
            for (_, named, _) in &data.addresses {
                found.remove(named);
            }
        }
    }
    found
}

/// Replaces the uses of the parameters for which one thing is passed.
fn apply(f: &mut Function, params: &[Passed]) -> bool {
    let entry = f.entry();
    let mut changed = false;
    for (param, passed) in f.blocks[entry].params.clone().into_iter().zip(params) {
        let ty = f.ty(param);
        let data = match *passed {
            Passed::Constant(value) => InstData::Const { ty, value },
            Passed::Symbol(symbol, offset) => InstData::SymbolAddr { symbol, offset },
            Passed::Nothing | Passed::Different => continue,
        };
        let mut used = false;
        for &inst in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
            f.insts[inst].for_each_operand(|v| used |= v == param);
        }
        if f.result_type(&data) != Some(ty) || !used {
            continue;
        }
        let inst = f.make_inst(data, SrcLoc::NONE);
        let Some(with) = f.result(inst) else { continue };
        for &user in f.order.iter().flat_map(|&block| &f.blocks[block].insts) {
            f.insts.map_operands(user, |v| if v == param { with } else { v });
        }
        f.blocks[entry].insts.insert(0, inst);
        changed = true;
    }
    changed
}

#[cfg(test)]
mod tests {
    use crate::opt::testing::after_module_pass;

    const TEXT: &str = "func @callee(i32, i32) -> i32 local noinline\nfunc @f(i32) -> i32 keep\n\
        function @callee(i32, i32) -> i32 {\nblock0(v0: i32, v1: i32):\n  v2 = mul v0, v1\n  return v2\n}\n\
        function @f(i32) -> i32 {\nblock0(v0: i32):\n  v1 = iconst.i32 7\n  v2 = call @callee(v0, v1) -> i32\n\
        v3 = call @callee(v2, v1) -> i32\n  return v3\n}\n";

    fn after(text: &str) -> String {
        after_module_pass(text, super::run)
    }

    #[test]
    fn what_all_calls_pass_is_constant_in_the_callee() {
        let out = after(TEXT);
        assert!(!out.contains("mul v0, v1") && out.matches("iconst.i32 7").count() == 2, "{out}");
    }

    #[test]
    fn a_function_that_others_may_call_keeps_its_parameters() {
        let out = after(&TEXT.replace("local noinline", "keep noinline"));
        assert!(out.contains("mul v0, v1"), "{out}");
    }

    #[test]
    fn different_arguments_stay() {
        let text = TEXT.replace("v3 = call @callee(v2, v1)", "v3 = call @callee(v2, v0)");
        assert!(after(&text).contains("mul v0, v1"));
    }
}
