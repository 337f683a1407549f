//! Limits of the machine as diagnostics: what optimisation and code generation could not do.

use skep_syntax::Session;
use skep_syntax::diag::{Diag, codes};
use skep_syntax::source::Span;

use crate::ir::{self, Limit, SrcLoc};

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

fn span(module: &ir::Module, loc: SrcLoc) -> Span {
    module.locs.get(loc).map_or(Span::NONE, |data| data.span)
}
