//! Objects that programs make, and the lists and trees that they put them into.
//!
//! An object is a region of its own, of the size that its type has in the program's BTF. A list head
//! and a tree's root have two words: the first and the last node; a node has the next, the one before,
//! and where it is. The words hold addresses, as in the kernel; a tree is kept as the list of its nodes
//! in order: who looks into it sees a tree that has grown to the right only.

use super::{Cx, Entry, Stop, bad};
use crate::maps::Errno;
use crate::vm::{FaultKind, Layout};

pub(super) const KFUNCS: &[Entry] = &[
    ("bpf_obj_new_impl", |cx, [ty, ..]| new(cx, ty, false)),
    ("bpf_percpu_obj_new_impl", |cx, [ty, ..]| new(cx, ty, true)),
    ("bpf_obj_drop_impl", |cx, [object, ..]| drop(cx, object)),
    ("bpf_percpu_obj_drop_impl", |cx, [object, ..]| drop(cx, object)),
    ("bpf_refcount_acquire_impl", acquire),
    ("bpf_list_push_front_impl", |cx, args| push(cx, args, true)),
    ("bpf_list_push_back_impl", |cx, args| push(cx, args, false)),
    ("bpf_list_pop_front", |cx, [head, ..]| pop(cx, head, Link::First)),
    ("bpf_list_pop_back", |cx, [head, ..]| pop(cx, head, Link::Last)),
    ("bpf_list_front", |cx, [head, ..]| Link::First.get(cx, head)),
    ("bpf_list_back", |cx, [head, ..]| Link::Last.get(cx, head)),
    ("bpf_rbtree_add_impl", add),
    ("bpf_rbtree_first", |cx, [root, ..]| Link::First.get(cx, root)),
    ("bpf_rbtree_remove", remove),
    ("bpf_rbtree_root", |cx, [root, ..]| Link::First.get(cx, root)),
    ("bpf_rbtree_left", |_, _| Ok(0)),
    ("bpf_rbtree_right", |cx, [_, node, ..]| Link::Next.get(cx, node)),
];

/// An object that a program made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Object {
    references: u32,
    /// Distance of the copies of an object that each processor has; 0 for others.
    pub stride: u32,
}

/// Largest object.
const MAX_SIZE: u64 = 1 << 20;

fn new(cx: &mut Cx<'_>, ty: u64, per_cpu: bool) -> Result<u64, Stop> {
    let ty = skep_stdlib::btf::TypeId(ty as u32);
    let size = cx.env.btf.as_ref().and_then(|btf| btf.size_of(ty)).filter(|&size| size <= MAX_SIZE);
    let size = size.ok_or(bad("bpf_obj_new", 1, "is not a type of the program"))? as u32;
    let cpus = cx.env.host.cpus();
    let stride = size.next_multiple_of(8);
    let layout = match per_cpu {
        true => Layout { count: cpus, elem: size, stride },
        false => Layout::bytes(size),
    };
    Ok(place(cx, layout, if per_cpu { stride } else { 0 }).unwrap_or(0))
}

/// Memory for a new object, with one reference to it.
pub(super) fn place(cx: &mut Cx<'_>, layout: Layout, stride: u32) -> Option<u64> {
    let address = cx.env.memory.alloc(layout, true).ok()?;
    cx.env.objects.insert(address, Object { references: 1, stride });
    Some(address)
}

/// The object goes with its last reference.
pub(super) fn drop(cx: &mut Cx<'_>, address: u64) -> Result<u64, Stop> {
    if let Some(object) = cx.env.objects.get_mut(&address) {
        object.references -= 1;
        if object.references == 0 {
            cx.env.objects.remove(&address);
            cx.env.memory.free(address);
        }
    }
    Ok(0)
}

pub(super) fn acquire(cx: &mut Cx<'_>, [address, ..]: [u64; 5]) -> Result<u64, Stop> {
    match cx.env.objects.get_mut(&address) {
        Some(object) => {
            object.references += 1;
            Ok(address)
        }
        None => Ok(0),
    }
}

