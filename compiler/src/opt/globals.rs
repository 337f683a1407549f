//! Facts about the whole module: which functions are needed, which variables never change.
//!
//! In: a module. Out: a module without the static functions that nothing names any more, and the
//! set of static variables that only plain loads name: these always hold their initial bytes. Old
//! headers declare helpers as `static void *(*f)(..) = (void *)1`, without `const`.
//! Invariant: functions that are kept, visible outside, or named by a kept variable stay.

use std::collections::{BTreeMap, BTreeSet};

use crate::ir::{Callee, Function, InstData, Module, SymbolId, SymbolKind, Value};

/// Symbols that a function names, in order, with repetition.
pub fn named(f: &Function) -> Vec<SymbolId> {
    let mut names = Vec::new();
    for &block in &f.order {
        for &inst in &f.blocks[block].insts {
            match &f.insts[inst] {
                InstData::Call { callee: Callee::Func(symbol), .. } | InstData::SymbolAddr { symbol, .. } => {
                    names.push(*symbol);
                }
                _ => {}
            }
        }
    }
    names
}

/// How often functions and variables name each symbol.
pub struct References {
    counts: BTreeMap<SymbolId, u32>,
    /// What each function of the module named when it was last looked at.
    named: Vec<Vec<SymbolId>>,
}

impl References {
    /// Looks at the whole module.
    pub fn new(module: &Module) -> References {
        let named: Vec<Vec<SymbolId>> = module.functions.iter().map(named).collect();
        let of_variables = module.symbols.keys().flat_map(|id| addresses(module, id));
        let mut counts = BTreeMap::new();
        for symbol in named.iter().flatten().copied().chain(of_variables) {
            *counts.entry(symbol).or_default() += 1;
        }
        References { counts, named }
    }

    /// Looks again at the function in this place, which has changed.
    pub fn update(&mut self, module: &Module, index: usize) {
        let now = named(&module.functions[index]);
        for symbol in &now {
            *self.counts.entry(*symbol).or_default() += 1;
        }
        for symbol in std::mem::replace(&mut self.named[index], now) {
            self.counts.entry(symbol).and_modify(|count| *count -= 1);
        }
    }

    /// How often this symbol is named.
    pub fn count(&self, symbol: SymbolId) -> u32 {
        self.counts.get(&symbol).copied().unwrap_or_default()
    }
}

/// Symbols that a variable's initial bytes point to.
fn addresses(module: &Module, id: SymbolId) -> Vec<SymbolId> {
    module
        .data(id)
        .map(|data| data.addresses.iter().map(|&(_, symbol, _)| symbol).collect())
        .unwrap_or_default()
}

/// Removes definitions of static functions that nothing reaches.
pub fn remove_dead_functions(module: &mut Module) -> bool {
    let index: BTreeMap<SymbolId, usize> =
        module.functions.iter().enumerate().map(|(i, f)| (f.symbol, i)).collect();
    let mut work: Vec<SymbolId> = Vec::new();
    for (id, symbol) in module.symbols.iter() {
        match &symbol.kind {
            SymbolKind::Func(func) if func.keep || !func.local => work.push(id),
            SymbolKind::Func(_) => {}
            // A static variable counts once something names it.
            SymbolKind::Data(data) if !data.local => work.push(id),
            SymbolKind::Data(_) => {}
        }
    }
    let mut reached = BTreeSet::new();
    while let Some(symbol) = work.pop() {
        if !reached.insert(symbol) {
            continue;
        }
        work.extend(addresses(module, symbol));
        if let Some(&i) = index.get(&symbol) {
            work.extend(named(&module.functions[i]));
        }
    }
    let before = module.functions.len();
    module.functions.retain(|f| reached.contains(&f.symbol));
    module.functions.len() != before
}

/// Static variables that only plain loads name.
pub fn immutable(module: &Module) -> BTreeSet<SymbolId> {
    let mut found: BTreeSet<SymbolId> = BTreeSet::new();
    for (id, symbol) in module.symbols.iter() {
        if let SymbolKind::Data(data) = &symbol.kind
            && data.local
            && !data.constant
            && data.bytes.is_some()
        {
            found.insert(id);
        }
    }
    for id in module.symbols.keys() {
        for symbol in addresses(module, id) {
            found.remove(&symbol);
        }
    }
    for f in &module.functions {
        for &block in &f.order {
            for &inst in &f.blocks[block].insts {
                let data = &f.insts[inst];
                // The address may be used to load, and to compute the address of a part.
                let allowed = match data {
                    InstData::Load { base, flags, .. } if !flags.volatile => Some(*base),
                    InstData::PtrAdd { base, .. } => Some(*base),
                    _ => None,
                };
                data.for_each_operand(|v| {
                    if allowed != Some(v)
                        && let Some(symbol) = root(f, v)
                    {
                        found.remove(&symbol);
                    }
                });
            }
        }
    }
    found
}

/// The symbol that an address is in.
fn root(f: &Function, mut value: Value) -> Option<SymbolId> {
    loop {
        match f.def(value)? {
            InstData::SymbolAddr { symbol, .. } => return Some(*symbol),
            InstData::PtrAdd { base, .. } => value = *base,
            _ => return None,
        }
    }
}
