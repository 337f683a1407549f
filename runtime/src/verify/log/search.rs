//! How the search for what a number was computed from is logged: each instruction that it goes back
//! over, with what is looked for, and each kept state on the way (kernel `__mark_chain_precision`).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::marks::{Marks, bits};
use super::super::trace::{Event, Node};
use super::super::walk::Walk;
use super::values::{self, Which};
use super::{Shown, TOUCHED};

impl Walk<'_> {
    /// The search begins, in the frame at this depth.
    pub(in super::super) fn log_search(&mut self, depth: usize) {
        let now = i64::from(self.now);
        self.log_part(depth, now, self.at.tip, -1);
    }

    /// The next part: from instruction `last`, whose node is `at`, back to the kept state before that;
    /// instruction `later` was looked at before it.
    fn log_part(&mut self, depth: usize, last: i64, at: u32, later: i64) {
        let is_kept = |node: &&Node| matches!(node.event, Event::Kept(_));
        self.log_all(|walk| {
            let mut nodes = walk.trace.back(at);
            let first = nodes.find(is_kept).map_or(walk.start, |node| node.slot);
            format!("mark_precise: frame{depth}: last_idx {last} first_idx {first} subseq_idx {later} ")
        });
    }

    /// This is looked for before an instruction of the frame at this depth.
    pub(in super::super) fn log_wanted(&mut self, at: u32, wanted: &Marks, depth: usize) {
        self.log_all(|walk| {
            let slot = walk.trace.node(at).map_or(0, |node| node.slot);
            let Some(insn) = walk.cx.program.code.at(slot) else { return String::new() };
            let shown = Shown { image: walk.cx.image, program: walk.cx.program, slot, insn };
            format!("mark_precise: frame{depth}: {} before {slot}: {shown}", places(wanted, depth))
        });
    }

    /// The search came to a kept state, and goes on with what is left, if that is anything.
    pub(in super::super) fn log_kept(&mut self, index: u32, at: u32, wanted: &Marks, depth: usize) {
        if self.log.is_none() {
            return;
        }
        for frame in (0..=depth).rev() {
            self.log_all(|walk| {
                let kept = walk.store.kept(index);
                let precise = (kept.precise.regs[frame], kept.precise.slots[frame]);
                let written = walk.shown_written((kept.assigned[frame], kept.written[frame]));
                let which = Which { regs: TOUCHED.0, slots: TOUCHED.1, written, precise };
                let is_there = frame < kept.state.frames.len();
                let shown = || values::frame(&walk.cx, &kept.state, frame, &which);
                let state = if is_there { shown() } else { String::new() };
                format!("mark_precise: frame{frame}: parent state {}: {state}", places(wanted, frame))
            });
        }
        if let (Some(&Node { prev, slot, .. }), false) = (self.trace.node(at), wanted.is_empty()) {
            let last = self.trace.node(prev).map_or(-1, |node| i64::from(node.slot));
            self.log_part(depth, last, prev, slot.into());
        }
    }

    /// What mattered after a kept state is looked for before a path that ends there.
    pub(in super::super) fn log_inherited(&mut self, wanted: &Marks, frames: usize) {
        if self.log.is_none() {
            return;
        }
        for frame in (0..frames).rev() {
            let regs = bits(wanted.regs[frame].into()).map(|number| format!("r{number}"));
            let slots = bits(wanted.slots[frame]).map(|index| format!("fp-{}", 8 * (u32::from(index) + 1)));
            let list: Vec<String> = regs.chain(slots).collect();
            if !list.is_empty() {
                self.log_all(|_| format!("frame {frame}: propagating {}", list.join(",")));
            }
        }
    }
}

/// `regs=r1,r6 stack=-8`.
fn places(wanted: &Marks, depth: usize) -> String {
    let list = |names: &mut dyn Iterator<Item = String>| names.collect::<Vec<_>>().join(",");
    let regs = list(&mut bits(wanted.regs[depth].into()).map(|number| format!("r{number}")));
    let slots = &mut bits(wanted.slots[depth]).map(|index| (-8 * (i32::from(index) + 1)).to_string());
    format!("regs={regs} stack={}", list(slots))
}
