//! Typed program to SSA: the last stage that knows C.
//!
//! In: a [`hir::Module`] without errors. Out: an [`ir::Module`] with every function that is emitted
//! or reachable from one that is, valid for [`ir::verify`], each instruction with a location.
//!
//! Locals live in stack slots and every use is a load or a store; promoting them to values is the
//! work of passes that must exist anyway for records. Values of expressions and of joins
//! (`?:`, `&&`) are SSA values and block parameters from the start.
//!
//! ```text
//! x = a ? b : 1;        v1 = slot_addr s0            // a
//!                       v2 = load.i32 v1 align 4
//!                       ...
//!                       br v3, block1, block2
//!                     block3(v7: i32):
//!                       v8 = slot_addr s2            // x
//!                       store.i32 v7, v8 align 4
//! ```
//!
//! Calling convention inside the module: small integers are extended to `i32` by whoever passes
//! them; records and 128-bit integers are passed as a pointer to a copy of the caller's and
//! returned through a pointer passed first. What BPF has no code for becomes an intrinsic that the
//! selector refuses if it is still there (see [`ir::Intrinsic::unsupported`]).

mod arith;
mod asm;
mod builtin;
mod call;
mod expr;
mod func;
mod order;
mod place;
mod stmt;
mod symbols;
mod wide;

use std::collections::{BTreeMap, BTreeSet};

use skep_syntax::intern::Interner;
use skep_syntax::source::Span;

use self::symbols::Context;
use crate::hir::{self, FuncId, SymbolRef};
use crate::ir;

/// What lowering needs to know of the target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options<'a> {
    /// Byte order of the target.
    pub big_endian: bool,
    /// Barriers of values that are passed over: where their statements are.
    pub without: &'a [Span],
}

/// Lowers a typed program without errors.
pub fn lower(module: &hir::Module, names: &Interner, options: Options<'_>) -> ir::Module {
    let cx = Context::new(module, names, options);
    let mut out = cx.declare();
    let mut reached = Reached::roots(module);
    let mut locs = func::Locs::default();
    let mut functions = BTreeMap::new();
    let mut refs = BTreeMap::new();
    while let Some(id) = reached.queue.pop() {
        if let Some(body) = &module.functions[id.index()].body {
            let (function, referred) = func::lower(&cx, &mut locs, id, body);
            referred.iter().for_each(|&symbol| reached.add(symbol));
            refs.insert(id, referred);
            functions.insert(id, function);
        }
    }
    out.locs = locs.table;
    out.functions = functions.into_values().collect();
    let order = order::order(module, &refs).into_iter();
    out.order = order.map(|symbol| cx.symbol(symbol)).collect();
    out
}

/// Symbols that code or emitted data refers to.
struct Reached<'a> {
    module: &'a hir::Module,
    seen: BTreeSet<SymbolRef>,
    /// Functions that are reached and not lowered yet.
    queue: Vec<FuncId>,
}

impl<'a> Reached<'a> {
    /// What is emitted even when nothing refers to it.
    fn roots(module: &'a hir::Module) -> Reached<'a> {
        let mut reached = Reached { module, seen: BTreeSet::new(), queue: Vec::new() };
        for (id, function) in (0..).map(FuncId).zip(&module.functions) {
            if function.body.is_some() && symbols::is_kept(function) {
                reached.add(SymbolRef::Func(id));
            }
        }
        for (id, global) in (0..).map(hir::GlobalId).zip(&module.globals) {
            let unasked = global.linkage != hir::Linkage::Static || global.used || global.section.is_some();
            if unasked && global.is_defined() {
                reached.add(SymbolRef::Global(id));
            }
        }
        reached
    }

    /// Notes a reference, and those that the initialiser of a variable makes.
    fn add(&mut self, symbol: SymbolRef) {
        let mut work = vec![symbol];
        while let Some(symbol) = work.pop() {
            if !self.seen.insert(symbol) {
                continue;
            }
            match symbol {
                SymbolRef::Func(id) => self.queue.push(id),
                SymbolRef::Global(id) => {
                    let init = self.module.globals[id.index()].init.as_ref();
                    work.extend(init.into_iter().flat_map(|init| &init.scalars).filter_map(|scalar| {
                        match scalar.value {
                            hir::InitValue::Address { symbol, .. } => Some(symbol),
                            hir::InitValue::Int { .. } | hir::InitValue::Bytes(_) => None,
                        }
                    }));
                }
            }
        }
    }
}
