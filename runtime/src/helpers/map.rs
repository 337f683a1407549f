//! Look-up, update, deletion, and the queue operations.

use alloc::vec::Vec;

use skep_stdlib::maps::MapType;

use super::{Cx, Entry, Stop, bad, status};
use crate::maps::{Errno, MapEntry};
use crate::vm::{Memory, map_address, map_of_address};

pub(super) const HELPERS: &[Entry] = &[
    ("map_lookup_elem", map_lookup_elem),
    ("map_update_elem", map_update_elem),
    ("map_delete_elem", map_delete_elem),
    ("map_push_elem", map_push_elem),
    ("map_pop_elem", map_pop_elem),
    ("map_peek_elem", map_peek_elem),
    ("map_lookup_percpu_elem", map_lookup_percpu_elem),
];

impl Cx<'_> {
    /// The map that argument 1 (or another) of a helper points to, and the memory it works on.
    pub(super) fn map(
        &mut self,
        pointer: u64,
        helper: &'static str,
        argument: u8,
    ) -> Result<(&mut MapEntry, &mut Memory), Stop> {
        let index = map_of_address(pointer).ok_or(bad(helper, argument, "is not a map"))?;
        let entry = self.env.maps.get_mut(index).ok_or(bad(helper, argument, "is not a map"))?;
        Ok((entry, &mut self.env.memory))
    }

    fn key(&mut self, map: u64, key: u64, helper: &'static str) -> Result<Vec<u8>, Stop> {
        let size = self.map(map, helper, 1)?.0.def.key_size;
        self.bytes(key, u64::from(size))
    }
}

fn map_lookup_elem(cx: &mut Cx<'_>, [map, key, ..]: [u64; 5]) -> Result<u64, Stop> {
    let cpu = cx.env.host.cpu();
    lookup(cx, map, key, cpu, "map_lookup_elem")
}

fn map_lookup_percpu_elem(cx: &mut Cx<'_>, [map, key, cpu, ..]: [u64; 5]) -> Result<u64, Stop> {
    let cpu = cpu as u32;
    if cpu >= cx.env.host.cpus() {
        return Ok(0);
    }
    lookup(cx, map, key, cpu, "map_lookup_percpu_elem")
}

/// The hot path: the key is compared where it lies.
fn lookup(cx: &mut Cx<'_>, map: u64, key: u64, cpu: u32, helper: &'static str) -> Result<u64, Stop> {
    let (entry, memory) = cx.map(map, helper, 1)?;
    let size = u64::from(entry.def.key_size);
    let fault = crate::vm::FaultKind::Access { address: key, size, write: false };
    let key = memory.read(key, size).ok_or(Stop::Fault(fault))?;
    if matches!(entry.def.ty, MapType::ArrayOfMaps | MapType::HashOfMaps) {
        return Ok(entry.handle(key).map_or(0, map_address));
    }
    Ok(entry.lookup(key, cpu).unwrap_or(0))
}

fn map_update_elem(cx: &mut Cx<'_>, [map, key, value, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    let cpu = cx.env.host.cpu();
    let key = cx.key(map, key, "map_update_elem")?;
    let size = cx.map(map, "map_update_elem", 1)?.0.def.value_size;
    let value = cx.bytes(value, u64::from(size))?;
    let (entry, memory) = cx.map(map, "map_update_elem", 1)?;
    Ok(status(entry.update(memory, &key, &value, flags, cpu)))
}

fn map_delete_elem(cx: &mut Cx<'_>, [map, key, ..]: [u64; 5]) -> Result<u64, Stop> {
    let key = cx.key(map, key, "map_delete_elem")?;
    let (entry, memory) = cx.map(map, "map_delete_elem", 1)?;
    Ok(status(entry.delete(memory, &key)))
}

fn map_push_elem(cx: &mut Cx<'_>, [map, value, flags, ..]: [u64; 5]) -> Result<u64, Stop> {
    let size = cx.map(map, "map_push_elem", 1)?.0.def.value_size;
    let value = cx.bytes(value, u64::from(size))?;
    let (entry, memory) = cx.map(map, "map_push_elem", 1)?;
    Ok(status(entry.ops().push(memory, &value, flags)))
}

fn map_pop_elem(cx: &mut Cx<'_>, [map, value, ..]: [u64; 5]) -> Result<u64, Stop> {
    take(cx, map, value, true, "map_pop_elem")
}

/// A bloom filter is asked about the value; the others give theirs.
fn map_peek_elem(cx: &mut Cx<'_>, [map, value, ..]: [u64; 5]) -> Result<u64, Stop> {
    let size = cx.map(map, "map_peek_elem", 1)?.0.def.value_size;
    let asked = cx.bytes(value, u64::from(size))?;
    if let Some(has) = cx.map(map, "map_peek_elem", 1)?.0.ops().has(&asked) {
        return Ok(if has { 0 } else { Errno::ENOENT.code() });
    }
    take(cx, map, value, false, "map_peek_elem")
}

/// An empty queue clears the program's buffer, as the kernel does.
fn take(cx: &mut Cx<'_>, map: u64, to: u64, remove: bool, helper: &'static str) -> Result<u64, Stop> {
    let (entry, memory) = cx.map(map, helper, 1)?;
    let size = u64::from(entry.def.value_size);
    match entry.ops().peek(memory, remove) {
        Ok(value) => {
            cx.write(to, &value)?;
            Ok(0)
        }
        Err(Errno::ENOENT) => {
            cx.bytes_mut(to, size)?.fill(0);
            Ok(Errno::ENOENT.code())
        }
        Err(errno) => Ok(errno.code()),
    }
}
