//! Facts about the whole module: which functions are needed, which variables never change.
//!
//! In: a module. Out: a module without the static functions that nothing names any more, and the
//! set of static variables that only plain loads name, which always hold their initial bytes, and of
//! those that only accesses name, which no other pointer leads to. Old headers declare helpers as `static void *(*f)(..) = (void *)1`, without `const`.
//! Invariant: functions that are kept, visible outside, or named by a kept variable stay.

use std::collections::{BTreeMap, BTreeSet};

use crate::ir::{Function, InstData, Intrinsic, Module, SymbolId, SymbolKind, Type, Value};

/// How often functions and variables name each symbol.
pub struct References {
    counts: BTreeMap<SymbolId, u32>,
    /// What each function of the module named when it was last looked at.
    named: Vec<Vec<SymbolId>>,
}

impl References {
    /// Looks at the whole module.
    pub fn new(module: &Module) -> References {
        let named: Vec<Vec<SymbolId>> = module.functions.iter().map(|f| f.named().collect()).collect();
        let of_variables = module.symbols.keys().flat_map(|id| addresses(module, id));
        let mut counts = BTreeMap::new();
        for symbol in named.iter().flatten().copied().chain(of_variables) {
            *counts.entry(symbol).or_default() += 1;
        }
        References { counts, named }
    }

    /// Looks again at the function in this place, which has changed.
    pub fn update(&mut self, module: &Module, index: usize) {
        let now: Vec<SymbolId> = module.functions[index].named().collect();
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
            work.extend(module.functions[i].named());
        }
    }
    let before = module.functions.len();
    module.functions.retain(|f| reached.contains(&f.symbol));
    module.functions.len() != before
}

/// What is known of static variables, whose names nobody else has.
#[derive(PartialEq, Eq)]
pub struct Statics {
    /// Only plain loads name them: they always hold their initial bytes.
    pub immutable: BTreeSet<SymbolId>,
    /// Only accesses name them: no pointer that comes from elsewhere leads there.
    pub hidden: BTreeSet<SymbolId>,
}

/// What an operand does with the address of a variable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    /// Reads what is there, or computes the address of a part.
    Reads,
    /// Does no more than access it.
    Accesses,
    /// Makes it a value like any other.
    LetsOut,
}

/// Looks at all uses of static variables.
pub fn statics(module: &Module) -> Statics {
    let is_local = |id: &SymbolId| module.data(*id).is_some_and(|data| data.local);
    let mut hidden: BTreeSet<SymbolId> = module.symbols.keys().filter(is_local).collect();
    for id in module.symbols.keys() {
        for symbol in addresses(module, id) {
            hidden.remove(&symbol);
        }
    }
    let is_known =
        |id: &SymbolId| module.data(*id).is_some_and(|data| !data.constant && data.bytes.is_some());
    let mut immutable: BTreeSet<SymbolId> = hidden.iter().copied().filter(is_known).collect();
    let texts = assembly(module);
    hidden.retain(|&id| !texts.iter().any(|text| text.contains(module.symbols[id].name.as_str())));
    for f in &module.functions {
        each_use(f, |symbol, what| {
            if what != Use::Reads {
                immutable.remove(&symbol);
            }
            if what == Use::LetsOut {
                hidden.remove(&symbol);
            }
        });
    }
    Statics { immutable, hidden }
}

/// Inline assembly, which can take the address of a variable by its name.
fn assembly(module: &Module) -> BTreeSet<&str> {
    let insts = module.functions.iter().flat_map(|f| {
        let insts = f.order.iter().flat_map(|&block| f.blocks[block].insts.iter());
        insts.map(|&inst| &f.insts[inst])
    });
    let texts = insts.filter_map(|data| match data {
        InstData::Asm { asm, .. } => Some(asm.template.as_str()),
        _ => None,
    });
    texts.collect()
}

/// Variables whose addresses are more than accessed in this function.
pub fn let_out(f: &Function) -> BTreeSet<SymbolId> {
    let mut found = BTreeSet::new();
    each_use(f, |symbol, what| {
        if what == Use::LetsOut {
            found.insert(symbol);
        }
    });
    found
}

fn each_use(f: &Function, mut visit: impl FnMut(SymbolId, Use)) {
    for &block in &f.order {
        for &inst in &f.blocks[block].insts {
            let data = &f.insts[inst];
            data.for_each_operand(|v| {
                // Most operands are no addresses.
                if f.ty(v) == Type::Ptr
                    && let Some(symbol) = root(f, v)
                {
                    visit(symbol, what_it_does(data, v));
                }
            });
        }
    }
}

fn what_it_does(data: &InstData, operand: Value) -> Use {
    match data {
        InstData::Load { flags, .. } if !flags.volatile => Use::Reads,
        InstData::PtrAdd { base, offset } if *base == operand && *offset != operand => Use::Reads,
        InstData::Store { value, .. } if *value != operand => Use::Accesses,
        InstData::Load { .. } | InstData::Compare { .. } => Use::Accesses,
        InstData::Intrinsic { op: Intrinsic::CastAddressSpace, .. } => Use::Accesses,
        _ => Use::LetsOut,
    }
}

/// The symbol that an address is in.
fn root(f: &Function, mut value: Value) -> Option<SymbolId> {
    loop {
        match f.def(value)? {
            InstData::SymbolAddr { symbol, .. } => return Some(*symbol),
            InstData::PtrAdd { base, .. } => value = *base,
            InstData::Intrinsic { op: Intrinsic::CastAddressSpace, args, .. } => value = *args.first()?,
            _ => return None,
        }
    }
}
