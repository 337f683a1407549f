//! When one state covers another: the comparison that pruning rests on.
//!
//! If every behaviour from the new state is also one from an old state that was found safe, the
//! new one need not be walked. What was never read of the old state is gone from it when its walk
//! has ended ([`State::clean`]), and numbers that never mattered may be any number.

use alloc::vec::Vec;

use super::marks::{Marks, Place};
use super::reg::{Link, Num, Pointer, PtrKind, Reg};
use super::scalar::Scalar;
use super::state::{Byte, Frame, StackSlot, State};

/// The numbers of an old state that a new one must agree with.
#[derive(Clone, Copy)]
pub enum Matter<'a> {
    /// Those that mattered after it: all of that is known.
    Marked(&'a Marks),
    /// Those that mattered as far as is known; of the stack, what was read as far as is known.
    SoFar { precise: &'a Marks, reads: &'a Marks },
    /// All, for none was looked for: users without capabilities.
    Numbers,
    /// All, for paths from it are open: what it did not hold may not be held.
    All,
}

/// What a kernel looks at besides.
#[derive(Clone, Copy)]
pub struct Terms {
    /// Stack may be read that was never written.
    pub lenient: bool,
    /// Numbers must be the same, whether or not they mattered.
    pub exact: bool,
}

impl Matter<'_> {
    fn has(self, place: Place) -> bool {
        match self {
            Matter::Marked(precise) | Matter::SoFar { precise, .. } => precise.contains(place),
            Matter::Numbers | Matter::All => true,
        }
    }

    fn is_all(self) -> bool {
        matches!(self, Matter::All)
    }

    /// Was this slot of the stack read? Else it is one that was cleaned, but for that being done.
    fn is_read(self, place: Place) -> bool {
        match self {
            Matter::SoFar { reads, .. } => reads.contains(place),
            Matter::Marked(_) | Matter::Numbers | Matter::All => true,
        }
    }
}

impl State {
    /// Forgets what nothing depended on, given the registers that are live in each frame and the
    /// stack slots that were read.
    pub fn clean(&mut self, live: impl Fn(usize, &Frame) -> u16, reads: &Marks) {
        for (depth, frame) in self.frames.iter_mut().enumerate() {
            let live = live(depth, frame);
            for (number, reg) in frame.regs.iter_mut().enumerate().take(10) {
                if live & (1 << number) == 0 {
                    *reg = Reg::Uninit;
                }
            }
            for (index, stored) in frame.stack.iter_mut().enumerate() {
                if !reads.contains(Place::Slot(depth as u8, index as u8)) {
                    *stored = StackSlot::default();
                }
            }
            let used = frame.stack.iter().rposition(|stored| *stored != StackSlot::default());
            frame.stack.truncate(used.map_or(0, |last| last + 1));
            frame.stack.shrink_to_fit();
        }
    }

    /// Does `self`, in which these registers are live in each frame and these numbers matter, allow
    /// everything that `new` allows?
    pub fn covers(
        &self,
        new: &State,
        live: impl Fn(usize, &Frame) -> u16,
        matter: Matter<'_>,
        terms: Terms,
    ) -> bool {
        self.same_shape(new)
            && Ids { exact: terms.exact, ..Ids::default() }.all(self, new, |ids, depth, old, new| {
                let live = live(depth, old);
                (0..10).all(|at| {
                    live & (1 << at) == 0
                        || ids.reg_covers(
                            &old.regs[at],
                            &new.regs[at],
                            matter.has(Place::Reg(depth as u8, at as u8)),
                            matter.is_all(),
                        )
                }) && old.stack.iter().enumerate().all(|(at, stored)| {
                    let place = Place::Slot(depth as u8, at as u8);
                    let stored = if matter.is_read(place) { stored } else { &StackSlot::default() };
                    let matters = matter.has(place);
                    ids.slot_covers(stored, new.stack.get(at), matters, terms.lenient)
                })
            })
    }

    /// Is there no difference at all, but for the numbers of ids?
    pub fn equals(&self, new: &State) -> bool {
        self.same_shape(new)
            && self.rounds == new.rounds
            && Ids::default().all(self, new, |ids, _, old, new| {
                old.rounds == new.rounds
                    && old.regs[..10].iter().zip(&new.regs).all(|(old, new)| ids.reg_equals(old, new))
                    && ids.stack_equals(&old.stack, &new.stack)
            })
    }

    /// Where both have a number and it is not exactly the same (kernel `regs_exact`).
    pub fn other_numbers(&self, new: &State) -> Vec<Place> {
        let (mut ids, mut places) = (Ids::default(), Vec::new());
        new.each_place(|place, reg| {
            if let (Reg::Scalar(_), Some(old @ Reg::Scalar(_))) = (reg, self.at(place))
                && !ids.reg_equals(old, reg)
            {
                places.push(place);
            }
        });
        places
    }

    fn same_shape(&self, new: &State) -> bool {
        self.frames.len() == new.frames.len()
            // What is safe where no run comes may not be where one does.
            && (new.guessed || !self.guessed)
            && self.references.len() == new.references.len()
            && (self.rcu, self.preempt, self.sleepable) == (new.rcu, new.preempt, new.sleepable)
            && (self.role, self.comparing) == (new.role, new.comparing)
            && self.interrupts.len() == new.interrupts.len()
            && self.locks.len() == new.locks.len()
            && self.locks.iter().zip(&new.locks).all(|(a, b)| (a.kind, a.guards) == (b.kind, b.guards))
            && self.frames.iter().zip(&new.frames).all(|(a, b)| {
                // A helper that called back less often may do so more often from now on.
                (a.start, a.call, a.callback) == (b.start, b.call, b.callback) && a.rounds <= b.rounds
            })
    }
}

