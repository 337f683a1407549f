//! Spin locks: one is held at a time, for a stretch in which no function is called but those that
//! need it, and which ends before the program does (kernel `process_spin_lock`).
//!
//! A lock is known by where it lies: the map and the number of the lookup that found its value, or
//! the number of the object.

use skep_stdlib::programs::ProgType;

use super::call::Call;
use super::fields::Field;
use super::held::LOCK;
use super::reg::{Hold, Pointer, PtrKind, Reg};
use super::region::Callee;
use super::report::Cause;
use super::state::State;
use super::walk::{Check, Walk};

/// What a lock protects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guards {
    /// A value of this map.
    Value(u32),
    /// An allocated object.
    Object,
}

/// A lock that is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lock {
    /// What it protects.
    pub guards: Guards,
    /// The number of that value or object.
    pub id: u32,
    /// The call that took it.
    pub slot: u32,
}

/// Kernel functions that may be called while a lock is held.
const ALLOWED: &[&str] = &[
    "bpf_list_push_front_impl",
    "bpf_list_push_back_impl",
    "bpf_list_pop_front",
    "bpf_list_pop_back",
    "bpf_list_front",
    "bpf_list_back",
    "bpf_rbtree_add_impl",
    "bpf_rbtree_remove",
    "bpf_rbtree_first",
    "bpf_rbtree_root",
    "bpf_rbtree_left",
    "bpf_rbtree_right",
    "bpf_refcount_acquire_impl",
    "bpf_iter_num_new",
    "bpf_iter_num_next",
    "bpf_iter_num_destroy",
];

/// Programs of these types may not use maps with these fields.
const UNAVAILABLE: &[(&[Field], &[ProgType])] = &[
    (&[Field::SpinLock], &[ProgType::SocketFilter]),
    (
        &[Field::SpinLock, Field::Timer, Field::Work, Field::ListHead, Field::TreeRoot],
        &[
            ProgType::Kprobe,
            ProgType::Tracepoint,
            ProgType::PerfEvent,
            ProgType::RawTracepoint,
            ProgType::RawTracepointWritable,
        ],
    ),
];

impl Guards {
    /// What the lock in the thing that a pointer points to would protect.
    pub fn of(pointer: &Pointer) -> Option<Guards> {
        match pointer.kind {
            PtrKind::MapValue(map) => Some(Guards::Value(map)),
            PtrKind::Object { .. } => Some(Guards::Object),
            _ => None,
        }
    }
}

impl Walk<'_> {
    /// The lock in argument `number`.
    pub(super) fn lock(&mut self, state: &State, slot: u32, callee: &Callee<'_>, number: u8) -> Check<Lock> {
        let reg = state.frame().regs[usize::from(number)];
        let found = match reg {
            Reg::Pointer(p) => self.field_at(&p, Field::SpinLock).and(Guards::of(&p)).zip(Some(p.id)),
            Reg::Scalar(_) | Reg::Uninit => None,
        };
        match found {
            Some((guards, id)) => Ok(Lock { guards, id, slot }),
            None => Err(callee.wrong(number, "the address of a spin lock", &reg)),
        }
    }

    /// Takes the lock, or gives it back.
    pub(super) fn use_lock(&self, state: &mut State, slot: u32, name: &str, call: &Call) -> Check {
        let Some(lock) = call.lock else { return Ok(()) };
        match (state.lock, name == "spin_lock") {
            (None, true) => {
                state.lock = Some(lock);
                Ok(())
            }
            (Some(held), true) => Err(Cause::Locked { taken: held.slot, callee: "bpf_spin_lock".into() }),
            (Some(held), false) if (held.guards, held.id) == (lock.guards, lock.id) => {
                state.lock = None;
                self.forget_borrowed(state, slot);
                Ok(())
            }
            (held, false) => {
                let log = match held {
                    Some(_) => "bpf_spin_unlock of different lock",
                    None => "bpf_spin_unlock without taking a lock",
                };
                Err(Cause::Unbalanced { what: LOCK, log: log.into() })
            }
        }
    }

    /// May this be called now?
    pub(super) fn check_unlocked(&self, state: &State, callee: &str) -> Check {
        match state.lock {
            // The tree is being changed.
            Some(lock) if state.comparing > 0 => {
                Err(Cause::Locked { taken: lock.slot, callee: callee.into() })
            }
            Some(lock) if !ALLOWED.contains(&callee) && callee != "bpf_spin_unlock" => {
                Err(Cause::Locked { taken: lock.slot, callee: callee.into() })
            }
            _ => Ok(()),
        }
    }

    /// May this program use a map with the fields that its values have?
    pub(super) fn check_map_fields(&mut self, map: u32) -> Check {
        let ty = self.cx.prog_type;
        let refused =
            |field: Field| UNAVAILABLE.iter().any(|row| row.0.contains(&field) && row.1.contains(&ty));
        match self.special_fields(map).iter().find(|special| refused(special.field)) {
            Some(special) => Err(Cause::MapField { map, field: special.name, program: ty.info().name }),
            None => Ok(()),
        }
    }

    /// The field of this kind that a pointer points to.
    pub(super) fn field_at(&mut self, pointer: &Pointer, field: Field) -> Option<super::fields::Special> {
        if pointer.nullable {
            return None;
        }
        let offset = i64::from(pointer.off) + pointer.var.value()? as i64;
        let fields = self.fields_behind(pointer);
        fields.iter().find(|special| special.field == field && i64::from(special.offset) == offset).copied()
    }

    /// Pointers to objects that others own, which the lock kept alive, may not be used any more.
    pub(super) fn forget_borrowed(&self, state: &mut State, slot: u32) {
        let stale = self.cx.stale(slot);
        state.for_each_reg(|reg| {
            if let Reg::Pointer(p) = reg
                && let PtrKind::Object { hold: Hold::Borrowed, .. } = p.kind
            {
                *reg = stale;
            }
        });
    }
}
