//! Which numbers matter: those that decided a jump, moved a pointer, or were an argument whose
//! value the verifier looked at (kernel `mark_chain_precision`).
//!
//! When the walk uses the value of a number it calls [`Walk::need`]. That goes back along the
//! path, instruction by instruction, to what the number was computed from, and marks those places
//! in every kept state on the way. In a kept state a number that was not marked could have been
//! any: it does not make a new state different.
//!
//! Invariant: wherever a verdict, or the value of an abstract result other than by arithmetic and
//! copying, depends on what is known of a number, `need` was called for it.

use alloc::vec::Vec;

use skep_stdlib::features::Feature;
use skep_stdlib::isa::{AtomicOp, CallTarget, Insn, Operand, Reg as R};

use super::callback::pointer_registers;
use super::marks::{Marks, Place};
use super::reg::{Link, Reg};
use super::region::reg_of;
use super::stack;
use super::state::{Byte, StackSlot, State};
use super::trace::{Event, Node};
use super::walk::Walk;

/// Most places that a comparison narrows (kernel `LINKED_REGS_MAX`).
const MOST_LINKED: usize = 6;

impl Walk<'_> {
    /// The value in a register of the running frame matters.
    pub(super) fn need(&mut self, state: &State, reg: R) {
        if matches!(state.frame().regs[reg.index()], Reg::Scalar(_)) {
            let depth = state.frames.len() - 1;
            let mut wanted = Marks::default();
            wanted.insert(Place::Reg(depth as u8, reg.number()));
            self.trace_back(wanted, depth);
        }
    }

    /// The same for a number that was spilled to the stack of the frame at this depth.
    pub(super) fn need_slot(&mut self, state: &State, depth: u32, offset: i32) {
        let mut wanted = Marks::default();
        wanted.insert(stack::place(depth, offset));
        self.trace_back(wanted, state.frames.len() - 1);
    }

    /// The same for an operand.
    pub(super) fn need_operand(&mut self, state: &State, operand: Operand) {
        match operand {
            Operand::Reg(reg) => self.need(state, reg),
            Operand::Imm(_) => {}
        }
    }

    /// Marks what `wanted` was computed from in all kept states of the path; `depth` is that of
    /// the running frame.
    pub(super) fn trace_back(&mut self, mut wanted: Marks, mut depth: usize) {
        if self.at.parent.is_none() && self.log.is_none() {
            return;
        }
        let mut at = self.at.tip;
        if !wanted.is_empty() {
            self.log_search(depth);
        }
        while !wanted.is_empty()
            && let Some(node) = self.trace.node(at)
        {
            let before = node.prev;
            match node.event {
                Event::Kept(index) => {
                    self.store.demand(index, &mut wanted);
                    self.log_kept(index, at, &wanted, depth);
                }
                Event::Left => {
                    self.log_wanted(at, &wanted, depth);
                    // The result is a new number.
                    Frame { wanted: &mut wanted, depth }.leave(&mut depth);
                    Frame { wanted: &mut wanted, depth }.clobber();
                }
                Event::Plain | Event::Stack(_) | Event::Jump(..) | Event::Callback => {
                    self.log_wanted(at, &wanted, depth);
                    self.undo(at, &mut wanted, &mut depth);
                }
            }
            at = before;
        }
    }

    /// From what is wanted after the instruction of a node to what is wanted before it.
    fn undo(&self, at: u32, wanted: &mut Marks, depth: &mut usize) {
        let Some(node) = self.trace.node(at) else { return };
        let Some(insn) = self.cx.program.code.at(node.slot) else { return };
        let mut set = Frame { wanted, depth: *depth };
        match *insn {
            Insn::Alu { dst, src, .. } => {
                if set.has(dst) {
                    set.add_operand(src);
                }
            }
            Insn::Mov { dst, src, .. } => {
                if set.take(dst) {
                    set.add_operand(src);
                }
            }
            Insn::MovSx { dst, src, .. } | Insn::AddrSpaceCast { dst, src, .. } => {
                if set.take(dst) {
                    set.add(src);
                }
            }
            Insn::Neg { .. } | Insn::Swap { .. } | Insn::Jump { .. } | Insn::MayGoto { .. } => {}
            Insn::LoadImm64 { dst, .. } => {
                set.take(dst);
            }
            Insn::Load { dst, .. } | Insn::LoadAcquire { dst, .. } => {
                if set.take(dst)
                    && let Event::Stack(place) = node.event
                {
                    set.wanted.insert(place);
                }
            }
            Insn::Store { src, .. } => {
                if set.take_stored(node) {
                    set.add_operand(src);
                }
            }
            Insn::StoreRelease { src, .. } => {
                if set.take_stored(node) {
                    set.add(src);
                }
            }
            Insn::Atomic { op, src, .. } => {
                // What is stored is any number, what is fetched was there before.
                set.take_stored(node);
                let fetched = match op {
                    AtomicOp::CmpXchg => set.take(R::R0),
                    AtomicOp::Xchg => set.take(src),
                    AtomicOp::Add { fetch }
                    | AtomicOp::Or { fetch }
                    | AtomicOp::And { fetch }
                    | AtomicOp::Xor { fetch } => fetch && set.take(src),
                };
                if let (true, Event::Stack(place)) = (fetched, node.event) {
                    set.wanted.insert(place);
                }
            }
            Insn::LoadAbs { .. } | Insn::LoadInd { .. } => set.clobber(),
            Insn::Branch { dst, src, .. } => {
                let group = match node.event {
                    Event::Jump(_, group) => self.trace.group(group),
                    _ => &[],
                };
                set.add_group(group);
                if let Operand::Reg(src) = src
                    && (set.has(dst) || set.has(src))
                {
                    set.add(dst);
                    set.add(src);
                    set.add_group(group);
                }
            }
            Insn::Call(CallTarget::Local(off)) => {
                if self.cx.program.is_global(super::walk::target(node.slot, off)) {
                    set.clobber();
                } else {
                    set.enter(depth);
                }
            }
            Insn::Call(CallTarget::Helper(id)) if matches!(node.event, Event::Callback) => {
                set.enter_callback(depth, pointer_registers(id));
            }
            Insn::Call(CallTarget::Kfunc { .. }) if matches!(node.event, Event::Callback) => {
                set.enter_callback(depth, None);
            }
            Insn::Call(CallTarget::Helper(_) | CallTarget::Kfunc { .. } | CallTarget::Reg(_)) => {
                set.clobber();
            }
            Insn::Exit if matches!(node.event, Event::Callback) => set.leave_callback(depth),
            Insn::Exit => set.leave(depth),
        }
    }

    /// The places with copies of both operands of the running comparison, besides which that narrows none.
    ///
    /// There are only so many of them: the others are copies no longer (kernel `collect_linked_regs`).
    pub(super) fn linked(&self, state: &mut State, left: &Reg, right: &Reg) -> Vec<Place> {
        let id = |reg: &Reg| reg.as_scalar().map_or(0, |num| num.link.id);
        let all = !self.cx.target.has(Feature::LinksOfLiveNumbers);
        let (mut places, mut others) = (Vec::new(), Vec::new());
        for id in [id(right), id(left)].into_iter().filter(|&id| id != 0) {
            let mut now = self.now;
            for depth in (0..state.frames.len() as u8).rev() {
                let frame = &state.frames[usize::from(depth)];
                let live = if all { u16::MAX } else { self.live.at(now) };
                now = frame.call.unwrap_or(now);
                let is_copy = |reg: &Reg| matches!(reg, Reg::Scalar(num) if num.link.id == id);
                let regs = (0..10)
                    .zip(&frame.regs)
                    .filter(|&(number, reg)| is_copy(reg) && live & (1 << number) != 0);
                let regs = regs.map(|(number, _)| Place::Reg(depth, number));
                let is_spilled =
                    |stored: &StackSlot| stored.bytes.contains(&Byte::Spilled) && is_copy(&stored.spilled);
                let slots = (0..).zip(&frame.stack).filter(|(_, stored)| is_spilled(stored));
                for place in regs.chain(slots.map(|(index, _)| Place::Slot(depth, index))) {
                    let list = if places.len() < MOST_LINKED { &mut places } else { &mut others };
                    list.push(place);
                }
            }
        }
        for place in others {
            if let Some(Reg::Scalar(num)) = state.at_mut(place) {
                num.link = Link::NONE;
            }
        }
        places
    }
}

