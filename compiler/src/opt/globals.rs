//! Facts about the whole module: which functions are needed, which variables never change.
//!
//! In: a module. Out: a module without the static functions that nothing names any more, and the
//! set of static variables that only plain loads name, which always hold their initial bytes, and of
//! those that only accesses name, which no other pointer leads to. Old headers declare helpers as `static void *(*f)(..) = (void *)1`, without `const`.
//! Invariant: functions that are kept, visible outside, or named by a kept variable stay.

use std::collections::BTreeSet;

use crate::ir::{Arena, Function, InstData, Intrinsic, Module, SymbolId, SymbolKind, Type, Value};

/// How often functions and variables name each symbol.
pub struct References {
    counts: Arena<SymbolId, u32>,
    /// What each function of the module named when it was last looked at.
    named: Vec<Vec<SymbolId>>,
}

impl References {
    /// Looks at the whole module.
    pub fn new(module: &Module) -> References {
        let named: Vec<Vec<SymbolId>> = module.functions.iter().map(|f| f.named().collect()).collect();
        let of_variables = module.symbols.keys().flat_map(|id| addresses(module, id));
        let mut counts = Arena::filled(&module.symbols, 0);
        named.iter().flatten().copied().chain(of_variables).for_each(|symbol| counts[symbol] += 1);
        References { counts, named }
    }

    /// Looks again at the function in this place, which has changed.
    pub fn update(&mut self, module: &Module, index: usize) {
        let now: Vec<SymbolId> = module.functions[index].named().collect();
        now.iter().for_each(|&symbol| self.counts[symbol] += 1);
        let before = std::mem::replace(&mut self.named[index], now);
        before.into_iter().for_each(|symbol| self.counts[symbol] -= 1);
    }

    /// How often this symbol is named.
    pub fn count(&self, symbol: SymbolId) -> u32 {
        self.counts[symbol]
    }
}

/// Symbols that a variable's initial bytes point to.
fn addresses(module: &Module, id: SymbolId) -> impl Iterator<Item = SymbolId> {
    let data = module.data(id).into_iter();
    data.flat_map(|data| &data.addresses).map(|&(_, symbol, _)| symbol)
}

/// Removes definitions of static functions that nothing reaches.
pub fn remove_dead_functions(module: &mut Module) -> bool {
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
    let mut reached = Arena::filled(&module.symbols, false);
    while let Some(symbol) = work.pop() {
        if std::mem::replace(&mut reached[symbol], true) {
            continue;
        }
        work.extend(addresses(module, symbol));
        if let Some(function) = module.definition(symbol) {
            work.extend(function.named());
        }
    }
    let before = module.functions.len();
    if module.functions.iter().any(|f| !reached[f.symbol]) {
        module.functions.retain(|f| reached[f.symbol]);
    }
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
    let is_local = |id: SymbolId| module.data(id).is_some_and(|data| data.local);
    let is_known = |id: SymbolId| module.data(id).is_some_and(|data| !data.constant && data.bytes.is_some());
    let mut hidden = Arena::filled(&module.symbols, false);
    module.symbols.keys().for_each(|id| hidden[id] = is_local(id));
    module.symbols.keys().flat_map(|id| addresses(module, id)).for_each(|id| hidden[id] = false);
    let mut immutable = hidden.clone();
    // Inline assembly can take the address of a variable by its name.
    let mut texts: BTreeSet<&str> = BTreeSet::new();
    for f in &module.functions {
        for data in insts(f) {
            if let InstData::Asm { asm, .. } = data {
                texts.insert(asm.template.as_str());
            }
            each_use(f, data, |symbol, what| {
                immutable[symbol] &= what == Use::Reads;
                hidden[symbol] &= what != Use::LetsOut;
            });
        }
    }
    let in_text = |id: SymbolId| texts.iter().any(|text| text.contains(module.symbols[id].name.as_str()));
    let ids = || module.symbols.keys();
    Statics {
        immutable: ids().filter(|&id| immutable[id] && is_known(id)).collect(),
        hidden: ids().filter(|&id| hidden[id] && !in_text(id)).collect(),
    }
}

/// Variables whose addresses are more than accessed in this function.
pub fn let_out(f: &Function) -> BTreeSet<SymbolId> {
    let mut found = BTreeSet::new();
    for data in insts(f) {
        each_use(f, data, |symbol, what| {
            if what == Use::LetsOut {
                found.insert(symbol);
            }
        });
    }
    found
}

fn insts(f: &Function) -> impl Iterator<Item = &InstData> {
    f.order.iter().flat_map(|&block| &f.blocks[block].insts).map(|&inst| &f.insts[inst])
}

#[inline]
fn each_use(f: &Function, data: &InstData, mut visit: impl FnMut(SymbolId, Use)) {
    data.for_each_operand(|v| {
        // Most operands are no addresses.
        if f.ty(v) == Type::Ptr
            && let Some(symbol) = root(f, v)
        {
            visit(symbol, what_it_does(data, v));
        }
    });
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
