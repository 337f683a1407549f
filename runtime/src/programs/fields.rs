//! Values by name, laid out by BTF: `pid`, `args[1]`, `sk.__sk_common.skc_num`.
//!
//! In: a structure type, a path, a [`Value`]. Out: bytes in a buffer. A string for an array of
//! characters goes into it; for anything else it becomes the address of a terminated copy in user
//! memory, which is where system calls have their strings. Bytes and structures for a pointer
//! become the address of a copy in kernel memory.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use skep_stdlib::btf::{Btf, Kind, Type, TypeId};

use crate::object::Image;
use crate::vm::{Foreign, RunError, Space, Value};

/// A place in a structure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Location {
    ty: TypeId,
    bit_offset: u64,
    /// Width of a bit-field.
    bits: Option<u8>,
}

/// Levels of anonymous members that are searched.
const MAX_DEPTH: u32 = 32;

/// The types that names are looked up in: the target kernel's, then the object's.
#[derive(Clone, Copy)]
pub(super) struct Types<'a> {
    target: Option<&'a Btf>,
    object: Option<&'a Btf>,
}

impl<'a> Types<'a> {
    pub fn of(image: &'a Image) -> Types<'a> {
        Types { target: image.target_btf.as_deref(), object: image.btf.as_deref() }
    }

    fn find(self, name: &str) -> Option<(&'a Btf, TypeId)> {
        let all = [self.target, self.object];
        all.into_iter().flatten().find_map(|btf| {
            let id = btf.find(name, Kind::Struct).or_else(|| btf.find(name, Kind::Union))?;
            Some((btf, id))
        })
    }
}

/// Largest structure that is made.
const MAX_STRUCT: u64 = 1 << 20;

/// Sets the field at `path` in `bytes`, which hold a value of type `root` of `btf`.
pub(super) fn set(
    (btf, root): (&Btf, TypeId),
    bytes: &mut Vec<u8>,
    path: &str,
    value: &Value,
    types: Types<'_>,
    foreign: &mut Foreign,
) -> Result<(), RunError> {
    let location = locate(btf, root, path)?;
    let fail = |why: &str| match path {
        "" => RunError::new(format!("the value {why}")),
        _ => RunError::new(format!("field `{path}` {why}")),
    };
    let size = btf.size_of(location.ty).and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or_else(|| fail("has no size"))?;
    if let (Some(bits), Value::Int(value)) = (location.bits, value) {
        return set_bits(bytes, location.bit_offset, bits, *value).ok_or_else(|| fail("lies outside"));
    }
    let aggregate = matches!(
        btf.resolve(location.ty).and_then(|id| btf.ty(id)),
        Some(Type::Array { .. } | Type::Struct(_) | Type::Union(_))
    );
    let raw = match value {
        Value::Int(value) if size <= 8 => value.to_le_bytes().get(..size).unwrap_or_default().to_vec(),
        Value::Int(_) => return Err(fail("is not a number")),
        Value::Str(text) if aggregate => text.as_bytes().to_vec(),
        Value::Bytes(bytes) if aggregate || bytes.len() == size => bytes.clone(),
        other if size == 8 => number(other, types, foreign)?.to_le_bytes().to_vec(),
        Value::Str(_) | Value::Bytes(_) | Value::Struct { .. } => {
            return Err(fail("is neither an array nor a pointer"));
        }
    };
    // Flexible arrays have no size of their own and may extend the structure.
    if raw.len() > size && size != 0 {
        return Err(fail(&format!("has {size} bytes and cannot hold {}", raw.len())));
    }
    let start = usize::try_from(location.bit_offset / 8).unwrap_or(usize::MAX);
    let end = start.checked_add(raw.len()).filter(|&end| end as u64 <= MAX_STRUCT);
    let end = end.ok_or_else(|| fail("lies too far from the start"))?;
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(place) = bytes.get_mut(start..end) {
        place.copy_from_slice(&raw);
    }
    Ok(())
}

/// A value as one 64-bit argument.
pub(super) fn number(value: &Value, types: Types<'_>, foreign: &mut Foreign) -> Result<u64, RunError> {
    Ok(match value {
        Value::Int(value) => *value,
        Value::Str(text) => {
            let mut bytes = text.as_bytes().to_vec();
            bytes.push(0);
            foreign.place(Space::User, bytes)
        }
        Value::Bytes(bytes) => foreign.place(Space::Kernel, bytes.clone()),
        Value::Struct { ty, fields } => {
            let (btf, id) =
                types.find(ty).ok_or_else(|| RunError::new(format!("no BTF here has a `struct {ty}`")))?;
            let size = btf.size_of(id).filter(|&size| size <= MAX_STRUCT).unwrap_or(0);
            let mut bytes = alloc::vec![0; size as usize];
            for (path, value) in fields {
                set((btf, id), &mut bytes, path, value, types, foreign)?;
            }
            foreign.place(Space::Kernel, bytes)
        }
    })
}

fn set_bits(bytes: &mut [u8], offset: u64, bits: u8, value: u64) -> Option<()> {
    for bit in 0..u64::from(bits) {
        let at = offset + bit;
        let byte = bytes.get_mut(usize::try_from(at / 8).ok()?)?;
        let mask = 1 << (at % 8);
        *byte = if value >> bit & 1 != 0 { *byte | mask } else { *byte & !mask };
    }
    Some(())
}

/// One step of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step<'a> {
    Member(&'a str),
    Index(u64),
}

/// The empty path is the whole; one that begins with an index goes into an array.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut steps = Vec::new();
    if path.is_empty() {
        return Some(steps);
    }
    for (number, part) in path.split('.').enumerate() {
        let (name, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        match name.is_empty() {
            true if number == 0 && !rest.is_empty() => {}
            true => return None,
            false => steps.push(Step::Member(name)),
        }
        while !rest.is_empty() {
            let (index, tail) = rest.strip_prefix('[')?.split_once(']')?;
            steps.push(Step::Index(index.parse().ok()?));
            rest = tail;
        }
    }
    Some(steps)
}

fn locate(btf: &Btf, root: TypeId, path: &str) -> Result<Location, RunError> {
    let bad = || RunError::new(format!("`{path}` is not a path to a field"));
    let mut at = Location { ty: root, bit_offset: 0, bits: None };
    for step in steps(path).ok_or_else(bad)? {
        at = match step {
            Step::Member(name) => member(btf, at, name, MAX_DEPTH).ok_or_else(|| {
                let known = names(btf, at.ty);
                RunError::new(format!("there is no field `{name}`; there are `{known}`"))
            })?,
            Step::Index(index) => element(btf, at, index).ok_or_else(bad)?,
        };
    }
    Ok(at)
}

fn names(btf: &Btf, ty: TypeId) -> String {
    let Some(id) = btf.resolve(ty) else { return String::new() };
    let names: Vec<&str> = btf.members(id).map(|m| m.name).filter(|name| !name.is_empty()).collect();
    names.join("`, `")
}

/// The member `name`, also of anonymous members.
fn member(btf: &Btf, at: Location, name: &str, depth: u32) -> Option<Location> {
    let id = btf.resolve(at.ty)?;
    for member in btf.members(id) {
        let bit_offset = at.bit_offset + u64::from(member.bit_offset);
        let found = Location { ty: member.ty, bit_offset, bits: member.bit_size.filter(|&bits| bits > 0) };
        if member.name == name {
            return Some(found);
        }
        if member.name.is_empty()
            && depth > 0
            && let Some(found) = self::member(btf, found, name, depth - 1)
        {
            return Some(found);
        }
    }
    None
}

fn element(btf: &Btf, at: Location, index: u64) -> Option<Location> {
    let Type::Array { elem, count, .. } = btf.ty(btf.resolve(at.ty)?)? else { return None };
    if count != 0 && index >= u64::from(count) {
        return None;
    }
    let bits = btf.size_of(elem)?.checked_mul(8)?.checked_mul(index)?;
    Some(Location { ty: elem, bit_offset: at.bit_offset.checked_add(bits)?, bits: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let expected = [Step::Member("a"), Step::Index(2), Step::Member("b")];
        assert_eq!(steps("a[2].b").as_deref(), Some(&expected[..]));
        assert_eq!(steps("[2].b").as_deref(), Some(&expected[1..]));
        assert_eq!(steps("").as_deref(), Some(&[][..]));
        assert_eq!(steps("a..b"), None);
        assert_eq!(steps("a[b]"), None);
        assert_eq!(steps("a[1"), None);
    }

    #[test]
    fn bits_do_not_touch_their_neighbours() {
        let mut bytes = [0xff, 0xff];
        set_bits(&mut bytes, 6, 4, 0).unwrap();
        assert_eq!(bytes, [0x3f, 0xfc]);
        assert_eq!(set_bits(&mut bytes, 14, 4, 0), None);
    }
}
