//! When one state covers another: the comparison that pruning rests on.
//!
//! If every behaviour from the new state is also one from an old state that was found safe, the
//! new one need not be walked. The old state was [cleaned](State::clean) when its walk ended: what
//! was never read is gone from it, and numbers that never mattered are any number.

use alloc::vec::Vec;

use super::marks::{Marks, Place};
use super::reg::{Link, Num, Pointer, PtrKind, Reg};
use super::scalar::Scalar;
use super::state::{Byte, Frame, StackSlot, State};

impl State {
    /// Forgets what nothing depended on, given the registers that are live in each frame, the
    /// stack slots that were read and the numbers that mattered.
    pub fn clean(&mut self, live: impl Fn(usize, &Frame) -> u16, reads: &Marks, precise: &Marks) {
        for (depth, frame) in self.frames.iter_mut().enumerate() {
            let live = live(depth, frame);
            let depth = depth as u8;
            for (number, reg) in frame.regs.iter_mut().enumerate().take(10) {
                if live & (1 << number) == 0 {
                    *reg = Reg::Uninit;
                } else if let Reg::Scalar(num) = reg
                    && !precise.contains(Place::Reg(depth, number as u8))
                {
                    *num = Num { value: Scalar::UNKNOWN, link: Link::NONE, slot: num.slot };
                }
            }
            for (index, stored) in frame.stack.iter_mut().enumerate() {
                let place = Place::Slot(depth, index as u8);
                if !reads.contains(place) {
                    *stored = StackSlot::default();
                } else if matches!(stored.spilled, Reg::Scalar(_)) && !precise.contains(place) {
                    stored.forget_number();
                }
            }
            let used = frame.stack.iter().rposition(|stored| *stored != StackSlot::default());
            frame.stack.truncate(used.map_or(0, |last| last + 1));
            frame.stack.shrink_to_fit();
        }
    }

    /// Does `self`, which is clean and was found safe, allow everything that `new` allows?
    /// `lenient` kernels let stack be read that was never written.
    pub fn covers(&self, new: &State, lenient: bool) -> bool {
        self.same_shape(new)
            && Ids::default().all(self, new, |ids, old, new| {
                old.regs[..10].iter().zip(&new.regs).all(|(old, new)| ids.reg_covers(old, new))
                    && ids.stack_covers(&old.stack, &new.stack, lenient)
            })
    }

    /// As [`State::covers`], of a state that is not clean: registers that are dead do not count,
    /// every number does.
    pub fn contains(&self, new: &State, live: impl Fn(usize, &Frame) -> u16, lenient: bool) -> bool {
        let depths = self.frames.iter().enumerate().map(|(depth, frame)| live(depth, frame));
        let mut live: Vec<u16> = depths.collect();
        self.same_shape(new)
            && Ids::default().all(self, new, |ids, old, new| {
                let live = live.pop().unwrap_or(u16::MAX);
                (0..10).all(|at| live & (1 << at) == 0 || ids.reg_covers(&old.regs[at], &new.regs[at]))
                    && ids.stack_covers(&old.stack, &new.stack, lenient)
            })
    }

    /// Is there no difference at all, but for the numbers of ids?
    pub fn equals(&self, new: &State) -> bool {
        self.same_shape(new)
            && self.rounds == new.rounds
            && Ids::default().all(self, new, |ids, old, new| {
                old.rounds == new.rounds
                    && old.regs[..10].iter().zip(&new.regs).all(|(old, new)| ids.reg_equals(old, new))
                    && ids.stack_equals(&old.stack, &new.stack)
            })
    }

    fn same_shape(&self, new: &State) -> bool {
        self.frames.len() == new.frames.len()
            && self.references.len() == new.references.len()
            && (self.rcu, self.preempt, self.sleepable) == (new.rcu, new.preempt, new.sleepable)
            && (self.role, self.comparing) == (new.role, new.comparing)
            && self.lock.map(|lock| lock.guards) == new.lock.map(|lock| lock.guards)
            && self.frames.iter().zip(&new.frames).all(|(a, b)| {
                // A helper that called back less often may do so more often from now on.
                (a.start, a.call, a.callback) == (b.start, b.call, b.callback) && a.rounds <= b.rounds
            })
    }
}

impl StackSlot {
    /// Does its register say what it holds?
    fn holds_register(&self) -> bool {
        self.bytes.iter().any(|byte| matches!(byte, Byte::Spilled | Byte::Iter | Byte::Dynptr))
    }

    /// Only that bytes were written remains of a spilled number.
    pub fn forget_number(&mut self) {
        for byte in &mut self.bytes {
            if *byte == Byte::Spilled {
                *byte = Byte::Misc;
            }
        }
        self.spilled = Reg::Uninit;
    }
}

/// How ids of an old state correspond to those of a new one: one to one.
#[derive(Default)]
struct Ids {
    pairs: Vec<(u32, u32)>,
    /// Numbers without copies that were given an id, counted down from the largest.
    alone: u32,
}

impl Ids {
    /// Compares the frames, the running one first: it is the one that differs most often.
    fn all(
        mut self,
        old: &State,
        new: &State,
        mut frame: impl FnMut(&mut Ids, &Frame, &Frame) -> bool,
    ) -> bool {
        old.frames.iter().zip(&new.frames).rev().all(|(old, new)| frame(&mut self, old, new))
            && old.references.iter().zip(&new.references).all(|(old, new)| self.same(old.id, new.id))
            && old.lock.iter().zip(&new.lock).all(|(old, new)| self.same(old.id, new.id))
    }

