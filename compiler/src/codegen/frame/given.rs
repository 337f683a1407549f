//! What calls do with the addresses that they are given.
//!
//! In: a module as code is made from it. Static functions whose bodies are here, and helpers, may be known not
//! to put an address that they were given into memory that they were given, and not to return one. For all
//! others both are possible. As in [`access`](super::access), parts of addresses are numbers.
//! Cost: linear, times the depth of the calls.

use skep_stdlib::helpers::{Arg, Helper};

use crate::codegen::mir;
use crate::ir::{Arena, Callee, Function, InstData, Intrinsic, Module, SymbolId, SymbolKind, Type, Value};

/// Definitions that a value is followed through; one behind more may be anything.
const DEPTH: u32 = 8;

/// What a function may do with addresses that it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effect {
    /// Puts one into memory that another leads to.
    pub stores: bool,
    /// Returns one.
    pub returns: bool,
}

impl Effect {
    const ANY: Effect = Effect { stores: true, returns: true };
    const NONE: Effect = Effect { stores: false, returns: false };
}

/// The effects of a module's functions.
pub struct Given(Arena<SymbolId, Effect>);

impl Given {
    /// Analyses the functions that only this module calls.
    pub fn new(module: &Module) -> Given {
        let mut given = Given(Arena::filled(&module.symbols, Effect::ANY));
        let is_local = |symbol| matches!(&module.symbols[symbol].kind, SymbolKind::Func(func) if func.local);
        let known: Vec<&Function> = module.functions.iter().filter(|f| is_local(f.symbol)).collect();
        known.iter().for_each(|f| given.0[f.symbol] = Effect::NONE);
        // Effects only grow, also those of functions that call each other.
        let mut changed = true;
        while std::mem::take(&mut changed) {
            for f in &known {
                let effect = given.effect(f);
                changed |= std::mem::replace(&mut given.0[f.symbol], effect) != effect;
            }
        }
        given
    }

    /// What a call may do.
    pub fn of(&self, callee: mir::Callee) -> Effect {
        match callee {
            mir::Callee::Func(symbol) => self.0[symbol],
            mir::Callee::Helper(id) => u32::try_from(id).map_or(Effect::ANY, helper),
        }
    }

    fn effect(&self, f: &Function) -> Effect {
        let mut effect = Effect::NONE;
        for data in f.order.iter().flat_map(|&block| &f.blocks[block].insts).map(|&inst| &f.insts[inst]) {
            effect.stores |= self.stores(f, data);
            if let InstData::Return { value: Some(value) } = *data {
                effect.returns |= self.may_be_given(f, value, None, DEPTH);
            }
        }
        effect
    }

    fn stores(&self, f: &Function, data: &InstData) -> bool {
        match *data {
            InstData::Store { value, base, .. }
            | InstData::AtomicRmw { value, base, .. }
            | InstData::AtomicCmpXchg { new: value, base, .. } => {
                !is_own(f, base) && self.may_be_given(f, value, Some(base), DEPTH)
            }
            InstData::Call { callee: Callee::Func(symbol), .. } => self.0[symbol].stores,
            InstData::Call { callee: Callee::Helper(id), .. } => helper(id).stores,
            InstData::Intrinsic { op: Intrinsic::Memcpy | Intrinsic::Memmove, ref args, .. } => {
                args.first().is_none_or(|&to| !is_own(f, to))
            }
            InstData::Call { callee: Callee::Indirect(_), .. } | InstData::Asm { .. } => true,
            _ => false,
        }
    }

