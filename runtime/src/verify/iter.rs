//! Open-coded iterators: made in the program's stack, moved in a loop, ended.
//!
//! A call that moves one has two outcomes: there is an element, or there is none and the iterator
//! is used up. The loop ends at the second. The first goes round until a state recurs that an open
//! state at the same call covers: the iterator alone bounds the number of rounds (kernel
//! `process_iter_next_call`, see `rounds`).

use alloc::boxed::Box;
use alloc::format;

use skep_stdlib::kfuncs::{Flags, Kfunc};

use super::home::Home;
use super::reg::{Pointer, PtrKind, Reg};
use super::region::Callee;
use super::state::{Byte, Reference, StackSlot, State};
use super::walk::{Check, Next, Walk};

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
        let callee = Callee::Function(row.name);
        let home = self
            .home(state, &callee, 1, size, "the address of an iterator on the stack")
            .map_err(|cause| cause.logged("arg#0 expected pointer to an iterator on stack"))?;
        let after = Next::To(slot + 1);
        if row.flags.has(Flags::ITER_NEW) {
            self.make(state, slot, row, home, ty)?;
            state.clobber(Reg::unknown(slot));
            return Ok(after);
        }
        let found = self.iterator(state, home, ty);
        let pointer = found.ok_or_else(|| {
            let log = format!("expected an initialized {} as arg #0", kernel_name(row.name));
            Callee::Function(row.name)
                .wrong(1, "an iterator of this type", &state.frame().regs[1])
                .logged(log)
        })?;
        if row.flags.has(Flags::ITER_DESTROY) {
            home.clear(state);
            self.release(state, slot, pointer.reference);
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
            // What lies in the iterator is gone with that.
            Reg::Pointer(p) if matches!(p.kind, PtrKind::Mem { .. }) => {
                Reg::Pointer(Pointer { nullable: false, reference: pointer.reference, ..p })
            }
            Reg::Pointer(p) => Reg::Pointer(Pointer { nullable: false, ..p }),
            other => other,
        });
        self.set(state, home, PtrKind::Iter { ty, active: false, depth });
        state.clobber(none);
        // The end of the loop is walked first.
        Ok(Next::Both(slot + 1, slot + 1, Box::new(more)))
    }

    fn make(&mut self, state: &mut State, slot: u32, row: &'static Kfunc, home: Home, ty: u32) -> Check {
        // That there was none is something that was read.
        self.read_home(home);
        if home.holds(state, Byte::Held) {
            let reg = state.frame().regs[1];
            let log = format!("expected uninitialized {} as arg #0", kernel_name(row.name));
            return Err(Callee::Function(row.name)
                .wrong(1, "stack that holds no iterator", &reg)
                .logged(log));
        }
        self.destroy_dynptrs(state, slot, home.depth, home.start, home.start + home.size)?;
        self.wrote_home(home);
        let id = self.fresh_id();
        state.references.push(Reference { id, slot });
        let kind = PtrKind::Iter { ty, active: true, depth: 0 };
        for (index, offset) in (0..).zip(home.offsets()) {
            let Reg::Pointer(p) = Reg::pointer(kind, slot) else { continue };
            let spilled = Reg::Pointer(Pointer { off: index, id, reference: id, ..p });
            let stored = StackSlot { bytes: [Byte::Held; 8], spilled };
            *state.frames[home.depth as usize].slot_mut(offset) = stored;
        }
        Ok(())
    }

    /// The iterator of this type, if one lies there whole.
    fn iterator(&mut self, state: &State, home: Home, ty: u32) -> Option<Pointer> {
        self.read_home(home);
        let frame = &state.frames[home.depth as usize];
        let mut first: Option<Pointer> = None;
        for (index, offset) in (0..).zip(home.offsets()) {
            let stored = frame.slot(offset).filter(|stored| stored.bytes == [Byte::Held; 8])?;
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
}

/// What the kernel's log calls the iterator of a function: `iter_num` for `bpf_iter_num_next`.
fn kernel_name(function: &str) -> &str {
    let name = function.strip_prefix("bpf_").unwrap_or(function);
    name.rsplit_once('_').map_or(name, |(name, _)| name)
}
