//! Sections without interrupts: entered by functions that leave the flags in a slot of the program's
//! stack, left by those that take them from there, the newest section first (kernel `process_irq_flag`).

use alloc::format;

use super::held::INTERRUPTS;
use super::reg::{Pointer, PtrKind, Reg};
use super::region::Callee;
use super::report::Cause;
use super::state::{Byte, Reference, StackSlot, State};
use super::walk::{Check, Walk};

/// Functions that enter and leave such a section: the name, whether it enters one, whether it is about a
/// lock.
const FUNCTIONS: &[(&str, bool, bool)] = &[
    ("bpf_local_irq_save", true, false),
    ("bpf_local_irq_restore", false, false),
    ("bpf_res_spin_lock_irqsave", true, true),
    ("bpf_res_spin_unlock_irqrestore", false, true),
];

/// Bytes of the flags.
const SIZE: u32 = 8;
const WANTED: &str = "the address of a slot on the stack for the flags of interrupts";

impl Walk<'_> {
    /// Enters or leaves a section; the flags are where argument `number` points to.
    pub(super) fn use_interrupts(&mut self, state: &mut State, slot: u32, name: &str, number: u8) -> Check {
        let Some(&(_, enters, locks)) = FUNCTIONS.iter().find(|row| row.0 == name) else { return Ok(()) };
        let callee = Callee::Function(name);
        let reg = state.frame().regs[usize::from(number)];
        let arg = number - 1;
        let state_of = if enters { "uninitialized" } else { "an initialized" };
        let unexpected = || {
            let log = format!("expected {state_of} irq flag as arg#{arg}");
            callee.wrong(number, WANTED, &reg).logged(log)
        };
        let home = self.home(state, &callee, number, SIZE, WANTED).map_err(|cause| {
            match reg.as_pointer().map(|p| p.kind) {
                Some(PtrKind::Stack(_)) => unexpected(),
                _ => cause.logged(format!("arg#{arg} doesn't point to an irq flag on stack")),
            }
        })?;
        self.read_home(home);
        if enters {
            if home.holds(state, Byte::Held) {
                return Err(unexpected());
            }
            self.destroy_dynptrs(state, slot, home.depth, home.start, home.start + home.size)?;
            let id = self.fresh_id();
            state.interrupts.push(Reference { id, slot });
            if let Reg::Pointer(p) = Reg::pointer(PtrKind::Irq { locks }, slot) {
                let spilled = Reg::Pointer(Pointer { id, reference: id, ..p });
                *state.frames[home.depth as usize].slot_mut(home.start) =
                    StackSlot { bytes: [Byte::Held; 8], spilled };
            }
            return Ok(());
        }
        let stored = state.frames[home.depth as usize].slot(home.start);
        let flags = stored.filter(|stored| stored.bytes == [Byte::Held; 8]);
        let flags = flags.and_then(|stored| stored.spilled.as_pointer());
        let (by_lock, id) = match flags.map(|p| (p.kind, p.id)) {
            Some((PtrKind::Irq { locks }, id)) => (locks, id),
            _ => return Err(unexpected()),
        };
        if by_lock != locks {
            let kind = |locks| if locks { "lock" } else { "native" };
            let log = format!(
                "irq flag acquired by {} kfuncs cannot be restored with {} kfuncs",
                kind(by_lock),
                kind(locks)
            );
            return Err(Cause::Unbalanced { what: INTERRUPTS, log });
        }
        match state.interrupts.last() {
            Some(newest) if newest.id == id => {
                state.interrupts.pop();
                home.clear(state);
                Ok(())
            }
            newest => {
                let (id, at) = newest.map_or((0, 0), |newest| (newest.id, newest.slot));
                let log = format!(
                    "cannot restore irq state out of order, expected id={id} acquired at insn_idx={at}"
                );
                Err(Cause::Unbalanced { what: INTERRUPTS, log })
            }
        }
    }
}
