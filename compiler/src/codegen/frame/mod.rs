//! Places of variables and spilled registers in the frame.
//!
//! Objects that are never in use at the same time share bytes: [`access`] finds which instructions
//! use which object, [`lifetime`] which objects are in use together. Variables and spilled registers
//! do not share with each other: the kernel lets only privileged programs write part of a slot that
//! held a pointer.
//!
//! The frame of a function ends at the 512 bytes that the kernel gives each one; beyond is a limit
//! that names the biggest variables.

pub mod access;
pub mod given;
mod lifetime;

use self::access::Accesses;
use super::bits::ones;
use super::code::Spills;
use super::mir::{Addr, Base, Func, Object, Op};
use super::regs::Steps;
use crate::ir::{Arena, Entity, Limit, SrcLoc};

/// Bytes of stack that a function has.
pub const STACK_LIMIT: u32 = 512;

/// How many variables a message about the limit names.
const NAMED: usize = 5;

/// Gives every object that is used its place. `accesses` are those of the code as selected.
pub fn lay_out(func: &mut Func, steps: &Steps, accesses: &Accesses, name: &str, limits: &mut Vec<Limit>) {
    let lifetimes = lifetime::Lifetimes::new(func, steps, accesses);
    let used = func.objects.keys().filter(|&object| lifetimes.used(object));
    let (variables, spills): (Vec<Object>, Vec<Object>) = used.partition(|&object| accesses.knows(object));
    if let Some(count) = lifetimes.too_many {
        limits.push(too_deep(func, &variables, format_args!("at least {count}"), name));
        // No place will do.
        func.objects.values_mut().for_each(|data| data.place = Some(0));
        return;
    }
    let top = place(func, &variables, &lifetimes, 0);
    let depth = place(func, &spills, &lifetimes, top.next_multiple_of(8));
    if depth > STACK_LIMIT {
        limits.push(too_deep(func, &variables, format_args!("{depth}"), name));
    }
}

/// Places objects below `top` bytes, big ones first, each at the first gap; returns the new depth.
fn place(func: &mut Func, objects: &[Object], lifetimes: &lifetime::Lifetimes, top: u32) -> u32 {
    let mut objects = objects.to_vec();
    objects.sort_by_key(|&o| {
        let data = &func.objects[o];
        (std::cmp::Reverse(data.align), std::cmp::Reverse(data.size), o)
    });
    // Depths below the frame pointer: an object takes `start .. end`.
    let mut places: Arena<Object, Option<(u32, u32)>> = Arena::filled(&func.objects, None);
    let mut taken = Vec::new();
    let mut depth = top;
    for &object in &objects {
        let data = &func.objects[object];
        taken.clear();
        taken.extend(lifetimes.together(object).iter().filter_map(|&other| places[other]));
        taken.sort_unstable();
        let mut end = top.saturating_add(data.size).next_multiple_of(data.align);
        for &(start, stop) in &taken {
            if end.saturating_sub(data.size) < stop && start < end {
                end = stop.saturating_add(data.size).next_multiple_of(data.align);
            }
        }
        places[object] = Some((end.saturating_sub(data.size), end));
        depth = depth.max(end);
    }
    for (object, &place) in places.iter() {
        if let Some((_, end)) = place {
            func.objects[object].place = Some(0i32.saturating_sub_unsigned(end));
        }
    }
    depth
}

fn too_deep(func: &Func, variables: &[Object], bytes: std::fmt::Arguments<'_>, name: &str) -> Limit {
    let mut biggest: Vec<_> = variables.iter().map(|&o| &func.objects[o]).collect();
    biggest.sort_by_key(|data| std::cmp::Reverse(data.size));
    let describe = |data: &super::mir::ObjectData| {
        let what = if data.name.is_empty() { "a temporary".into() } else { format!("`{}`", data.name) };
        (data.loc, format!("{what} takes {} bytes", data.size))
    };
    let notes: Vec<_> = biggest.into_iter().take(NAMED).map(describe).collect();
    Limit {
        loc: notes.first().map_or(SrcLoc::NONE, |note| note.0),
        message: format!("`{name}` needs {bytes} bytes of stack, the kernel allows {STACK_LIMIT}"),
        notes,
    }
}

/// How often registers are stored to the frame and loaded from it.
pub fn spills(func: &Func) -> Spills {
    let mut spills = Spills::default();
    let is_register =
        |addr: &Addr| matches!(addr.base, Base::Frame(object) if func.objects[object].name.is_empty());
    for inst in func.order.iter().flat_map(|&block| &func.blocks[block].insts) {
        match &inst.op {
            Op::Store { addr, .. } if is_register(addr) => spills.stores += 1,
            Op::Load { addr, .. } if is_register(addr) => spills.loads += 1,
            _ => {}
        }
    }
    spills
}

/// Bytes of stack that the function uses.
pub fn depth(func: &Func) -> u32 {
    func.objects.values().filter_map(|data| data.place).map(i32::unsigned_abs).max().unwrap_or(0)
}

/// A set of objects.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Set(Vec<u64>);

impl Set {
    fn new(objects: usize) -> Set {
        Set(vec![0; objects.div_ceil(64)])
    }

    fn contains(&self, object: Object) -> bool {
        self.0.get(object.index() / 64).is_some_and(|word| word >> (object.index() % 64) & 1 == 1)
    }

    fn insert(&mut self, object: Object) {
        self.0[object.index() / 64] |= 1 << (object.index() % 64);
    }

    fn iter(&self) -> impl Iterator<Item = Object> + '_ {
        objects(&self.0)
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }
}

/// Sets of objects by number: the rows of one table.
struct Sets {
    /// Words of a row.
    words: usize,
    bits: Vec<u64>,
}

impl Sets {
    fn new(count: usize, objects: usize) -> Sets {
        let words = objects.div_ceil(64);
        Sets { words, bits: vec![0; count * words] }
    }

    fn row(&self, index: usize) -> &[u64] {
        &self.bits[index * self.words..][..self.words]
    }

    fn row_mut(&mut self, index: usize) -> &mut [u64] {
        &mut self.bits[index * self.words..][..self.words]
    }
}

/// The objects of a set.
fn objects(words: &[u64]) -> impl Iterator<Item = Object> + '_ {
    ones(words).map(Object::new)
}

/// Adds a set to another; whether that had not all of it before.
fn extend(to: &mut [u64], from: &[u64]) -> bool {
    to.iter_mut().zip(from).fold(false, |changed, (word, &more)| add(word, more) | changed)
}

fn add(word: &mut u64, more: u64) -> bool {
    let before = *word;
    *word |= more;
    *word != before
}
