//! What a program reads of a map's `struct bpf_map`, which the verifier lets it do through a pointer to the map.
//!
//! The target kernel's types say where the fields are; only what has a meaning without a kernel is there, and
//! all else is 0.

use alloc::vec::Vec;

use skep_stdlib::btf::{Btf, Kind};

use crate::object::MapDef;

/// A field's value.
type Value = fn(&MapDef, u32) -> u64;

/// Names of fields with their values for a map of this index.
const FIELDS: &[(&str, Value)] = &[
    ("map_type", |def, _| def.ty as u64),
    ("key_size", |def, _| def.key_size.into()),
    ("value_size", |def, _| def.value_size.into()),
    ("max_entries", |def, _| def.max_entries.into()),
    ("map_extra", |def, _| def.extra),
    ("map_flags", |def, _| def.flags.into()),
    ("id", |_, index| u64::from(index) + 1),
];

/// `size` bytes at `offset` in the structure, little-endian; none if they are not in it.
pub(super) fn read(btf: &Btf, def: &MapDef, index: u32, offset: u64, size: u32) -> Option<u64> {
    let bpf_map = btf.find("bpf_map", Kind::Struct)?;
    let mut bytes: Vec<u8> = alloc::vec![0; usize::try_from(btf.size_of(bpf_map)?).ok()?];
    let all = offset.try_into().ok()?..usize::try_from(offset + u64::from(size)).ok()?;
    bytes.get(all.clone())?;
    for member in btf.members(bpf_map) {
        let Some((_, value)) = FIELDS.iter().find(|(name, _)| *name == member.name) else { continue };
        let width = usize::try_from(btf.size_of(member.ty)?).ok().filter(|&width| width <= 8)?;
        let at = member.byte_offset()? as usize;
        bytes.get_mut(at..at + width)?.copy_from_slice(value(def, index).to_le_bytes().get(..width)?);
    }
    Some(bytes.get(all)?.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}