impl StackSlot {
    /// Does its register say what it holds?
    fn holds_register(&self) -> bool {
        self.bytes.iter().any(|byte| matches!(byte, Byte::Spilled | Byte::Held | Byte::Dynptr))
    }

    /// The number that all of it is, if it is one; bytes of which nothing is known are one too.
    fn number(&self, lenient: bool) -> Option<Num> {
        match self.spilled {
            Reg::Scalar(num) if self.bytes[7] == Byte::Spilled => Some(num),
            _ => {
                let is_any = |byte: &Byte| *byte == Byte::Misc || (lenient && *byte == Byte::Invalid);
                let any = Num { value: Scalar::UNKNOWN, link: Link::NONE, slot: 0 };
                self.bytes.iter().all(is_any).then_some(any)
            }
        }
    }
}

/// Do both differ from their copies in the same way?
fn differ_alike(a: &Link, b: &Link) -> bool {
    (a.delta, a.step) == (b.delta, b.step)
}

/// How ids of an old state correspond to those of a new one: one to one.
#[derive(Default)]
struct Ids {
    pairs: Vec<(u32, u32)>,
    /// Numbers without copies that were given an id, counted down from the largest.
    alone: u32,
    /// Numbers must be the same.
    exact: bool,
}

impl Ids {
    /// Compares the frames, the running one first: it is the one that differs most often.
    fn all(
        mut self,
        old: &State,
        new: &State,
        mut frame: impl FnMut(&mut Ids, usize, &Frame, &Frame) -> bool,
    ) -> bool {
        let mut frames = old.frames.iter().zip(&new.frames).enumerate().rev();
        frames.all(|(depth, (old, new))| frame(&mut self, depth, old, new))
            && old.references.iter().zip(&new.references).all(|(old, new)| self.same(old.id, new.id))
            && old.interrupts.iter().zip(&new.interrupts).all(|(old, new)| self.same(old.id, new.id))
            && old.locks.iter().zip(&new.locks).all(|(old, new)| self.same(old.id, new.id))
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

    /// `matters` is whether the number in the old one does; `exactly` is whether what the old one did
    /// not hold may not be held now.
    fn reg_covers(&mut self, old: &Reg, new: &Reg, matters: bool, exactly: bool) -> bool {
        match (old, new) {
            // What was safe without reading a register is safe whatever it holds.
            (Reg::Uninit, Reg::Uninit) => true,
            (Reg::Uninit, _) => !exactly,
            (Reg::Scalar(old), Reg::Scalar(new)) => !(matters || self.exact) || self.num_covers(old, new),
            (Reg::Pointer(old), Reg::Pointer(new)) => self.pointer_covers(old, new),
            (Reg::Scalar(_) | Reg::Pointer(_), _) => false,
        }
    }

    fn num_covers(&mut self, old: &Num, new: &Num) -> bool {
        if !old.value.includes(&new.value) || (self.exact && old.value != new.value) {
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
        old.link.id == 0 || (differ_alike(&old.link, &new.link) && self.same(old.link.id, link))
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

    /// As the kernel's `stacksafe`, but for what belongs to the kernel.
    fn slot_covers(
        &mut self,
        old: &StackSlot,
        new: Option<&StackSlot>,
        matters: bool,
        lenient: bool,
    ) -> bool {
        let nothing = StackSlot::default();
        let given = new.unwrap_or(&nothing);
        let held = given.spilled.as_pointer().is_some_and(|p| p.reference != 0);
        let may_hide = |byte: Byte, of: Byte| match byte {
            // What must be given back may be found where nothing is read.
            Byte::Held => false,
            Byte::Dynptr => of == Byte::Invalid && !held,
            Byte::Invalid | Byte::Misc | Byte::Zero | Byte::Spilled => true,
        };
        let ignored = |byte: Byte| byte == Byte::Invalid || (lenient && byte == Byte::Misc);
        let mut pairs = old.bytes.iter().zip(&given.bytes);
        if !pairs.all(|(&old, &new)| !ignored(old) || may_hide(new, old)) {
            return false;
        }
        if old.bytes.iter().all(|&byte| ignored(byte)) {
            return true;
        }
        if new.is_none() {
            return false;
        }
        if let (Some(old), Some(new)) = (old.number(lenient), given.number(lenient)) {
            return !(matters || self.exact) || self.num_covers(&old, &new);
        }
        let mut pairs = old.bytes.iter().zip(&given.bytes);
        pairs.all(|(&old, &new)| ignored(old) || old == new || (old, new) == (Byte::Misc, Byte::Zero))
            && (!old.holds_register() || self.reg_covers(&old.spilled, &given.spilled, matters, false))
    }

    fn reg_equals(&mut self, old: &Reg, new: &Reg) -> bool {
        match (old, new) {
            (Reg::Uninit, Reg::Uninit) => true,
            (Reg::Scalar(a), Reg::Scalar(b)) => {
                a.value == b.value && differ_alike(&a.link, &b.link) && self.same(a.link.id, b.link.id)
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