/// The words of heads and nodes, by their position.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Of a head: the first node.
    First,
    /// Of a head: the last node.
    Last,
    Next,
    Before,
    /// The head that the node is under.
    Owner,
}

impl Link {
    fn offset(self) -> u64 {
        match self {
            Link::First | Link::Next => 0,
            Link::Last | Link::Before => 8,
            Link::Owner => 16,
        }
    }

    fn get(self, cx: &Cx<'_>, at: u64) -> Result<u64, Stop> {
        let address = at.wrapping_add(self.offset());
        let word = cx.env.memory.load(address).map(u64::from_le_bytes);
        word.ok_or(Stop::Fault(FaultKind::Access { address, size: 8, write: false }))
    }

    fn set(self, cx: &mut Cx<'_>, at: u64, value: u64) -> Result<(), Stop> {
        cx.write(at.wrapping_add(self.offset()), &value.to_le_bytes())
    }
}

/// Puts a node between two others, each of which may be none: the end on that side.
fn link(cx: &mut Cx<'_>, head: u64, before: u64, node: u64, next: u64) -> Result<(), Stop> {
    Link::Next.set(cx, node, next)?;
    Link::Before.set(cx, node, before)?;
    Link::Owner.set(cx, node, head)?;
    match before {
        0 => Link::First.set(cx, head, node)?,
        before => Link::Next.set(cx, before, node)?,
    }
    match next {
        0 => Link::Last.set(cx, head, node),
        next => Link::Before.set(cx, next, node),
    }
}

fn unlink(cx: &mut Cx<'_>, head: u64, node: u64) -> Result<(), Stop> {
    let (before, next) = (Link::Before.get(cx, node)?, Link::Next.get(cx, node)?);
    match before {
        0 => Link::First.set(cx, head, next)?,
        before => Link::Next.set(cx, before, next)?,
    }
    match next {
        0 => Link::Last.set(cx, head, before)?,
        next => Link::Before.set(cx, next, before)?,
    }
    [Link::Next, Link::Before, Link::Owner].into_iter().try_for_each(|link| link.set(cx, node, 0))
}

/// A node that is somewhere already is not put anywhere; the object that it is in goes.
fn refuse(cx: &mut Cx<'_>, node: u64, offset: u64) -> Result<u64, Stop> {
    drop(cx, node.wrapping_sub(offset))?;
    Ok(Errno::EINVAL.code())
}

fn push(cx: &mut Cx<'_>, [head, node, _, offset, _]: [u64; 5], front: bool) -> Result<u64, Stop> {
    if Link::Owner.get(cx, node)? != 0 {
        return refuse(cx, node, offset);
    }
    match front {
        true => {
            let first = Link::First.get(cx, head)?;
            link(cx, head, 0, node, first)?;
        }
        false => {
            let last = Link::Last.get(cx, head)?;
            link(cx, head, last, node, 0)?;
        }
    }
    Ok(0)
}

fn pop(cx: &mut Cx<'_>, head: u64, end: Link) -> Result<u64, Stop> {
    let node = end.get(cx, head)?;
    if node != 0 {
        unlink(cx, head, node)?;
    }
    Ok(node)
}

/// In front of the first node that it is less than.
fn add(cx: &mut Cx<'_>, [root, node, less, _, offset]: [u64; 5]) -> Result<u64, Stop> {
    if Link::Owner.get(cx, node)? != 0 {
        return refuse(cx, node, offset);
    }
    let (mut before, mut next) = (0, Link::First.get(cx, root)?);
    while next != 0 && cx.caller.call_back(cx.env, less, [node, next, 0, 0, 0])? == 0 {
        cx.caller.spend(1)?;
        (before, next) = (next, Link::Next.get(cx, next)?);
    }
    link(cx, root, before, node, next)?;
    Ok(0)
}

fn remove(cx: &mut Cx<'_>, [root, node, ..]: [u64; 5]) -> Result<u64, Stop> {
    if Link::Owner.get(cx, node)? != root {
        return Ok(0);
    }
    unlink(cx, root, node)?;
    Ok(node)
}
