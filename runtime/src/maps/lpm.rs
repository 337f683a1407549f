//! Longest-prefix-match tries: a key is a `__u32` prefix length and the bits it counts.
//!
//! Entries are hashed with their prefix length; a look-up tries the lengths from the longest
//! down, which is short work for the 33 or 129 lengths that addresses have.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::slab::Slab;
use super::table::Table;
use super::{BPF_EXIST, BPF_NOEXIST, Errno, Map};
use crate::object::MapDef;
use crate::vm::Memory;

pub(super) struct LpmTrie {
    /// By keys whose bits behind the prefix are zero.
    table: Table,
    /// The keys as they were given, by slot.
    given: BTreeMap<u32, Vec<u8>>,
    values: Slab,
    max_entries: u32,
    /// Bits that a key has.
    max_prefix: u32,
}

impl LpmTrie {
    pub fn boxed(def: &MapDef) -> Result<Box<dyn Map>, Errno> {
        let bytes = def.key_size.checked_sub(4).filter(|bytes| (1..=256).contains(bytes));
        let max_prefix = bytes.ok_or(Errno::EINVAL)? * 8;
        let values = Slab::new(def.max_entries, def.value_size)?;
        let table = Table::new(def.key_size);
        Ok(Box::new(LpmTrie {
            table,
            given: BTreeMap::new(),
            values,
            max_entries: def.max_entries,
            max_prefix,
        }))
    }

    fn prefix(&self, key: &[u8]) -> Option<u32> {
        Some(u32::from_le_bytes(*key.first_chunk()?))
    }

    /// The key with this prefix length and all bits behind it cleared.
    fn masked(key: &[u8], prefix: u32) -> Vec<u8> {
        let mut masked = key.to_vec();
        let (length, bits) = masked.split_at_mut(4.min(key.len()));
        length.copy_from_slice(prefix.to_le_bytes().get(..length.len()).unwrap_or_default());
        for (index, byte) in bits.iter_mut().enumerate() {
            let keep = prefix.saturating_sub(index as u32 * 8).min(8);
            *byte &= !(0xffu16 >> keep) as u8;
        }
        masked
    }

    fn exact(&self, key: &[u8]) -> Option<Vec<u8>> {
        let prefix = self.prefix(key).filter(|&prefix| prefix <= self.max_prefix)?;
        Some(Self::masked(key, prefix))
    }
}

impl Map for LpmTrie {
    fn lookup(&mut self, key: &[u8], _cpu: u32) -> Option<u64> {
        let longest = self.prefix(key).filter(|&prefix| prefix <= self.max_prefix)?;
        let slot = (0..=longest).rev().find_map(|prefix| self.table.find(&Self::masked(key, prefix)))?;
        self.values.address(slot)
    }

    fn update(
        &mut self,
        memory: &mut Memory,
        key: &[u8],
        value: &[u8],
        flags: u64,
        _cpu: u32,
    ) -> Result<(), Errno> {
        let exact = self.exact(key).ok_or(Errno::EINVAL)?;
        let slot = match self.table.find(&exact) {
            Some(_) if flags & BPF_NOEXIST != 0 => return Err(Errno::EEXIST),
            None if flags & BPF_EXIST != 0 => return Err(Errno::ENOENT),
            None if self.table.len() >= self.max_entries as usize => return Err(Errno::ENOSPC),
            Some(slot) => slot,
            None => self.table.insert(&exact),
        };
        self.given.insert(slot, key.to_vec());
        self.values.ensure(slot, memory)?;
        let address = self.values.address(slot).ok_or(Errno::ENOMEM)?;
        memory.fill(address, value).ok_or(Errno::EFAULT)
    }

    fn delete(&mut self, _memory: &mut Memory, key: &[u8]) -> Result<(), Errno> {
        let key = self.exact(key).ok_or(Errno::EINVAL)?;
        let slot = self.table.remove(&key).ok_or(Errno::ENOENT)?;
        self.given.remove(&slot);
        Ok(())
    }

    fn keys(&self) -> Vec<Vec<u8>> {
        self.given.values().cloned().collect()
    }

    fn values(&self, key: &[u8]) -> Vec<u64> {
        let slot = self.exact(key).and_then(|key| self.table.find(&key));
        slot.and_then(|slot| self.values.address(slot)).into_iter().collect()
    }
}
