//! Spin locks: each is held for a stretch in which no function is called but those that need it, and
//! which ends before the program does (kernel `process_spin_lock`).
//!
//! A lock is known by where it lies: the map and the number of the lookup that found its value, or
//! the number of the object. Of plain locks one is held at a time. Taking a resilient lock may fail, on
//! a path of its own, so that several may be held; they are given back in reverse order.

use alloc::format;
use alloc::string::String;

use skep_stdlib::programs::ProgType;

use super::call::Call;
use super::fields::Field;
use super::held::LOCK;
use super::reg::{Hold, Pointer, PtrKind, Reg};
use super::region::Callee;
use super::report::Cause;
use super::scalar::Scalar;
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

/// How a lock was taken, and is given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Locks {
    /// By waiting for it.
    Plain,
    /// By trying.
    Resilient,
    /// By trying, without interrupts from then on.
    ResilientIrq,
}

/// A lock that is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lock {
    /// How it was taken.
    pub kind: Locks,
    /// What it protects.
    pub guards: Guards,
    /// The number of that value or object.
    pub id: u32,
    /// The call that took it.
    pub slot: u32,
}

/// Functions of locks: the name, the kind, whether it takes the lock.
const FUNCTIONS: &[(&str, Locks, bool)] = &[
    ("bpf_spin_lock", Locks::Plain, true),
    ("bpf_spin_unlock", Locks::Plain, false),
    ("bpf_res_spin_lock", Locks::Resilient, true),
    ("bpf_res_spin_unlock", Locks::Resilient, false),
    ("bpf_res_spin_lock_irqsave", Locks::ResilientIrq, true),
    ("bpf_res_spin_unlock_irqrestore", Locks::ResilientIrq, false),
];

/// Functions that may be called while a lock is held.
const ALLOWED: &[&str] = &[
    "bpf_spin_unlock",
    "bpf_res_spin_lock",
    "bpf_res_spin_unlock",
    "bpf_res_spin_lock_irqsave",
    "bpf_res_spin_unlock_irqrestore",
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
    (&[Field::SpinLock, Field::ResilientLock], &[ProgType::SocketFilter]),
    (
        &[Field::SpinLock, Field::ResilientLock, Field::Timer, Field::Work, Field::ListHead, Field::TreeRoot],
        &[
            ProgType::Kprobe,
            ProgType::Tracepoint,
            ProgType::PerfEvent,
            ProgType::RawTracepoint,
            ProgType::RawTracepointWritable,
        ],
    ),
];

/// Largest number of an error (kernel `MAX_ERRNO`).
const MAX_ERRNO: i64 = 4095;

/// What the function with this name does with a lock.
fn function(name: &str) -> Option<(Locks, bool)> {
    FUNCTIONS.iter().find(|row| row.0 == name).map(|row| (row.1, row.2))
}

/// Does the function with this name take a lock, or fail?
pub fn may_fail(name: &str) -> bool {
    matches!(function(name), Some((Locks::Resilient | Locks::ResilientIrq, true)))
}

/// What a lock that could not be taken leaves in r0: an error, in the lower half.
///
/// The kernel takes its sign for granted in all 64 bits, although the function returns 32: a hole,
/// for the other half is zero (6.18.44 on x86).
pub fn failure(slot: u32) -> Reg {
    let mut value = Scalar { r32: Scalar::signed(-MAX_ERRNO, -1).r32, ..Scalar::UNKNOWN };
    value.sync();
    Reg::scalar(value, slot)
}

/// Is it an object that is not the program's own?
fn is_shared(pointer: &Pointer) -> bool {
    match pointer.kind {
        PtrKind::Object { hold, .. } => hold != Hold::Owned,
        _ => false,
    }
}

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

