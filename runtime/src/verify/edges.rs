//! Loops that are refused before the walk: edges of the control flow that lead back (kernel `push_insn`).
//!
//! Of users without `CAP_BPF`, and by kernels that do not look for the end of loops, all are; by kernels
//! that are not much newer those whose last instruction is no jump.

use alloc::vec::Vec;

use skep_stdlib::capabilities::Capability;
use skep_stdlib::features::Feature;
use skep_stdlib::isa::Insn;

use super::Context;
use super::liveness::successors;
use super::report::Cause;

/// How far the search has come with an instruction.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Not,
    /// What it leads to is being looked at.
    Open,
    Done,
}

/// Checks a program; an error has the slot where the edge begins.
pub fn check(cx: &Context<'_>) -> Result<(), (u32, Cause)> {
    let jumps = cx.may(Capability::Bpf) && cx.target.has(Feature::BoundedLoops);
    if jumps && cx.target.has(Feature::LoopsWithoutJump) {
        return Ok(());
    }
    let mut seen = alloc::vec![Seen::Not; cx.program.code.len() as usize];
    cx.program.functions.iter().try_for_each(|function| search(cx, function.start, jumps, &mut seen))
}

/// Does nothing lead back to where it comes from, but for jumps where they may?
fn search(cx: &Context<'_>, start: u32, jumps: bool, seen: &mut [Seen]) -> Result<(), (u32, Cause)> {
    let code = &cx.program.code;
    let next = |slot: u32| -> Vec<u32> {
        let mut next: Vec<u32> =
            code.at(slot).map(|insn| successors(slot, insn).collect()).unwrap_or_default();
        // What follows is looked at first.
        next.reverse();
        next
    };
    let mut open = alloc::vec![(start, next(start))];
    if let Some(first) = seen.get_mut(start as usize) {
        *first = Seen::Open;
    }
    while let Some((slot, left)) = open.last_mut() {
        let from = *slot;
        let Some(to) = left.pop() else {
            seen[from as usize] = Seen::Done;
            open.pop();
            continue;
        };
        let is_jump = matches!(code.at(from), Some(Insn::Branch { .. } | Insn::Jump { .. }));
        match seen.get(to as usize) {
            Some(Seen::Open) if jumps && is_jump => {}
            Some(Seen::Open) => return Err((from, Cause::BackEdge { from, to })),
            Some(Seen::Not) => {
                seen[to as usize] = Seen::Open;
                open.push((to, next(to)));
            }
            Some(Seen::Done) | None => {}
        }
    }
    Ok(())
}
