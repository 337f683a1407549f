//! Functions of the program that the kernel calls later: those of timers, work queues and deferred work
//! of tasks.
//!
//! Such a function is walked apart from the program, once for each time that a path sets it, right after
//! that path: it gets the map, the key and the value, and nothing is held when it begins
//! (kernel `push_async_cb`).

use alloc::format;

use super::call::Call;
use super::fields::Field;
use super::reg::{Pointer, PtrKind, Reg};
use super::region::Callee;
use super::report::Cause;
use super::state::{Frame, Role, State};
use super::walk::{Check, Walk};

/// The number of the helper `timer_set_callback`.
pub const TIMER: i32 = 170;

/// A function that is given one.
pub struct Setter {
    name: &'static str,
    /// What that is, which says what it must return.
    role: Role,
    /// May it sleep?
    sleepable: bool,
}

const SETTERS: &[Setter] = &[
    Setter { name: "timer_set_callback", role: Role::Later, sleepable: false },
    Setter { name: "bpf_wq_set_callback_impl", role: Role::Later, sleepable: true },
    Setter { name: "bpf_task_work_schedule_signal_impl", role: Role::InTask, sleepable: true },
    Setter { name: "bpf_task_work_schedule_resume_impl", role: Role::InTask, sleepable: true },
];

/// What holds the function: the structure, the field, the kernel's word for it.
const HOLDERS: &[(&str, Field, &str)] = &[
    ("bpf_timer", Field::Timer, "timer"),
    ("bpf_wq", Field::Work, "workqueue"),
    ("bpf_task_work", Field::TaskWork, "bpf_task_work"),
];

/// A timer or work in a map value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deferred {
    map: u32,
    /// The number of an inner map, 0 for none.
    owner: u32,
    field: Field,
    /// The argument that it is.
    number: u8,
}

/// The function with this name, if it is one that is given a function which is called later.
pub fn setter(name: &str) -> Option<&'static Setter> {
    SETTERS.iter().find(|row| row.name == name)
}

/// The field that an argument of a pointer to this structure must be.
pub fn field_of(structure: &str) -> Option<Field> {
    HOLDERS.iter().find(|row| row.0 == structure).map(|row| row.1)
}

impl Walk<'_> {
    /// The timer or work in argument `number`.
    pub(super) fn deferred(
        &mut self,
        state: &State,
        callee: &Callee<'_>,
        number: u8,
        field: Field,
    ) -> Check<Deferred> {
        let reg = state.frame().regs[usize::from(number)];
        let wrong = || callee.wrong(number, "the address of a timer or of work in a map value", &reg);
        let Some((p, map)) = reg.as_pointer().and_then(|p| match p.kind {
            PtrKind::MapValue(map) if !p.nullable => Some((*p, map)),
            _ => None,
        }) else {
            return Err(callee.worded(wrong(), format!("arg#{} doesn't point to a map value", number - 1)));
        };
        if self.field_at(&p, field).is_some() {
            return Ok(Deferred { map, owner: p.owner, field, number });
        }
        let structure = HOLDERS.iter().find(|row| row.1 == field).map_or("", |row| row.0);
        Err(wrong().logged(self.no_field(&p, number, structure, field)))
    }

    /// Is the map in a register the one whose value was an earlier argument?
    pub(super) fn check_same_map(callee: &Callee<'_>, number: u8, reg: &Reg, call: &Call) -> Check {
        match (call.deferred, reg) {
            (Some(it), Reg::Pointer(p)) if p.kind != PtrKind::Map(it.map) || p.owner != it.owner => {
                let word = HOLDERS.iter().find(|row| row.1 == it.field).map_or("", |row| row.2);
                let log = format!(
                    "{word} pointer in R{} map_uid={} doesn't match map pointer in R{number} map_uid={}",
                    it.number, it.owner, p.owner
                );
                Err(callee.wrong(number, "the map that holds the value", reg).logged(log))
            }
            _ => Ok(()),
        }
    }

    /// The function at `start` will be called: it is walked next, with what it gets.
    pub(super) fn call_later(&mut self, state: &State, setter: &Setter, start: u32, call: &Call) -> Check {
        let Some(Deferred { map, .. }) = call.deferred else {
            return Err(Cause::Unsupported { what: "a function that is called later".into() });
        };
        self.later.insert(start);
        self.depths.entry(start).or_default();
        self.log_frame();
        let mut frame = Frame::new(0, start, None);
        frame.entries = state.frame().entries + 1;
        let owner = self.fresh_id();
        let pointer = |kind| match Reg::pointer(kind, start) {
            Reg::Pointer(p) if map & super::reg::INNER != 0 => Reg::Pointer(Pointer { owner, ..p }),
            other => other,
        };
        let size = self.cx.map(map).map_or(0, |def| def.key_size);
        frame.regs[1] = pointer(PtrKind::Map(map));
        frame.regs[2] = Reg::pointer(PtrKind::Mem { size, writable: false }, start);
        frame.regs[3] = pointer(PtrKind::MapValue(map));
        let frames = alloc::vec![frame];
        let later = State { frames, role: setter.role, sleepable: setter.sleepable, ..State::default() };
        self.begin(later, start)
    }
}
