//! Maps whose elements are not bytes but handles: of programs, perf events, other maps, devices.
//!
//! A handle is a number whose meaning depends on the type: a program's or map's index in the
//! image, or whatever number user space would have put there.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use skep_stdlib::maps::MapType;

use super::array::index;
use super::{BPF_EXIST, BPF_NOEXIST, Errno, Map};
use crate::object::MapDef;
use crate::vm::Memory;

/// Handles by array index.
pub(super) struct HandleArray {
    handles: BTreeMap<u32, u32>,
    max_entries: u32,
    ty: MapType,
}

impl HandleArray {
    pub fn boxed(def: &MapDef) -> Result<Box<dyn Map>, Errno> {
        Ok(Box::new(HandleArray { handles: BTreeMap::new(), max_entries: def.max_entries, ty: def.ty }))
    }
}

/// The handle in a value: its first four bytes.
fn handle_of(value: &[u8]) -> Result<u32, Errno> {
    let bytes = value.first_chunk().ok_or(Errno::EINVAL)?;
    Ok(u32::from_le_bytes(*bytes))
}

impl Map for HandleArray {
    /// Programs cannot look into these maps; the map-in-map case goes through `handle`.
    fn lookup(&mut self, _key: &[u8], _cpu: u32) -> Option<u64> {
        None
    }

    fn update(
        &mut self,
        _memory: &mut Memory,
        key: &[u8],
        value: &[u8],
        flags: u64,
        _cpu: u32,
    ) -> Result<(), Errno> {
        let index = index(key).filter(|&index| index < self.max_entries).ok_or(Errno::E2BIG)?;
        if flags & BPF_NOEXIST != 0 {
            return Err(Errno::EEXIST);
        }
        self.handles.insert(index, handle_of(value)?);
        Ok(())
    }

    fn delete(&mut self, _memory: &mut Memory, key: &[u8]) -> Result<(), Errno> {
        let index = index(key).filter(|&index| index < self.max_entries).ok_or(Errno::E2BIG)?;
        match self.handles.remove(&index) {
            Some(_) => Ok(()),
            None if self.ty == MapType::Devmap => Ok(()),
            None => Err(Errno::ENOENT),
        }
    }

    fn keys(&self) -> Vec<Vec<u8>> {
        self.handles.keys().map(|index| index.to_le_bytes().to_vec()).collect()
    }

    fn values(&self, _key: &[u8]) -> Vec<u64> {
        Vec::new()
    }

    fn handle(&self, key: &[u8]) -> Option<u32> {
        self.handles.get(&index(key)?).copied()
    }
}

/// Handles by key.
pub(super) struct HandleHash {
    handles: BTreeMap<Vec<u8>, u32>,
    max_entries: u32,
}

impl HandleHash {
    pub fn boxed(def: &MapDef) -> Result<Box<dyn Map>, Errno> {
        Ok(Box::new(HandleHash { handles: BTreeMap::new(), max_entries: def.max_entries }))
    }
}

impl Map for HandleHash {
    fn lookup(&mut self, _key: &[u8], _cpu: u32) -> Option<u64> {
        None
    }

    fn update(
        &mut self,
        _memory: &mut Memory,
        key: &[u8],
        value: &[u8],
        flags: u64,
        _cpu: u32,
    ) -> Result<(), Errno> {
        let known = self.handles.contains_key(key);
        if known && flags & BPF_NOEXIST != 0 {
            return Err(Errno::EEXIST);
        }
        if !known && flags & BPF_EXIST != 0 {
            return Err(Errno::ENOENT);
        }
        if !known && self.handles.len() >= self.max_entries as usize {
            return Err(Errno::E2BIG);
        }
        self.handles.insert(key.to_vec(), handle_of(value)?);
        Ok(())
    }

    fn delete(&mut self, _memory: &mut Memory, key: &[u8]) -> Result<(), Errno> {
        self.handles.remove(key).map(|_| ()).ok_or(Errno::ENOENT)
    }

    fn keys(&self) -> Vec<Vec<u8>> {
        self.handles.keys().cloned().collect()
    }

    fn values(&self, _key: &[u8]) -> Vec<u64> {
        Vec::new()
    }

    fn handle(&self, key: &[u8]) -> Option<u32> {
        self.handles.get(key).copied()
    }
}
