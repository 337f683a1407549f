//! When a type of one BTF may stand for a type of another.
//!
//! Three relations, from loose to strict: [`fields_compatible`] lets a member be read through
//! either declaration; [`types_compatible`] answers `bpf_core_type_exists`; [`types_match`]
//! answers `bpf_core_type_matches`. All give up on types nested too deep.

use skep_stdlib::btf::{Btf, Kind, Type, TypeId, essential_name};

use super::kinds_agree;

/// Types inside types that are followed.
const MAX_DEPTH: u32 = 32;
/// Comparisons of one query: circular types with many members would go on for very long.
const MAX_WORK: u32 = 100_000;

fn names_agree(a: &str, b: &str) -> bool {
    essential_name(a) == essential_name(b)
}

/// Whether a member of type `a` may be read from one of type `b`.
pub(super) fn fields_compatible(local: &Btf, a: TypeId, target: &Btf, b: TypeId) -> bool {
    let (mut a, mut b) = (a, b);
    for _ in 0..MAX_DEPTH {
        let (Some(x), Some(y)) = (local.resolve(a), target.resolve(b)) else { return false };
        let (Some(left), Some(right)) = (local.ty(x), target.ty(y)) else { return false };
        match (left, right) {
            (Type::Struct(_) | Type::Union(_), Type::Struct(_) | Type::Union(_))
            | (Type::Ptr(_), Type::Ptr(_))
            | (Type::Float { .. }, Type::Float { .. }) => return true,
            (Type::Fwd { name: a, .. }, Type::Fwd { name: b, .. }) => {
                return a.is_empty() || b.is_empty() || names_agree(a, b);
            }
            (Type::Enum(a), Type::Enum(b)) => {
                return a.name.is_empty() || b.name.is_empty() || names_agree(a.name, b.name);
            }
            // Integers with an offset were bit-fields once.
            (Type::Int { offset: a, .. }, Type::Int { offset: b, .. }) => return a == 0 && b == 0,
            (Type::Array { elem: x, .. }, Type::Array { elem: y, .. }) => (a, b) = (x, y),
            _ => return false,
        }
    }
    false
}

/// Whether `a` exists in the target as `b`: same kind, and the same shape behind pointers.
pub(super) fn types_compatible(local: &Btf, a: TypeId, target: &Btf, b: TypeId) -> bool {
    compatible(local, a, target, b, MAX_DEPTH, &mut { MAX_WORK })
}

fn spend(depth: u32, work: &mut u32) -> bool {
    *work = work.saturating_sub(1);
    depth > 0 && *work > 0
}

fn compatible(local: &Btf, a: TypeId, target: &Btf, b: TypeId, depth: u32, work: &mut u32) -> bool {
    if !spend(depth, work) || !kinds_agree(local.kind(a), target.kind(b)) {
        return false;
    }
    let (Some(a), Some(b)) = (local.resolve(a), target.resolve(b)) else { return false };
    let mut pair = |a, b| compatible(local, a, target, b, depth - 1, work);
    match (local.ty(a), target.ty(b)) {
        (Some(Type::Int { offset: a, .. }), Some(Type::Int { offset: b, .. })) => a == 0 && b == 0,
        (Some(Type::Ptr(a)), Some(Type::Ptr(b))) => pair(resolved(local, a), resolved(target, b)),
        (Some(Type::Array { elem: a, .. }), Some(Type::Array { elem: b, .. })) => {
            pair(resolved(local, a), resolved(target, b))
        }
        (Some(Type::FuncProto { ret: a, params: left }), Some(Type::FuncProto { ret: b, params: right })) => {
            left.len() == right.len()
                && left.iter().zip(&right).all(|(a, b)| pair(resolved(local, a.ty), resolved(target, b.ty)))
                && pair(resolved(local, a), resolved(target, b))
        }
        (Some(a), Some(b)) => match a.kind() {
            Kind::Void | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Fwd => {
                kinds_agree(Some(a.kind()), Some(b.kind()))
            }
            _ => false,
        },
        _ => false,
    }
}

/// The type behind typedefs and qualifiers; the id itself if there is none.
fn resolved(btf: &Btf, id: TypeId) -> TypeId {
    btf.resolve(id).unwrap_or(id)
}

/// Whether `a` looks like `b`: every member and constant of `a` is in `b`, with a type that matches.
pub(super) fn types_match(local: &Btf, a: TypeId, target: &Btf, b: TypeId) -> bool {
    Matcher { local, target, work: MAX_WORK }.types(a, b, false, MAX_DEPTH)
}

struct Matcher<'a> {
    local: &'a Btf,
    target: &'a Btf,
    work: u32,
}

impl Matcher<'_> {
    /// Behind a pointer, structures match by name alone.
    fn types(&mut self, a: TypeId, b: TypeId, behind_pointer: bool, depth: u32) -> bool {
        if !spend(depth, &mut self.work) {
            return false;
        }
        let (Some(a), Some(b)) = (self.local.resolve(a), self.target.resolve(b)) else { return false };
        if !names_agree(self.local.name(a), self.target.name(b)) {
            return false;
        }
        let (Some(left), Some(right)) = (self.local.ty(a), self.target.ty(b)) else { return false };
        match (left, right) {
            (Type::Void, Type::Void) => true,
            (Type::Fwd { union: a, .. }, Type::Fwd { union: b, .. }) => a == b,
            (Type::Fwd { union, .. }, Type::Struct(_)) => behind_pointer && !union,
            (Type::Fwd { union, .. }, Type::Union(_)) => behind_pointer && union,
            (Type::Struct(_), Type::Fwd { union, .. }) => behind_pointer && !union,
            (Type::Union(_), Type::Fwd { union, .. }) => behind_pointer && union,
            (Type::Struct(_), Type::Struct(_)) | (Type::Union(_), Type::Union(_)) => {
                behind_pointer || self.members(a, b, depth)
            }
            (Type::Enum(a), Type::Enum(b)) => {
                a.values.iter().all(|x| b.values.iter().any(|y| names_agree(x.name, y.name)))
            }
            (Type::Int { encoding: a, .. }, Type::Int { encoding: b, .. }) => a.is_signed() == b.is_signed(),
            (Type::Ptr(a), Type::Ptr(b)) => self.types(a, b, true, depth - 1),
            (Type::Array { elem: a, count: m, .. }, Type::Array { elem: b, count: n, .. }) => {
                m == n && self.types(a, b, behind_pointer, depth - 1)
            }
            (Type::FuncProto { ret: a, params: left }, Type::FuncProto { ret: b, params: right }) => {
                left.len() == right.len()
                    && left.iter().zip(&right).all(|(a, b)| self.types(a.ty, b.ty, behind_pointer, depth - 1))
                    && self.types(a, b, behind_pointer, depth - 1)
            }
            _ => false,
        }
    }

    fn members(&mut self, a: TypeId, b: TypeId, depth: u32) -> bool {
        let (local, target) = (self.local, self.target);
        local.members(a).all(|x| {
            target.members(b).any(|y| names_agree(x.name, y.name) && self.types(x.ty, y.ty, false, depth - 1))
        })
    }
}