impl Locks {
    /// The structure that is such a lock.
    const fn structure(self) -> &'static str {
        match self {
            Locks::Plain => "bpf_spin_lock",
            Locks::Resilient | Locks::ResilientIrq => "bpf_res_spin_lock",
        }
    }

    /// The field that is such a lock.
    const fn field(self) -> Field {
        match self {
            Locks::Plain => Field::SpinLock,
            Locks::Resilient | Locks::ResilientIrq => Field::ResilientLock,
        }
    }
}

impl Walk<'_> {
    /// The lock in argument `number`.
    pub(super) fn lock(
        &mut self,
        state: &State,
        slot: u32,
        callee: &Callee<'_>,
        number: u8,
        kind: Locks,
    ) -> Check<Lock> {
        let reg = state.frame().regs[usize::from(number)];
        let wrong = || callee.wrong(number, "the address of a spin lock", &reg);
        let found = reg.as_pointer().filter(|p| !p.nullable && !is_shared(p));
        let Some((p, guards)) = found.and_then(|p| Some((*p, Guards::of(p)?))) else {
            let log = format!("arg#{} doesn't point to map value or allocated object", number - 1);
            return Err(callee.worded(wrong(), log));
        };
        match self.field_at(&p, kind.field()) {
            Some(_) => Ok(Lock { kind, guards, id: p.id, slot }),
            None => Err(wrong().logged(self.no_field(&p, number, kind.structure(), kind.field()))),
        }
    }

    /// Takes the lock, or gives it back.
    pub(super) fn use_lock(&self, state: &mut State, slot: u32, callee: &Callee<'_>, call: &Call) -> Check {
        let Some(lock) = call.lock else { return Ok(()) };
        let Some((kind, takes)) = function(&callee.name()) else { return Ok(()) };
        let lock = Lock { kind, ..lock };
        let is_it = |held: &Lock| (held.guards, held.id) == (lock.guards, lock.id);
        if takes {
            let again = |held: &&Lock| held.kind != Locks::Plain && is_it(held);
            if let Some(held) = state.locks.iter().find(again) {
                return Err(Cause::Deadlock { taken: held.slot });
            }
            state.locks.push(lock);
            return Ok(());
        }
        let why = match state.locks.last() {
            None => "without taking a lock",
            Some(_) if !state.locks.iter().any(|held| held.kind == kind && is_it(held)) => {
                "of different lock"
            }
            Some(newest) if newest.kind != kind || !is_it(newest) => "cannot be out of order",
            Some(_) => {
                state.locks.pop();
                self.forget_borrowed(state, slot);
                return Ok(());
            }
        };
        let function = kind.structure().trim_end_matches("lock");
        Err(Cause::Unbalanced { what: LOCK, log: format!("{function}unlock {why}") })
    }

    /// May this be called now?
    pub(super) fn check_unlocked(&self, state: &State, callee: &Callee<'_>) -> Check {
        let Some(lock) = state.locks.last() else { return Ok(()) };
        let callee = callee.name();
        // While a tree is being changed, nothing may.
        match state.comparing > 0 || !ALLOWED.contains(&callee.as_str()) {
            true => Err(Cause::Locked { taken: lock.slot, callee }),
            false => Ok(()),
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

    /// The kernel's words for a pointer to something that is not this field, which is this structure.
    pub(super) fn no_field(&mut self, p: &Pointer, number: u8, structure: &str, field: Field) -> String {
        if p.var.value().is_none() {
            return format!(
                "R{number} doesn't have constant offset. {structure} has to be at the constant offset"
            );
        }
        let fields = self.fields_behind(p);
        match fields.iter().find(|special| special.field == field) {
            Some(special) => format!(
                "off {} doesn't point to 'struct {structure}' that is at {}",
                i64::from(p.off).wrapping_add(p.var.value().unwrap_or(0) as i64),
                special.offset
            ),
            None => {
                let map = match p.kind {
                    PtrKind::MapValue(map) => self.cx.map(map),
                    _ => None,
                };
                let (what, name) = map.map_or(("local", "kptr"), |def| ("map", def.name.as_str()));
                format!("{what} '{name}' has no valid {structure}")
            }
        }
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
