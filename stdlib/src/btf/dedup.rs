//! Equal types are made one.
//!
//! In: types of several files in one list, where a type may name any other. Out: a shorter list in which no
//! two types look the same, and for each old id the new one. Two types are equal if nothing that can be
//! reached from them tells them apart, which also makes structures equal that point to each other: all
//! types start in classes by what they say of themselves, and classes are split by the classes of what
//! their members name until nothing changes.
//!
//! `struct name;` stands for the structure of that name if only one such structure is defined; two
//! definitions are the same if they differ at most in how much is known behind pointers. Variables and
//! sections are never merged: what they say depends on where they are.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{Type, TypeId};

/// What is left, and the new id of each old type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Merged<'a> {
    /// The types; that of index `n` has id `n + 1`.
    pub types: Vec<Type<'a>>,
    ids: Vec<TypeId>,
}

impl Merged<'_> {
    /// The new id of an old one; ids that were never there become `void`.
    pub fn id(&self, old: TypeId) -> TypeId {
        self.ids.get(old.index()).copied().unwrap_or_default()
    }
}

/// Merges equal types; that of index `n` has id `n + 1`.
pub fn dedup(types: Vec<Type<'_>>) -> Merged<'_> {
    let bodies = bodies(&types);
    let target = |id: TypeId| bodies.get(&id).copied().unwrap_or(id);
    let classes = refine(&types, |_, id| Edge::To(target(id)));

    // The first of each class stays, unless it only announces another.
    let mut kept: BTreeMap<u32, TypeId> = BTreeMap::new();
    let mut left = Vec::new();
    for (index, ty) in types.iter().enumerate() {
        let id = TypeId(index as u32 + 1);
        let Some(&class) = classes.get(id.index()) else { continue };
        if !bodies.contains_key(&id) && !kept.contains_key(&class) {
            kept.insert(class, TypeId(left.len() as u32 + 1));
            left.push(ty.clone());
        }
    }
    let new = |id: TypeId| {
        let class = classes.get(target(id).index());
        class.and_then(|class| kept.get(class)).copied().unwrap_or_default()
    };
    let ids = (0..=types.len() as u32).map(|id| new(TypeId(id))).collect();
    let types = left.into_iter().map(|ty| ty.map_ids(&mut |id| new(id))).collect();
    Merged { types, ids }
}

/// The definition behind each `struct name;` that has exactly one.
fn bodies(types: &[Type<'_>]) -> BTreeMap<TypeId, TypeId> {
    let tag = |id: TypeId| {
        let ty = id.index().checked_sub(1).and_then(|index| types.get(index))?;
        match ty {
            Type::Struct(layout) if !layout.name.is_empty() => Some((layout.name, false)),
            Type::Union(layout) if !layout.name.is_empty() => Some((layout.name, true)),
            Type::Fwd { name, union } => Some((*name, *union)),
            _ => None,
        }
    };
    // Behind a pointer only the name counts.
    let classes = refine(types, |from, id| match (from, tag(id)) {
        (Type::Ptr(_) | Type::Const(_) | Type::Volatile(_) | Type::TypeTag { .. }, Some((name, union))) => {
            Edge::Named(name, union)
        }
        _ => Edge::To(id),
    });
    let mut definitions: BTreeMap<(&str, bool), (TypeId, BTreeSet<u32>)> = BTreeMap::new();
    let mut announced = Vec::new();
    for (index, ty) in types.iter().enumerate() {
        let id = TypeId(index as u32 + 1);
        match (ty, tag(id)) {
            (Type::Fwd { .. }, Some(name)) => announced.push((id, name)),
            (_, Some(name)) => {
                let (_, found) = definitions.entry(name).or_insert((id, BTreeSet::new()));
                found.extend(classes.get(id.index()));
            }
            _ => {}
        }
    }
    let only = |(id, name): (TypeId, (&str, bool))| {
        let (definition, classes) = definitions.get(&name)?;
        (classes.len() == 1).then_some((id, *definition))
    };
    announced.into_iter().filter_map(only).collect()
}

/// What a type is told apart by, besides its own words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edge<'a> {
    /// All that can be reached from there.
    To(TypeId),
    /// A tag.
    Named(&'a str, bool),
}

/// The class of each type by id: `void` and unknown ids are class 0.
fn refine<'a>(types: &[Type<'a>], edge: impl Fn(&Type<'a>, TypeId) -> Edge<'a>) -> Vec<u32> {
    let (mut own, mut edges) = (Vec::new(), Vec::new());
    for (index, ty) in types.iter().enumerate() {
        let mut targets = Vec::new();
        let blank = ty.clone().map_ids(&mut |id| {
            targets.push(edge(ty, id));
            TypeId::VOID
        });
        own.push((blank, if matches!(ty, Type::Var { .. } | Type::Datasec { .. }) { index } else { 0 }));
        edges.push(targets);
    }
    let number = |keys: Vec<Key<'_>>| {
        let mut numbers = BTreeMap::new();
        let mut classes = alloc::vec![0];
        for key in keys {
            let next = numbers.len() as u32 + 1;
            classes.push(*numbers.entry(key).or_insert(next));
        }
        (classes, numbers.len())
    };
    let words = own.iter().map(|(ty, unique)| Key::Words(alloc::format!("{ty:?}"), *unique));
    let (mut classes, mut count) = number(words.collect());
    for _ in 0..MAX_ROUNDS {
        let class = |id: TypeId| classes.get(id.index()).copied().unwrap_or(0);
        let key = |(at, targets): (usize, &Vec<Edge<'a>>)| {
            let of = |edge: &Edge<'a>| match *edge {
                Edge::To(id) => (class(id), ("", false)),
                Edge::Named(name, union) => (0, (name, union)),
            };
            Key::Split(class(TypeId(at as u32 + 1)), targets.iter().map(of).collect())
        };
        let (split, more) = number(edges.iter().enumerate().map(key).collect());
        if more == count {
            return classes;
        }
        (classes, count) = (split, more);
    }
    // No program has types that only differ so far away: a file that was made to take time.
    (0..=types.len() as u32).collect()
}

