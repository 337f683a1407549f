//! Lists and trees of allocated objects: their heads and roots lie in map values or objects, beside
//! the lock that must be held.
//!
//! Putting an object in gives the program's reference away: from then on, and until the lock is given
//! back, the program only borrows it. Taking one out gives a reference (kernel
//! `process_kf_arg_ptr_to_list_head` and its siblings).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use super::call::Call;
use super::fields::{Field, Special};
use super::lock::Guards;
use super::reg::{Hold, Pointer, PtrKind, Reg};
use super::region::Callee;
use super::report::{Cause, terms};
use super::state::{Frame, MAX_FRAMES, State};
use super::trace::Event;
use super::walk::{Check, Next, Walk};

/// What a function does with an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Does {
    /// Puts one in.
    Insert,
    /// Takes one out.
    Remove,
    /// Looks at one.
    Peek,
}

/// Functions of lists and trees.
const FUNCTIONS: &[(&str, Does)] = &[
    ("bpf_list_push_front_impl", Does::Insert),
    ("bpf_list_push_back_impl", Does::Insert),
    ("bpf_list_pop_front", Does::Remove),
    ("bpf_list_pop_back", Does::Remove),
    ("bpf_list_front", Does::Peek),
    ("bpf_list_back", Does::Peek),
    ("bpf_rbtree_add_impl", Does::Insert),
    ("bpf_rbtree_remove", Does::Remove),
    ("bpf_rbtree_first", Does::Peek),
    ("bpf_rbtree_root", Does::Peek),
    ("bpf_rbtree_left", Does::Peek),
    ("bpf_rbtree_right", Does::Peek),
];
/// Structures of which the arguments are, and what field each must be.
const STRUCTURES: &[(&str, Field)] = &[
    ("bpf_list_head", Field::ListHead),
    ("bpf_list_node", Field::ListNode),
    ("bpf_rb_root", Field::TreeRoot),
    ("bpf_rb_node", Field::TreeNode),
];

/// What the function with this name does.
fn does(name: &str) -> Option<Does> {
    FUNCTIONS.iter().find(|row| row.0 == name).map(|row| row.1)
}

/// Does the function call back to compare two objects?
pub fn compares(name: &str) -> bool {
    name == "bpf_rbtree_add_impl"
}

/// The field that an argument of a pointer to this structure must be.
pub fn field_of(structure: &str) -> Option<Field> {
    STRUCTURES.iter().find(|row| row.0 == structure).map(|row| row.1)
}

/// The structure that such a field is.
fn structure_of(field: Field) -> &'static str {
    STRUCTURES.iter().find(|row| row.1 == field).map_or("", |row| row.0)
}

/// The kernel's words for a node that does not fit.
fn node_words(reg: &Reg, name: &str, number: u8) -> String {
    let moved = reg.as_pointer().filter(|p| p.nullable).and_then(|p| terms::moved(p, number, false));
    match (moved, does(name)) {
        (Some(moved), _) => moved,
        (None, Some(Does::Remove | Does::Peek)) => "rbtree_remove node input must be non-owning ref".into(),
        (None, Some(Does::Insert) | None) => {
            format!("arg#{} expected pointer to allocated object", number - 1)
        }
    }
}