    /// Do the ids correspond? 0 only corresponds to 0.
    fn same(&mut self, old: u32, new: u32) -> bool {
        if old == 0 || new == 0 {
            return old == new;
        }
        match self.pairs.iter().find(|pair| pair.0 == old || pair.1 == new) {
            Some(pair) => *pair == (old, new),
            None => {
                self.pairs.push((old, new));
                true
            }
        }
    }

    fn reg_covers(&mut self, old: &Reg, new: &Reg) -> bool {
        match (old, new) {
            // What was safe without reading a register is safe whatever it holds.
            (Reg::Uninit, _) => true,
            (Reg::Scalar(old), Reg::Scalar(new)) => self.num_covers(old, new),
            (Reg::Pointer(old), Reg::Pointer(new)) => self.pointer_covers(old, new),
            (Reg::Scalar(_) | Reg::Pointer(_), _) => false,
        }
    }

    fn num_covers(&mut self, old: &Num, new: &Num) -> bool {
        if !old.value.includes(&new.value) {
            return false;
        }
        // A number without copies in the old state was bounded alone, so it may have any in the new.
        // One without copies in the new state can stand for one whose copies nobody compares.
        let link = match new.link.id {
            0 => {
                self.alone += 1;
                u32::MAX - self.alone
            }
            id => id,
        };
        old.link.id == 0 || (old.link.delta == new.link.delta && self.same(old.link.id, link))
    }

    fn pointer_covers(&mut self, old: &Pointer, new: &Pointer) -> bool {
        let kind = match (old.kind, new.kind) {
            // More proven bytes are safe where fewer were; where a packet ends is another thing.
            (PtrKind::Packet(old), PtrKind::Packet(new))
            | (PtrKind::PacketMeta(old), PtrKind::PacketMeta(new)) => old == new || (0 <= old && old < new),
            // How often it was moved does not matter.
            (PtrKind::Iter { ty, active, .. }, PtrKind::Iter { ty: new, active: still, .. }) => {
                ty == new && active == still
            }
            (old, new) => old == new,
        };
        kind && old.off == new.off
            && old.nullable == new.nullable
            && old.var.includes(&new.var)
            && self.same(old.id, new.id)
            && self.same(old.reference, new.reference)
            && self.same(old.owner, new.owner)
            && old.in_packet == new.in_packet
    }

    fn stack_covers(&mut self, old: &[StackSlot], new: &[StackSlot], lenient: bool) -> bool {
        let nothing = StackSlot::default();
        let mut pairs = old.iter().enumerate().map(|(at, old)| (old, new.get(at).unwrap_or(&nothing)));
        pairs.all(|(old, new)| self.slot_covers(old, new, lenient))
    }

    fn slot_covers(&mut self, old: &StackSlot, new: &StackSlot, lenient: bool) -> bool {
        let is_number = matches!(new.spilled, Reg::Scalar(_));
        let held = new.spilled.as_pointer().is_some_and(|p| p.reference != 0);
        let bytes = old.bytes.iter().zip(&new.bytes).all(|(old, byte)| match (old, byte) {
            // An iterator or what must be given back may be found where nothing is read.
            (Byte::Invalid | Byte::Misc, Byte::Iter) | (Byte::Misc, Byte::Dynptr) => false,
            (Byte::Invalid, Byte::Dynptr) => !held,
            (Byte::Invalid, _) => true,
            (Byte::Misc, Byte::Misc | Byte::Zero) => true,
            (Byte::Misc, Byte::Invalid) => lenient,
            (Byte::Misc, Byte::Spilled) => is_number,
            (Byte::Zero, Byte::Zero) | (Byte::Spilled, Byte::Spilled) => true,
            (Byte::Iter, Byte::Iter) | (Byte::Dynptr, Byte::Dynptr) => true,
            (Byte::Zero | Byte::Spilled | Byte::Iter | Byte::Dynptr, _) => false,
        });
        bytes && (!old.holds_register() || self.reg_covers(&old.spilled, &new.spilled))
    }

    fn reg_equals(&mut self, old: &Reg, new: &Reg) -> bool {
        match (old, new) {
            (Reg::Uninit, Reg::Uninit) => true,
            (Reg::Scalar(a), Reg::Scalar(b)) => {
                a.value == b.value && a.link.delta == b.link.delta && self.same(a.link.id, b.link.id)
            }
            (Reg::Pointer(a), Reg::Pointer(b)) => {
                (a.kind, a.off, a.var, a.nullable, a.in_packet)
                    == (b.kind, b.off, b.var, b.nullable, b.in_packet)
                    && self.same(a.id, b.id)
                    && self.same(a.owner, b.owner)
                    && self.same(a.reference, b.reference)
            }
            (Reg::Uninit | Reg::Scalar(_) | Reg::Pointer(_), _) => false,
        }
    }

    fn stack_equals(&mut self, old: &[StackSlot], new: &[StackSlot]) -> bool {
        old.len() == new.len()
            && old.iter().zip(new).all(|(a, b)| {
                a.bytes == b.bytes && (!a.holds_register() || self.reg_equals(&a.spilled, &b.spilled))
            })
    }
}