    /// May the value lead to memory that the function was given, other than that which `base` leads to?
    fn may_be_given(&self, f: &Function, value: Value, base: Option<Value>, depth: u32) -> bool {
        if !matches!(f.ty(value), Type::Ptr | Type::I64) {
            return false;
        }
        let (Some(data), Some(depth)) = (f.def(value), depth.checked_sub(1)) else { return true };
        match *data {
            // What is there already.
            InstData::Load { base: from, .. } if Some(from) == base => false,
            InstData::Const { .. }
            | InstData::SymbolAddr { .. }
            | InstData::SlotAddr { .. }
            | InstData::Core { .. }
            | InstData::Unary { .. }
            | InstData::Compare { .. } => false,
            InstData::Call { callee: Callee::Helper(id), .. } => helper(id).returns,
            InstData::Call { callee: Callee::Func(symbol), .. } => self.0[symbol].returns,
            InstData::Binary { .. }
            | InstData::PtrAdd { .. }
            | InstData::Convert { .. }
            | InstData::Select { .. } => {
                let mut any = false;
                data.for_each_operand(|operand| any = any || self.may_be_given(f, operand, base, depth));
                any
            }
            _ => true,
        }
    }
}

/// A helper forgets what it is given, but a callback that is handed one address may put others there that it
/// finds there.
fn helper(id: u32) -> Effect {
    let known = Helper::from_id(id);
    known.map_or(Effect::ANY, |row| Effect { stores: row.args.contains(&Arg::Callback), returns: false })
}

/// Does the address lead into the function's own frame?
fn is_own(f: &Function, mut address: Value) -> bool {
    loop {
        match f.def(address) {
            Some(InstData::SlotAddr { .. }) => return true,
            Some(InstData::PtrAdd { base, .. }) => address = *base,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, Given};
    use crate::ir::parse;

    const COUNTS: &str = "block0(v0: ptr, v1: ptr):\n  v2 = load.i64 v0 align 8\n  v3 = iconst.i64 1\n  \
         v4 = add v2, v3\n  store.i64 v4, v0 align 8\n  return\n";

    /// The effect of the first function.
    fn effect(symbols: &str, result: &str, body: &str) -> Effect {
        let text =
            format!("func @f(ptr, ptr){result} local\n{symbols}function @f(ptr, ptr){result} {{\n{body}}}\n");
        let module = parse(&text).expect("the module is valid");
        let first = module.functions.first().expect("there is a function");
        Given::new(&module).0[first.symbol]
    }

    #[test]
    fn what_stays_where_it_is_goes_nowhere() {
        assert_eq!(effect("", "", COUNTS), Effect::NONE);
        // The same, but with what another pointer leads to.
        let moves = COUNTS.replace("store.i64 v4, v0", "store.i64 v4, v1");
        assert!(effect("", "", &moves).stores);
        let half = moves.replace("store.i64 v4, v1 align 8", "v5 = trunc.i32 v4\n  store.i32 v5, v1 align 4");
        assert_eq!(effect("", "", &half), Effect::NONE);
    }

    #[test]
    fn an_address_is_returned_or_is_not() {
        let returned = "block0(v0: ptr, v1: ptr):\n  v2 = iconst.i64 8\n  v3 = ptr_add v0, v2\n  return v3\n";
        assert_eq!(effect("", " -> ptr", returned), Effect { stores: false, returns: true });
        let part = returned.replace("return v3", "v4 = trunc.i32 v3\n  return v4");
        assert_eq!(effect("", " -> i32", &part), Effect::NONE);
    }

    #[test]
    fn what_is_called_does_it_too() {
        let calls = "block0(v0: ptr, v1: ptr):\n  call @g(v0, v1)\n  return\n";
        assert_eq!(effect("func @g(ptr, ptr)\n", "", calls), Effect { stores: true, returns: false });
        // bpf_loop hands the address to a function.
        let helper = |id| {
            format!(
                "block0(v0: ptr, v1: ptr):\n  v2 = iconst.i64 0\n  \
                 v3 = call helper {id}(v2, v1, v0, v2) -> i64\n  return\n"
            )
        };
        assert!(effect("", "", &helper(181)).stores);
        assert!(!effect("", "", &helper(4)).stores);
    }
}
