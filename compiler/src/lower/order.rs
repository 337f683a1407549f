//! The order of functions and variables in the object, which is that of the members of a skeleton.
//!
//! In: the symbols that each function refers to, in order. Out: symbols in the order in which clang
//! comes upon them, because people compare and exchange objects:
//!
//! 1. Functions and initialised variables that others may name, as they are defined: the function
//!    and then what it refers to; what the initialiser refers to and then the variable.
//! 2. Variables that others may name and that are only declared, as they are declared.
//! 3. Static functions and variables that were met, one after another, each followed by those that
//!    it refers to first.

use std::collections::{BTreeMap, BTreeSet};

use crate::hir::{FuncId, GlobalId, InitValue, Linkage, Module, SymbolRef};

/// The symbols that are referred to or that others may name.
pub(super) fn order(module: &Module, refs: &BTreeMap<FuncId, Vec<SymbolRef>>) -> Vec<SymbolRef> {
    let mut walk = Walk { module, refs, order: Vec::new(), seen: BTreeSet::new(), waiting: Vec::new() };
    for &(_, symbol) in &events(module, true) {
        walk.emit(symbol);
    }
    for &(_, symbol) in &events(module, false) {
        walk.meet(symbol);
    }
    walk.statics();
    walk.order
}

/// What is emitted whether or not something refers to it, in order of the source: functions and
/// variables with a body or initialiser, or variables without.
fn events(module: &Module, defined: bool) -> Vec<(u32, SymbolRef)> {
    let functions = (0..).map(FuncId).zip(&module.functions);
    let functions =
        functions.filter(|(_, f)| defined && f.body.is_some() && (is_visible(f.linkage) || f.used));
    let globals = (0..).map(GlobalId).zip(&module.globals);
    let globals = globals.filter(|(_, global)| {
        global.init.is_some() == defined && (is_visible(global.linkage) || global.used)
    });
    let mut events: Vec<(u32, SymbolRef)> = functions
        .map(|(id, function)| (function.order, SymbolRef::Func(id)))
        .chain(globals.map(|(id, global)| (global.order, SymbolRef::Global(id))))
        .collect();
    events.sort_unstable();
    events
}

fn is_visible(linkage: Linkage) -> bool {
    matches!(linkage, Linkage::Global | Linkage::Weak)
}

struct Walk<'a> {
    module: &'a Module,
    refs: &'a BTreeMap<FuncId, Vec<SymbolRef>>,
    order: Vec<SymbolRef>,
    seen: BTreeSet<SymbolRef>,
    /// Static functions and variables that were met and not emitted, the next one last.
    waiting: Vec<SymbolRef>,
}

impl Walk<'_> {
    /// A reference to a symbol.
    fn meet(&mut self, symbol: SymbolRef) {
        if !self.seen.insert(symbol) {
            return;
        }
        self.order.push(symbol);
        let linkage = match symbol {
            SymbolRef::Func(id) => self.module.functions[id.index()].linkage,
            SymbolRef::Global(id) => self.module.globals[id.index()].linkage,
        };
        if linkage == Linkage::Static {
            self.waiting.push(symbol);
        }
    }

    /// What the body or the initialiser refers to; then a variable itself.
    fn emit(&mut self, symbol: SymbolRef) {
        match symbol {
            SymbolRef::Func(id) => {
                self.meet(symbol);
                let refs = self.refs;
                refs.get(&id).into_iter().flatten().for_each(|&symbol| self.meet(symbol));
            }
            SymbolRef::Global(id) => {
                let init = self.module.globals[id.index()].init.as_ref();
                for scalar in init.into_iter().flat_map(|init| &init.scalars) {
                    if let InitValue::Address { symbol, .. } = scalar.value {
                        self.meet(symbol);
                    }
                }
                self.meet(symbol);
            }
        }
    }

    fn statics(&mut self) {
        self.waiting.reverse();
        while let Some(symbol) = self.waiting.pop() {
            let before = self.waiting.len();
            self.emit(symbol);
            // What this one brought comes next, in its order.
            self.waiting[before..].reverse();
        }
    }
}