/// Wanted places, seen from the running frame.
struct Frame<'a> {
    wanted: &'a mut Marks,
    depth: usize,
}

impl Frame<'_> {
    fn has(&self, reg: R) -> bool {
        self.wanted.contains(Place::Reg(self.depth as u8, reg.number()))
    }

    fn add(&mut self, reg: R) {
        // Only numbers are wanted, the frame pointer is none.
        if reg != R::FP {
            self.wanted.insert(Place::Reg(self.depth as u8, reg.number()));
        }
    }

    /// If one of these is wanted, all are.
    fn add_group(&mut self, group: &[Place]) {
        if group.iter().any(|&place| self.wanted.contains(place)) {
            group.iter().for_each(|&place| self.wanted.insert(place));
        }
    }

    fn add_operand(&mut self, operand: Operand) {
        match operand {
            Operand::Reg(reg) => self.add(reg),
            Operand::Imm(_) => {}
        }
    }

    /// Removes a register that is written; was it wanted?
    fn take(&mut self, reg: R) -> bool {
        let had = self.has(reg);
        self.wanted.remove(Place::Reg(self.depth as u8, reg.number()));
        had
    }

    /// The same for the stack slot that is written.
    fn take_stored(&mut self, node: &Node) -> bool {
        let Event::Stack(place) = node.event else { return false };
        let had = self.wanted.contains(place);
        self.wanted.remove(place);
        had
    }

    /// A call leaves nothing in r0 to r5 that was there before.
    fn clobber(&mut self) {
        self.wanted.regs[self.depth] &= !0b11_1111;
    }

    /// Back over a call, into the caller: parameters are its arguments.
    fn enter(self, depth: &mut usize) {
        let Some(caller) = self.depth.checked_sub(1) else { return };
        self.wanted.regs[caller] =
            (self.wanted.regs[caller] & !0b11_1111) | (self.wanted.regs[self.depth] & 0b11_1110);
        self.wanted.regs[self.depth] = 0;
        self.wanted.slots[self.depth] = 0;
        *depth = caller;
    }

    /// Back over the call of a function by a helper, into the caller, whose registers are as they
    /// were; the caller's pointer was handed on.
    fn enter_callback(mut self, depth: &mut usize, pointer: Option<(u8, u8)>) {
        let Some(caller) = self.depth.checked_sub(1) else { return };
        let wanted = pointer.filter(|&(_, to)| self.wanted.contains(Place::Reg(self.depth as u8, to)));
        self.wanted.regs[self.depth] = 0;
        self.wanted.slots[self.depth] = 0;
        self.depth = caller;
        if let Some((from, _)) = wanted {
            self.add(reg_of(from));
        }
        *depth = caller;
    }

    /// Back over the return to a helper, into the function, from which nothing comes.
    fn leave_callback(self, depth: &mut usize) {
        let callee = self.depth + 1;
        if callee >= self.wanted.regs.len() {
            return;
        }
        self.wanted.regs[callee] = 0;
        self.wanted.slots[callee] = 0;
        *depth = callee;
    }

    /// Back over a return, into the callee: the result is its r0.
    fn leave(self, depth: &mut usize) {
        let callee = self.depth + 1;
        if callee >= self.wanted.regs.len() {
            return;
        }
        self.wanted.regs[callee] = self.wanted.regs[self.depth] & 1;
        self.wanted.slots[callee] = 0;
        self.wanted.regs[self.depth] &= !0b11_1111;
        *depth = callee;
    }
}
