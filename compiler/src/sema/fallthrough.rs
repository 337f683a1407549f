//! Cases of a switch that are reached from the case before them.
//!
//! In: the [`Flow`] of a function. Out: a finding for each label that statements above it lead to, unless the
//! last of them says that this is meant: `__attribute__((fallthrough));` or `[[fallthrough]];`.

use skep_syntax::diag::codes;

use super::Sema;
use super::flow::{Branch, Flow};

impl Sema<'_, '_> {
    /// At the end of a function: which labels of its switches are fallen into.
    pub(super) fn report_fallthrough(&mut self, flow: &Flow) {
        let reached = flow.reached();
        let labels = flow.blocks.iter().enumerate().filter(|(at, _)| reached[*at]);
        let labels: Vec<_> = labels.filter_map(|(at, block)| Some((at, block.case?))).collect();
        for (at, case) in labels {
            if is_fallen_into(flow, &reached, at) {
                self.warn(&codes::FALLTHROUGH, case, "the case before this one goes on here");
            }
        }
    }
}

fn is_fallen_into(flow: &Flow, reached: &[bool], label: usize) -> bool {
    let mut seen = vec![false; flow.blocks.len()];
    let mut open = flow.blocks[label].before.clone();
    while let Some(at) = open.pop() {
        if std::mem::replace(&mut seen[at], true) {
            continue;
        }
        let block = &flow.blocks[at];
        let is_other_label = block.case.is_some() && !block.acts;
        if block.branch == Branch::Switch || is_other_label || !reached[at] || block.annotated {
            continue;
        }
        if block.acts {
            return true;
        }
        open.extend(&block.before);
    }
    false
}
