//! Barriers of values: empty assembly that hides a value from the optimiser, as libbpf's `barrier_var` does.
//!
//! In: a module. Out: the statements, which [`crate::Options::without`] can leave out. Programs have them
//! to keep a compiler from what a verifier does not follow; they change no result. Assembly that also
//! orders memory is none of them: other processors see that order.

use std::collections::BTreeSet;

use skep_syntax::source::Span;

use crate::ir::{InstData, Intrinsic, Module};
use crate::limits::span;

/// Where the barriers are that are left in the code, in the order of the source.
pub fn find(module: &Module) -> Vec<Span> {
    let places = |wanted: Intrinsic| -> BTreeSet<Span> {
        let functions = module.functions.iter();
        let found = functions.flat_map(|f| {
            let insts = f.order.iter().flat_map(|&block| f.blocks[block].insts.iter());
            let is_it =
                move |data: &InstData| matches!(data, InstData::Intrinsic { op, .. } if *op == wanted);
            insts.filter(move |&&inst| is_it(&f.insts[inst])).map(|&inst| f.locs[inst])
        });
        found.map(|loc| span(module, loc)).collect()
    };
    let (hidden, fences) = (places(Intrinsic::Opaque), places(Intrinsic::Fence));
    hidden.into_iter().filter(|span| span.is_some() && !fences.contains(span)).collect()
}