/// How far from themselves types are told apart.
const MAX_ROUNDS: u32 = 500;

/// What types of one class have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    /// What they say of themselves.
    Words(alloc::string::String, usize),
    /// The class they were in, and the classes of what they name.
    Split(u32, Vec<(u32, (&'a str, bool))>),
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::btf::{Composite, Encoding, Member};

    fn int() -> Type<'static> {
        Type::Int { name: "int", size: 4, encoding: Encoding::SIGNED, offset: 0, bits: 32 }
    }

    fn node(pointer: u32) -> Type<'static> {
        let member = |name, ty, bit_offset| Member { name, ty: TypeId(ty), bit_offset, bit_size: None };
        Type::Struct(Composite { name: "node", size: 8, members: vec![member("next", pointer, 0)] })
    }

    #[test]
    fn structures_that_point_to_themselves_are_equal() {
        let merged = dedup(vec![int(), node(3), Type::Ptr(TypeId(2)), int(), node(6), Type::Ptr(TypeId(5))]);
        assert_eq!(merged.types, [int(), node(3), Type::Ptr(TypeId(2))]);
        assert_eq!([4, 5, 6].map(|id| merged.id(TypeId(id)).0), [1, 2, 3]);
        assert_eq!(merged.id(TypeId(99)), TypeId::VOID);
    }

    #[test]
    fn an_announced_structure_is_the_one_that_is_defined() {
        let fwd = Type::Fwd { name: "node", union: false };
        let merged = dedup(vec![fwd.clone(), Type::Ptr(TypeId(1)), node(4), Type::Ptr(TypeId(3))]);
        assert_eq!(merged.types, [Type::Ptr(TypeId(2)), node(1)]);
        // A union of that name is another.
        let union = Type::Fwd { name: "node", union: true };
        assert_eq!(dedup(vec![union, node(3), Type::Ptr(TypeId(2))]).types.len(), 3);
        // Two different definitions: nobody knows which one is meant.
        let other = Type::Struct(Composite { name: "node", size: 1, members: vec![] });
        assert_eq!(dedup(vec![fwd, node(3), Type::Ptr(TypeId(2)), other]).types.len(), 4);
    }

    #[test]
    fn variables_stay_apart() {
        let var = Type::Var { name: "x", ty: TypeId(1), linkage: crate::btf::Linkage::Static };
        assert_eq!(dedup(vec![int(), var.clone(), var]).types.len(), 3);
    }
}