impl Walk<'_> {
    /// The head, root or node in argument `number`.
    pub(super) fn graph_argument(
        &mut self,
        state: &State,
        name: &str,
        number: u8,
        field: Field,
        call: &mut Call,
    ) -> Check {
        let reg = state.frame().regs[usize::from(number)];
        let callee = Callee::Function(name);
        match field {
            Field::ListHead | Field::TreeRoot => {
                call.root = Some(self.root(state, &callee, number, &reg, field)?);
                Ok(())
            }
            _ => {
                let wrong = || {
                    let log = node_words(&reg, name, number);
                    callee.wrong(number, "a node that fits the list or tree", &reg).logged(log)
                };
                let (Some(root), Reg::Pointer(p)) = (call.root, reg) else { return Err(wrong()) };
                let wanted = match does(name) {
                    Some(Does::Insert) => Hold::Owned,
                    Some(Does::Remove | Does::Peek) => Hold::Borrowed,
                    None => return Err(wrong()),
                };
                let kind = PtrKind::Object { ty: root.ty.0, hold: wanted, percpu: false };
                let held = (wanted == Hold::Owned) == (p.reference != 0);
                let fits = p.is_fixed() && i64::from(p.off) == i64::from(root.node) && !p.nullable;
                match p.kind == kind && held && fits && self.field_at(&p, field).is_some() {
                    true => {
                        call.object = Some(p);
                        Ok(())
                    }
                    false => Err(wrong()),
                }
            }
        }
    }

    /// A head or root, whose lock must be held.
    fn root(
        &mut self,
        state: &State,
        callee: &Callee<'_>,
        number: u8,
        reg: &Reg,
        field: Field,
    ) -> Check<Special> {
        let log = || match reg {
            Reg::Pointer(p) if Guards::of(p).is_none() || is_lent(p) => {
                format!("arg#{} expected pointer to map value or allocated object", number - 1)
            }
            Reg::Pointer(p) if !p.is_fixed() => format!(
                "R{number} doesn't have constant offset. {} has to be at the constant offset",
                structure_of(field)
            ),
            Reg::Pointer(p) => format!("{} not found at offset={}", structure_of(field), p.off),
            Reg::Scalar(_) | Reg::Uninit => {
                format!("arg#{} expected pointer to map value or allocated object", number - 1)
            }
        };
        let wrong = || callee.wrong(number, "the head of a list or the root of a tree", reg).logged(log());
        let Reg::Pointer(p) = reg else { return Err(wrong()) };
        let guards = Guards::of(p).ok_or_else(wrong)?;
        let root = self.field_at(p, field).filter(|root| root.ty.0 != 0).ok_or_else(wrong)?;
        if is_lent(p) {
            return Err(wrong());
        }
        match state.locks.iter().any(|lock| (lock.guards, lock.id) == (guards, p.id)) {
            true => Ok(root),
            false => {
                let is_lock =
                    |field: &&Special| matches!(field.field, Field::SpinLock | Field::ResilientLock);
                let lock = self.fields_behind(p).iter().find(is_lock).copied();
                let at = lock.map_or(0, |lock| lock.offset);
                let log = format!("bpf_spin_lock at off={at} must be held for {}", structure_of(field));
                Err(Cause::Unlocked { callee: callee.name(), log })
            }
        }
    }

    /// What such a function leaves in r0, and does to the object; none if it is another function.
    pub(super) fn graph_result(
        &mut self,
        state: &mut State,
        slot: u32,
        name: &str,
        call: &Call,
    ) -> Option<Reg> {
        let root = call.root?;
        Some(match does(name)? {
            Does::Insert => {
                let reference = call.object.map_or(0, |object| object.reference);
                lend(state, reference);
                Reg::unknown(slot)
            }
            Does::Remove => {
                let kind = PtrKind::Object { ty: root.ty.0, hold: Hold::Owned, percpu: false };
                self.acquired(state, slot, kind, root.node as i32, true)
            }
            Does::Peek => {
                let kind = PtrKind::Object { ty: root.ty.0, hold: Hold::Borrowed, percpu: false };
                match Reg::or_null(kind, self.fresh_id(), 0, slot) {
                    Reg::Pointer(p) => Reg::Pointer(Pointer { off: root.node as i32, ..p }),
                    other => other,
                }
            }
        })
    }

    /// The function at `start` compares two objects of the tree, or the object is in it.
    pub(super) fn compare_nodes(
        &mut self,
        state: &mut State,
        slot: u32,
        name: &str,
        call: &Call,
        start: u32,
    ) -> Check<Next> {
        let Some(root) = call.root else { return Ok(Next::To(slot + 1)) };
        if state.frames.len() >= MAX_FRAMES {
            return Err(Cause::CallDepth {});
        }
        let mut entered = state.clone();
        entered.frame_mut().rounds += 1;
        self.log_frame();
        let mut frame = Frame::new(state.frames.len() as u32, start, Some(slot));
        frame.callback = Some(state.references.len());
        for number in [1, 2] {
            let kind = PtrKind::Object { ty: root.ty.0, hold: Hold::Borrowed, percpu: false };
            if let Reg::Pointer(p) = Reg::pointer(kind, slot) {
                frame.regs[number] = Reg::Pointer(Pointer { off: root.node as i32, ..p });
            }
        }
        entered.frames.push(frame);
        entered.comparing += 1;
        self.depths.entry(start).or_default();
        self.event = Event::Callback;
        let result = self.graph_result(state, slot, name, call).unwrap_or(Reg::Uninit);
        state.frame_mut().rounds = 0;
        state.clobber(result);
        Ok(Next::Both(slot + 1, start, Box::new(entered)))
    }
}

/// Is it an object that the program does not own?
fn is_lent(pointer: &Pointer) -> bool {
    matches!(pointer.kind, PtrKind::Object { hold: Hold::Borrowed | Hold::Rcu | Hold::Untrusted, .. })
}

/// The object with this reference is given away; what points to it borrows it from now on.
fn lend(state: &mut State, reference: u32) {
    state.references.retain(|held| held.id != reference);
    state.for_each_reg(|reg| {
        if let Reg::Pointer(p) = reg
            && let PtrKind::Object { hold, .. } = &mut p.kind
            && p.reference == reference
        {
            *hold = Hold::Borrowed;
            p.reference = 0;
        }
    });
}
