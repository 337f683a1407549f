//! Functions of the program that the kernel calls later: those of timers and work queues.
//!
//! Such a function is walked once, apart from the program: it gets the map, the key and the value
//! with the timer, nothing is held when it begins, and it returns 0 (kernel `push_async_cb`).

use super::call::Call;
use super::fields::Field;
use super::reg::{Pointer, PtrKind, Reg};
use super::region::Callee;
use super::report::Cause;
use super::state::{Frame, Role, State};
use super::walk::{Check, Walk};

/// A function that is called later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Later {
    /// Its first slot.
    pub start: u32,
    /// The map whose value it gets.
    pub map: u32,
    /// Whether it may sleep: work may, timers may not.
    pub sleepable: bool,
}

/// Functions that set one: the name, whether what they set may sleep.
const SETTERS: &[(&str, bool)] = &[("timer_set_callback", false), ("bpf_wq_set_callback_impl", true)];

/// Is it a function that sets one, and may that sleep?
pub fn sets(name: &str) -> Option<bool> {
    SETTERS.iter().find(|row| row.0 == name).map(|row| row.1)
}

impl Walk<'_> {
    /// The timer or work in argument `number`: the map of its value, and the number of an inner map.
    pub(super) fn deferred(
        &mut self,
        state: &State,
        callee: &Callee<'_>,
        number: u8,
        field: Field,
    ) -> Check<(u32, u32)> {
        let reg = state.frame().regs[usize::from(number)];
        match reg {
            Reg::Pointer(p) if self.field_at(&p, field).is_some() => match p.kind {
                PtrKind::MapValue(map) => Ok((map, p.owner)),
                _ => Err(callee.wrong(number, "the address of a timer in a map value", &reg)),
            },
            _ => Err(callee.wrong(number, "the address of a timer in a map value", &reg)),
        }
    }

    /// Is the map in a register the one whose value was an earlier argument?
    pub(super) fn check_same_map(callee: &Callee<'_>, number: u8, reg: &Reg, call: &Call) -> Check {
        match (call.deferred, reg) {
            (Some((map, owner)), Reg::Pointer(p)) if p.kind != PtrKind::Map(map) || p.owner != owner => {
                Err(callee.wrong(number, "the map with the timer", reg).logged(match owner {
                    0 => alloc::format!("pointer in R{number} is another map"),
                    _ => alloc::format!(
                        "timer pointer in R1 map_uid={owner} doesn't match map pointer in R2 map_uid={}",
                        p.owner
                    ),
                }))
            }
            _ => Ok(()),
        }
    }

    /// The function at `start` will be called.
    pub(super) fn call_later(&mut self, name: &str, start: u32, call: &Call) -> Check {
        let Some((map, _)) = call.deferred else {
            return Err(Cause::Unsupported { what: "a function that is called later".into() });
        };
        let sleepable = sets(name).unwrap_or(false);
        self.later.insert(Later { start, map, sleepable });
        self.depths.entry(start).or_default();
        Ok(())
    }

    /// The state in which such a function begins.
    pub(super) fn later_state(&mut self, later: Later) -> State {
        let mut frame = Frame::new(0, later.start, None);
        let owner = self.fresh_id();
        let pointer = |kind| match Reg::pointer(kind, later.start) {
            Reg::Pointer(p) if later.map & super::reg::INNER != 0 => Reg::Pointer(Pointer { owner, ..p }),
            other => other,
        };
        let size = self.cx.map(later.map).map_or(0, |def| def.key_size);
        frame.regs[1] = pointer(PtrKind::Map(later.map));
        frame.regs[2] = Reg::pointer(PtrKind::Mem { size, writable: false }, later.start);
        frame.regs[3] = pointer(PtrKind::MapValue(later.map));
        State {
            frames: alloc::vec![frame],
            role: Role::Later,
            sleepable: later.sleepable,
            ..State::default()
        }
    }
}
