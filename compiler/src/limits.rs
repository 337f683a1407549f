//! Limits of the machine as diagnostics: what optimisation and code generation could not do, and what the kernel
//! will refuse.

use skep_syntax::Session;
use skep_syntax::diag::{Diag, codes};
use skep_syntax::source::Span;

use std::collections::{BTreeMap, BTreeSet};

use crate::codegen::STACK_LIMIT;
use crate::codegen::code::{Code, FuncCode, RelocKind};
use crate::hir;
use crate::ir::{self, Limit, SrcLoc, SymbolId};

/// Reports what was found.
pub fn report(cx: &mut Session<'_>, module: &ir::Module, limits: &[Limit]) {
    for limit in limits {
        let mut diag = diagnostic(module, limit.loc, &limit.message);
        for (loc, text) in &limit.notes {
            diag = diag.with_label(span(module, *loc), text.clone());
        }
        cx.diags.push(diag);
    }
}

/// The message at its place, with the calls that brought it there by inlining.
fn diagnostic(module: &ir::Module, loc: SrcLoc, message: &str) -> Diag {
    let mut diag = Diag::new(&codes::LIMIT, span(module, loc), message);
    let mut at = module.locs.get(loc).and_then(|data| data.inlined_at);
    while let Some(call) = at {
        diag = diag.with_label(span(module, call), "inlined here");
        at = module.locs.get(call).and_then(|data| data.inlined_at);
    }
    diag
}

/// Where in the source.
pub fn span(module: &ir::Module, loc: SrcLoc) -> Span {
    module.locs.get(loc).map_or(Span::NONE, |data| data.span)
}

/// A kernel counts frames in pieces of this many bytes where its translator is on, which is the kinder way.
const PIECE: u32 = 16;
/// How many functions of a program may be at work at once.
const MAX_FRAMES: usize = 8;

/// Warns about functions whose calls come to more stack than the kernel allows for all of them together.
pub fn report_stack(cx: &mut Session<'_>, hir: &hir::Module, module: &ir::Module, code: &Code) {
    let callees = callees(code);
    if callees.iter().all(Vec::is_empty) {
        return;
    }
    let own = |at: usize| code.functions[at].stack.next_multiple_of(PIECE);
    // The most that a chain of so many frames takes, and through which callee.
    let mut rounds: Vec<Vec<(u32, Option<usize>)>> =
        vec![(0..callees.len()).map(|at| (own(at), None)).collect()];
    for depth in 1..MAX_FRAMES {
        let below = &rounds[depth - 1];
        let deepest = |at: usize| callees[at].iter().map(|&to| (below[to].0, to)).max();
        let row = (0..callees.len()).map(|at| match deepest(at) {
            Some((bytes, to)) => (own(at) + bytes, Some(to)),
            None => (own(at), None),
        });
        rounds.push(row.collect());
    }
    let called: BTreeSet<usize> = callees.iter().flatten().copied().collect();
    for first in (0..callees.len()).filter(|at| !called.contains(at)) {
        let total = rounds[MAX_FRAMES - 1][first].0;
        if total <= STACK_LIMIT {
            continue;
        }
        let name = |at: usize| &module.symbols[code.functions[at].symbol].name;
        let message = format!(
            "`{}` and what it calls need {total} bytes of stack, the kernel allows {STACK_LIMIT} for all together",
            name(first)
        );
        let declared = |at: usize| {
            let origin = module.symbols[code.functions[at].symbol].origin;
            hir.functions.get(origin as usize).map_or(Span::NONE, |function| function.span)
        };
        let mut diag = Diag::new(&codes::STACK_DEPTH, declared(first), message)
            .with_remark(format!("{} bytes", own(first)));
        let mut at = first;
        for row in rounds.iter().rev() {
            let Some(to) = row[at].1 else { break };
            diag = diag.with_label(declared(to), format!("calls this: {} bytes", own(to)));
            at = to;
        }
        cx.diags.push(diag);
    }
}

/// For each function, which others it calls.
fn callees(code: &Code) -> Vec<Vec<usize>> {
    let places: BTreeMap<SymbolId, usize> =
        code.functions.iter().enumerate().map(|(at, function)| (function.symbol, at)).collect();
    let calls = |function: &FuncCode| {
        let calls = function.relocs.iter().filter(|reloc| reloc.kind == RelocKind::Call);
        let found: BTreeSet<usize> = calls.filter_map(|call| places.get(&call.symbol).copied()).collect();
        found.into_iter().collect()
    };
    code.functions.iter().map(calls).collect()
}
