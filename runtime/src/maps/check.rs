//! The sizes that the kernel refuses, by the rows of the platform's map table.

use alloc::format;
use alloc::string::String;

use skep_stdlib::maps::{Entries, Key, MapType, Value};

use crate::object::{LoadError, MapDef, Place};

/// Most bytes of a key: what fits on a program's stack.
const MAX_KEY: u32 = 512;
/// Bytes of a page.
const PAGE: u32 = 4096;

/// Checks the sizes of a definition.
pub(super) fn check(def: &MapDef) -> Result<(), LoadError> {
    let result = check_key(def).and_then(|()| check_value(def)).and_then(|()| check_entries(def));
    let name = def.ty.info().name;
    result.map_err(|why| {
        LoadError::malformed(Place::Map(def.name.clone()), format!("a map of type `{name}` {why}"))
    })
}

fn check_key(def: &MapDef) -> Result<(), String> {
    let size = def.key_size;
    let fine = match def.ty.info().key {
        Key::Any => (1..=MAX_KEY).contains(&size),
        Key::U32 | Key::Owner => size == 4,
        Key::None => size == 0,
        Key::Prefix => (5..=260).contains(&size),
        Key::Cgroup => size == 8 || size == 16,
    };
    if fine { Ok(()) } else { Err(format!("cannot have keys of {size} bytes")) }
}

fn check_value(def: &MapDef) -> Result<(), String> {
    let size = def.value_size;
    let fine = match def.ty.info().value {
        // Queues and arrays alike refuse empty values.
        Value::Any | Value::StructOps => size > 0,
        Value::Fd => size == 4,
        Value::Target | Value::Socket => size == 4 || size == 8,
        Value::Stack => size >= 8 && size.is_multiple_of(8),
        Value::None => size == 0,
    };
    if fine { Ok(()) } else { Err(format!("cannot have values of {size} bytes")) }
}

fn check_entries(def: &MapDef) -> Result<(), String> {
    let entries = def.max_entries;
    let fine = match def.ty.info().entries {
        Entries::Count | Entries::Pages | Entries::Processors => entries > 0,
        Entries::Bytes => entries.is_power_of_two() && entries.is_multiple_of(PAGE),
        Entries::Zero => entries == 0,
        Entries::One => entries == 1,
    };
    if fine { Ok(()) } else { Err(format!("cannot have `max_entries` {entries}")) }
}

/// Whether elements have no keys.
pub(super) fn is_queue(ty: MapType) -> bool {
    matches!(ty, MapType::Queue | MapType::Stack | MapType::BloomFilter)
}
