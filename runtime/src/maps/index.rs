//! Addresses of values by short keys, in memory where compiled programs find them without a call.
//!
//! Open addressing: a row has the key and the address of its value, 0 where there was never one and
//! [`REMOVED`] where there was; a key is in its own row or in one behind, with no empty row between.
//! Rows belong to no element, so programs cannot reach them; only proven programs' code reads them.

use super::Errno;
use crate::vm::{Layout, Memory};

/// Bytes of a row.
const ROW: u64 = 16;
/// In place of an address: there was an element.
const REMOVED: u32 = 1;
/// Maps with more elements have no index: it is as large when they are empty.
const MAX_ENTRIES: u32 = 1 << 16;
/// The upper bits of the product with a key are the number of its row.
pub(crate) const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

pub(super) struct Index {
    layout: IndexLayout,
    /// Rows that are not empty.
    used: u32,
}

/// Where an index is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexLayout {
    /// Address of the first row.
    pub start: u64,
    /// Rows: two to the power of this.
    pub bits: u32,
    /// Bytes of a key: 4 or 8.
    pub key_size: u32,
}

/// A key as a number.
fn number(key: &[u8]) -> u64 {
    key.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

impl Index {
    /// For a map of so many elements; none if it cannot have one.
    pub fn new(key_size: u32, max_entries: u32, memory: &mut Memory) -> Option<Index> {
        if !matches!(key_size, 4 | 8) || max_entries > MAX_ENTRIES {
            return None;
        }
        // At least half of the rows stay empty, or were removed.
        let count = (max_entries * 2).next_power_of_two().max(16);
        let layout = Layout { count, elem: 0, stride: ROW as u32 };
        let start = memory.alloc(layout, false).ok()?;
        Some(Index { layout: IndexLayout { start, bits: count.trailing_zeros(), key_size }, used: 0 })
    }

    pub fn layout(&self) -> IndexLayout {
        self.layout
    }

    fn count(&self) -> u32 {
        1 << self.layout.bits
    }

    /// Numbers of the rows that a key may be in, in their order.
    fn rows(&self, key: u64) -> impl Iterator<Item = u32> + use<> {
        let first = (key.wrapping_mul(MULTIPLIER) >> (64 - self.layout.bits)) as u32;
        let mask = self.count() - 1;
        (0..=mask).map(move |distance| first.wrapping_add(distance) & mask)
    }

    fn get(&self, memory: &Memory, row: u32) -> Option<(u64, u32)> {
        let at = self.layout.start + u64::from(row) * ROW;
        let (key, rest) = memory.hidden(at, ROW)?.split_first_chunk()?;
        Some((u64::from_le_bytes(*key), u32::from_le_bytes(*rest.first_chunk()?)))
    }

    fn set(&self, memory: &mut Memory, row: u32, key: u64, address: u32) -> Option<()> {
        let at = self.layout.start + u64::from(row) * ROW;
        let row = memory.hidden_mut(at, ROW)?;
        row.get_mut(..8)?.copy_from_slice(&key.to_le_bytes());
        row.get_mut(8..12)?.copy_from_slice(&address.to_le_bytes());
        Some(())
    }

    /// Are so many rows in use that look-ups become long?
    pub fn is_crowded(&self) -> bool {
        self.used > self.count() / 8 * 7
    }

    /// Forgets everything.
    pub fn clear(&mut self, memory: &mut Memory) {
        let len = u64::from(self.count()) * ROW;
        if let Some(bytes) = memory.hidden_mut(self.layout.start, len) {
            bytes.fill(0);
        }
        self.used = 0;
    }

    /// Adds a key that is not there.
    pub fn insert(&mut self, memory: &mut Memory, key: &[u8], address: u64) -> Result<(), Errno> {
        let key = number(key);
        let free = self.rows(key).find_map(|row| {
            let (_, known) = self.get(memory, row)?;
            (known <= REMOVED).then_some((row, known))
        });
        let (row, known) = free.ok_or(Errno::ENOMEM)?;
        self.used += u32::from(known == 0);
        self.set(memory, row, key, address as u32).ok_or(Errno::EFAULT)
    }

    /// The address for a key: what compiled programs do.
    #[cfg(test)]
    pub fn find(&self, memory: &Memory, key: &[u8]) -> Option<u64> {
        let key = number(key);
        for row in self.rows(key) {
            match self.get(memory, row)? {
                (_, 0) => return None,
                (known, address) if known == key && address > REMOVED => return Some(u64::from(address)),
                _ => {}
            }
        }
        None
    }

    /// Takes a key out.
    pub fn remove(&mut self, memory: &mut Memory, key: &[u8]) {
        let key = number(key);
        for row in self.rows(key) {
            match self.get(memory, row) {
                None | Some((_, 0)) => return,
                Some((known, address)) if known == key && address > REMOVED => {
                    // Its place stays taken; there is nothing to say if it could not be.
                    let _ = self.set(memory, row, key, REMOVED);
                    return;
                }
                Some(_) => {}
            }
        }
    }
}
