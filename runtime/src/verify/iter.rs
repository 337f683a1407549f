//! Open-coded iterators: made in the program's stack, moved in a loop, ended.
//!
//! A call that moves one has two outcomes: there is an element, or there is none and the iterator
//! is used up. The loop ends at the second. The first goes round until a state recurs that an open
//! state at the same call covers: the iterator alone bounds the number of rounds. Numbers that
//! change from round to round and did not matter so far are forgotten, so that this happens soon
//! (kernel `process_iter_next_call`, `widen_imprecise_scalars`).

use alloc::boxed::Box;

use skep_stdlib::isa::Reg as R;
use skep_stdlib::kfuncs::{Flags, Kfunc};

use super::marks::Place;
use super::reg::{Pointer, PtrKind, Reg};
use super::region::Callee;
use super::scalar::Scalar;
use super::stack;
use super::state::{Byte, Reference, StackSlot, State};
use super::walk::{Check, Next, Walk};

/// Where an iterator lies: the frame's depth, the offset of its first byte, its bytes.
#[derive(Clone, Copy)]
struct Home {
    depth: u32,
    start: i32,
    size: i32,
}

impl Home {
    /// Offsets of its stack slots.
    fn offsets(self) -> impl Iterator<Item = i32> {
        (self.start..self.start + self.size).step_by(8)
    }
}

impl Walk<'_> {
    /// A call of a function of an iterator whose structure has this type and size. `element` is
    /// what moving it gives.
    pub(super) fn iterate(
        &mut self,
        state: &mut State,
        slot: u32,
        row: &'static Kfunc,
        ty: u32,
        size: u32,
        element: Reg,
    ) -> Check<Next> {
        let home = self.iterator_home(state, row, size)?;
        let after = Next::To(slot + 1);
        if row.flags.has(Flags::ITER_NEW) {
            self.make(state, slot, row, home, ty)?;
            state.clobber(Reg::unknown(slot));
            return Ok(after);
        }
        let found = self.iterator(state, home, ty);
        let pointer = found.ok_or_else(|| {
            Callee::Function(row.name).wrong(1, "an iterator of this type", &state.frame().regs[1])
        })?;
        if row.flags.has(Flags::ITER_DESTROY) {
            for offset in home.offsets() {
                *state.frames[home.depth as usize].slot_mut(offset) = StackSlot::default();
            }
            state.references.retain(|held| held.id != pointer.reference);
            state.clobber(Reg::Uninit);
            return Ok(after);
        }
        let PtrKind::Iter { active, depth, .. } = pointer.kind else { return Ok(after) };
        let none = Reg::constant(0, slot);
        if !active {
            state.clobber(none);
            return Ok(after);
        }
        let mut more = state.clone();
        self.set(&mut more, home, PtrKind::Iter { ty, active: true, depth: depth + 1 });
        // The newest state kept here is the one before this very call.
        self.widen(&mut more, slot, 1);
        more.clobber(match element {
            Reg::Pointer(p) => Reg::Pointer(Pointer { nullable: false, ..p }),
            other => other,
        });
        self.set(state, home, PtrKind::Iter { ty, active: false, depth });
        state.clobber(none);
        // The end of the loop is walked first.
        Ok(Next::Both(slot + 1, slot + 1, Box::new(more)))
    }

    fn iterator_home(&mut self, state: &State, row: &'static Kfunc, size: u32) -> Check<Home> {
        let reg = state.frame().regs[1];
        let wrong = || Callee::Function(row.name).wrong(1, "the address of an iterator on the stack", &reg);
        let Reg::Pointer(p) = reg else { return Err(wrong()) };
        let PtrKind::Stack(depth) = p.kind else { return Err(wrong()) };
        if !p.is_fixed() || p.off % 8 != 0 {
            return Err(wrong());
        }
        let access = super::mem::access(&p, R::R1, 0, size.next_multiple_of(8), true);
        let (start, end) = stack::bounds(&access)?;
        self.touch_stack(state, depth, start);
        Ok(Home { depth, start, size: end - start })
    }

    fn make(&mut self, state: &mut State, slot: u32, row: &'static Kfunc, home: Home, ty: u32) -> Check {
        let frame = &state.frames[home.depth as usize];
        let taken = |offset| frame.slot(offset).is_some_and(|stored| stored.bytes.contains(&Byte::Iter));
        if home.offsets().any(taken) {
            self.read_stack(home.depth, home.start, home.start + home.size);
            let reg = state.frame().regs[1];
            return Err(Callee::Function(row.name).wrong(1, "stack that holds no iterator", &reg));
        }
        // That there was none is something that was read.
        self.read_stack(home.depth, home.start, home.start + home.size);
        let id = self.fresh_id();
        state.references.push(Reference { id, slot });
        let kind = PtrKind::Iter { ty, active: true, depth: 0 };
        for (index, offset) in (0..).zip(home.offsets()) {
            let var = Scalar::constant(0);
            let pointer = Pointer { kind, off: index, var, id, reference: id, nullable: false, slot };
            let stored = StackSlot { bytes: [Byte::Iter; 8], spilled: Reg::Pointer(pointer) };
            *state.frames[home.depth as usize].slot_mut(offset) = stored;
        }
        Ok(())
    }

    /// The iterator of this type, if one lies there whole.
    fn iterator(&mut self, state: &State, home: Home, ty: u32) -> Option<Pointer> {
        self.read_stack(home.depth, home.start, home.start + home.size);
        let frame = &state.frames[home.depth as usize];
        let mut first: Option<Pointer> = None;
        for (index, offset) in (0..).zip(home.offsets()) {
            let stored = frame.slot(offset).filter(|stored| stored.bytes == [Byte::Iter; 8])?;
            let Reg::Pointer(pointer) = stored.spilled else { return None };
            let known = first.get_or_insert(pointer);
            let ours = matches!(pointer.kind, PtrKind::Iter { ty: own, .. } if own == ty);
            if !ours || pointer.off != index || pointer.id != known.id {
                return None;
            }
        }
        first
    }

    fn set(&mut self, state: &mut State, home: Home, kind: PtrKind) {
        for offset in home.offsets() {
            let stored = state.frames[home.depth as usize].slot_mut(offset);
            if let Reg::Pointer(pointer) = &mut stored.spilled {
                pointer.kind = kind;
            }
        }
    }

    /// Forgets the numbers that changed since the last round and did not matter.
    pub(super) fn widen(&mut self, state: &mut State, slot: u32, newer: usize) {
        let Some((before, precise)) = self.store.last_round(slot, state, newer) else { return };
        let mut changed = alloc::vec::Vec::new();
        state.each_place(|place, reg| {
            if let (Reg::Scalar(new), Some(Reg::Scalar(old))) = (reg, before.at(place))
                && !precise.contains(place)
                && new.value != old.value
            {
                changed.push(place);
            }
        });
        for place in changed {
            match place {
                Place::Reg(depth, number) => {
                    state.frames[usize::from(depth)].regs[usize::from(number)] = Reg::unknown(slot);
                }
                Place::Slot(depth, index) => {
                    let stored = &mut state.frames[usize::from(depth)].stack[usize::from(index)];
                    let width = stored.bytes.iter().filter(|&&byte| byte == Byte::Spilled).count();
                    stored.spilled = Reg::scalar(Scalar::of_bytes(width as u32), slot);
                }
            }
        }
    }
}
