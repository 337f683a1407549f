//! Hash maps: plain, per-CPU, and those that evict the least recently used element.
//!
//! Eviction is exact where the kernel's is approximate: the element that was not looked up or
//! written for the longest time goes.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::index::{Index, IndexLayout};
use super::slab::Slab;
use super::table::Table;
use super::{BPF_EXIST, BPF_NOEXIST, Errno, Map};
use crate::object::MapDef;
use crate::vm::Memory;

/// What an insertion into a full map does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenFull {
    Refuse,
    Evict,
}

/// Most kernel objects that have a value; the kernel has no limit.
const MAX_OBJECTS: u32 = 65_536;

pub(super) struct Hash {
    table: Table,
    values: Slab,
    max_entries: u32,
    cpus: u32,
    when_full: WhenFull,
    zeros: Vec<u8>,
    /// For compiled programs; only where a look-up changes nothing and gives the one value.
    index: Option<Index>,
}

impl Hash {
    pub fn boxed(
        def: &MapDef,
        cpus: u32,
        when_full: WhenFull,
        memory: &mut Memory,
    ) -> Result<Box<dyn Map>, Errno> {
        let count = def.max_entries.checked_mul(cpus).ok_or(Errno::E2BIG)?;
        let values = Slab::new(count, def.value_size)?;
        // Only per-CPU maps have values of other CPUs to clear.
        let zeros = if cpus > 1 { alloc::vec![0; def.value_size as usize] } else { Vec::new() };
        let table = Table::new(def.key_size);
        let index = match (when_full, def.ty.info().per_cpu) {
            (WhenFull::Refuse, false) => Index::new(def.key_size, def.max_entries, memory),
            (WhenFull::Refuse | WhenFull::Evict, _) => None,
        };
        Ok(Box::new(Hash { table, values, max_entries: def.max_entries, cpus, when_full, zeros, index }))
    }

    /// Values of kernel objects, by address.
    pub fn of_objects(def: &MapDef, memory: &mut Memory) -> Result<Box<dyn Map>, Errno> {
        let def = MapDef { key_size: 8, max_entries: MAX_OBJECTS, ..def.clone() };
        Hash::boxed(&def, 1, WhenFull::Refuse, memory)
    }

    /// Values of control groups, by the key that the definition has.
    pub fn of_groups(def: &MapDef, cpus: u32, memory: &mut Memory) -> Result<Box<dyn Map>, Errno> {
        Hash::boxed(&MapDef { max_entries: MAX_OBJECTS, ..def.clone() }, cpus, WhenFull::Refuse, memory)
    }

    fn address(&self, slot: u32, cpu: u32) -> Option<u64> {
        self.values.address(slot * self.cpus + cpu % self.cpus)
    }

    fn insert(&mut self, memory: &mut Memory, key: &[u8]) -> Result<u32, Errno> {
        if self.table.len() >= self.max_entries as usize {
            match self.when_full {
                WhenFull::Refuse => return Err(Errno::E2BIG),
                WhenFull::Evict => {
                    let victim = self.table.oldest().map(<[u8]>::to_vec).ok_or(Errno::ENOMEM)?;
                    self.table.remove(&victim);
                }
            }
        }
        let slot = self.table.insert(key);
        for cpu in 0..self.cpus {
            let made = self.values.ensure(slot * self.cpus + cpu, memory);
            if let Err(errno) = made {
                self.table.remove(key);
                return Err(errno);
            }
            if let Some(address) = self.address(slot, cpu) {
                memory.fill(address, &self.zeros).ok_or(Errno::EFAULT)?;
            }
        }
        self.index(memory, key, slot)?;
        Ok(slot)
    }

    fn index(&mut self, memory: &mut Memory, key: &[u8], slot: u32) -> Result<(), Errno> {
        let address = self.address(slot, 0).ok_or(Errno::ENOMEM)?;
        self.index.as_ref().map_or(Ok(()), |index| index.insert(memory, key, address))
    }
}

impl Map for Hash {
    fn lookup(&mut self, key: &[u8], cpu: u32) -> Option<u64> {
        let slot = self.table.find(key)?;
        if self.when_full == WhenFull::Evict {
            self.table.touch(slot);
        }
        self.address(slot, cpu)
    }

    fn update(
        &mut self,
        memory: &mut Memory,
        key: &[u8],
        value: &[u8],
        flags: u64,
        cpu: u32,
    ) -> Result<(), Errno> {
        let slot = match self.table.find(key) {
            Some(_) if flags & BPF_NOEXIST != 0 => return Err(Errno::EEXIST),
            None if flags & BPF_EXIST != 0 => return Err(Errno::ENOENT),
            Some(slot) => slot,
            None => self.insert(memory, key)?,
        };
        if self.when_full == WhenFull::Evict {
            self.table.touch(slot);
        }
        let address = self.address(slot, cpu).ok_or(Errno::ENOMEM)?;
        memory.fill(address, value).ok_or(Errno::EFAULT)
    }

    fn delete(&mut self, memory: &mut Memory, key: &[u8]) -> Result<(), Errno> {
        self.table.remove(key).ok_or(Errno::ENOENT)?;
        if let Some(index) = &self.index {
            index.remove(memory, key);
        }
        Ok(())
    }

    fn index_layout(&self) -> Option<IndexLayout> {
        self.index.as_ref().map(Index::layout)
    }

    fn keys(&self) -> Vec<Vec<u8>> {
        self.table.live().map(|slot| self.table.key(slot).to_vec()).collect()
    }

    fn values(&self, key: &[u8]) -> Vec<u64> {
        let Some(slot) = self.table.find(key) else { return Vec::new() };
        (0..self.cpus).filter_map(|cpu| self.address(slot, cpu)).collect()
    }
}
