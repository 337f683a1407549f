//! What lies at an offset in a structure, by its type: the kernel's way through nested structures,
//! arrays and bit fields (`btf_struct_walk`).
//!
//! In: a type, an offset, a size. Out: a number, or a pointer with what its declaration says; none if
//! the bytes are not within one member.

use skep_stdlib::btf::{self, Btf, Field, Kind, StrOff, TypeId};

/// Deeper nesting than this is a cycle in broken input.
const MAX_DEPTH: u32 = 32;

/// What a declaration says of the memory that a pointer points to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tag {
    /// Nothing.
    None,
    /// It is the user's.
    User,
    /// There is one for each processor.
    PerCpu,
    /// It is freed after a grace period of RCU.
    Rcu,
}

/// What was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found<'a> {
    /// A number.
    Number,
    /// A pointer to what is no structure.
    Leaf,
    /// A pointer to a structure or union.
    Pointer {
        /// What it points to.
        target: TypeId,
        /// The member's name.
        name: &'a str,
        /// What its declaration says.
        tag: Tag,
        /// It shares its bytes with other members.
        in_union: bool,
    },
}

/// Tags of pointers' targets.
const TAGS: &[(&str, Tag)] = &[("user", Tag::User), ("percpu", Tag::PerCpu), ("rcu", Tag::Rcu)];

/// What these bytes of a structure are.
pub fn at(btf: &Btf, ty: TypeId, offset: u32, size: u32) -> Option<Found<'_>> {
    let (mut ty, mut offset, mut in_union) = (btf.resolve(ty)?, offset, false);
    for _ in 0..MAX_DEPTH {
        if !is_composite(btf, ty) {
            return None;
        }
        in_union |= btf.kind(ty) == Some(Kind::Union) && btf.fields(ty).nth(1).is_some();
        if u64::from(offset.checked_add(size)?) > btf.size_of(ty)? {
            // Past the end there may be an array of any length.
            let last = btf.fields(ty).next_back()?;
            let start = last.byte_offset()?;
            let btf::Type::Array { elem, count: 0, .. } = btf.ty(btf.resolve(last.ty)?)? else { return None };
            let elem = btf.resolve(elem)?;
            let inside = offset.checked_sub(start)?;
            match btf.kind(elem)? {
                Kind::Int => return Some(Found::Number),
                Kind::Struct => {}
                _ => return None,
            }
            offset = inside.checked_rem(u32::try_from(btf.size_of(elem)?).ok()?)?;
            ty = elem;
            continue;
        }
        let step = btf.fields(ty).find_map(|field| member_at(btf, field, offset, size))?;
        match step {
            Step::Into(inner, left) => (ty, offset) = (inner, left),
            Step::Number => return Some(Found::Number),
            Step::Pointer(target, name) => {
                return Some(pointer(btf, target, btf.string(name).unwrap_or(""), in_union));
            }
            Step::Refused => return None,
        }
    }
    None
}

/// Where a member leads.
enum Step {
    /// To a structure, at this offset in it.
    Into(TypeId, u32),
    /// To a number.
    Number,
    /// To a pointer whose target has this type, by a member of this name.
    Pointer(TypeId, StrOff),
    /// To nothing that may be read so.
    Refused,
}

/// Where a member leads, if the offset is in it.
fn member_at(btf: &Btf, member: Field<StrOff>, offset: u32, size: u32) -> Option<Step> {
    let Some(start) = member.byte_offset().filter(|_| member.bit_size.is_none()) else {
        let first = member.bit_offset / 8;
        let end = (member.bit_offset + u32::from(member.bit_size.unwrap_or(0))).div_ceil(8);
        return (offset <= first && end <= offset + size).then_some(Step::Number);
    };
    let inside = offset.checked_sub(start)?;
    let bytes = u32::try_from(btf.size_of(member.ty)?).ok()?;
    if inside >= bytes {
        return None;
    }
    let (mut elem, mut inside, mut whole) = (btf.resolve(member.ty)?, inside, bytes);
    while btf.kind(elem)? == Kind::Array {
        elem = btf.resolve(btf.target(elem)?)?;
        let one = u32::try_from(btf.size_of(elem)?).ok()?;
        if !matches!(btf.kind(elem), Some(Kind::Int | Kind::Enum | Kind::Enum64)) {
            inside = inside.checked_rem(one)?;
            whole = one;
        }
    }
    Some(match btf.kind(elem)? {
        Kind::Struct | Kind::Union => Step::Into(elem, inside),
        Kind::Ptr if inside != 0 || size != 8 => Step::Refused,
        Kind::Ptr => Step::Pointer(btf.target(elem)?, member.name),
        _ if inside + size > whole => Step::Refused,
        _ => Step::Number,
    })
}

/// A pointer with this target, if that can be followed.
fn pointer<'a>(btf: &Btf, target: TypeId, name: &'a str, in_union: bool) -> Found<'a> {
    match btf.resolve(target).filter(|&ty| is_composite(btf, ty)) {
        Some(ty) => Found::Pointer { target: ty, name, tag: tag_of(btf, target), in_union },
        None => Found::Leaf,
    }
}

/// The tag of a pointer's target.
pub fn tag_of(btf: &Btf, target: TypeId) -> Tag {
    let name = if btf.kind(target) == Some(Kind::TypeTag) { btf.name(target) } else { "" };
    TAGS.iter().find(|row| row.0 == name).map_or(Tag::None, |row| row.1)
}

/// Is it a structure or union?
pub fn is_composite(btf: &Btf, ty: TypeId) -> bool {
    matches!(btf.kind(ty), Some(Kind::Struct | Kind::Union))
}

/// Is a structure of type `wanted` at this offset of one of type `ty`; at the start and itself, if
/// `strict`?
pub fn holds(btf: &Btf, ty: TypeId, offset: u32, wanted: TypeId, strict: bool) -> bool {
    let (mut ty, mut offset) = (ty, offset);
    for _ in 0..MAX_DEPTH {
        if offset == 0 && ty == wanted {
            return true;
        }
        if strict {
            return false;
        }
        let inner = btf.fields(ty).find_map(|field| match member_at(btf, field, offset, 1)? {
            Step::Into(inner, left) => Some((inner, left)),
            Step::Number | Step::Pointer(..) | Step::Refused => None,
        });
        match inner {
            Some(next) => (ty, offset) = next,
            None => return false,
        }
    }
    false
}

/// The offset and type of the member with this name, which may be in one without a name.
pub fn named(btf: &Btf, ty: TypeId, name: &str) -> Option<(u32, TypeId)> {
    let mut work = alloc::vec![(ty, 0u32, 0)];
    while let Some((ty, base, depth)) = work.pop() {
        for member in btf.members(ty) {
            let Some(offset) = member.byte_offset() else { continue };
            let offset = base.checked_add(offset)?;
            if member.name == name {
                return Some((offset, btf.resolve(member.ty)?));
            }
            if member.name.is_empty() && depth < MAX_DEPTH {
                work.extend(btf.resolve(member.ty).map(|inner| (inner, offset, depth + 1)));
            }
        }
    }
    None
}
