//! Addresses of values by short keys, in memory where compiled programs find them without a call.
//!
//! Open addressing: a row has a key and the address of its value, or is empty and all zeros; a key is in
//! its own row or in one behind, with no empty row between. Whoever finds the key looked for also knows
//! the address, for what an empty row has is the answer for a key that is not there.
//! Rows belong to no element, so programs cannot reach them; only proven programs' code reads them.

use super::Errno;
use crate::vm::{Layout, Memory};

/// Bytes of a row, as a power of two.
pub(crate) const ROW_BITS: u32 = 4;
const ROW: u64 = 1 << ROW_BITS;
/// Maps with more elements have no index: it is as large when they are empty.
const MAX_ENTRIES: u32 = 1 << 16;
/// The upper bits of the product with a key are the number of its row.
pub(crate) const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

pub(super) struct Index {
    layout: IndexLayout,
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
        // At least half of the rows stay empty.
        let count = (max_entries * 2).next_power_of_two().max(16);
        let layout = Layout { count, elem: 0, stride: ROW as u32 };
        let start = memory.alloc(layout, false).ok()?;
        Some(Index { layout: IndexLayout { start, bits: count.trailing_zeros(), key_size } })
    }

    pub fn layout(&self) -> IndexLayout {
        self.layout
    }

    fn count(&self) -> u32 {
        1 << self.layout.bits
    }

    /// Number of a key's own row.
    fn home(&self, key: u64) -> u32 {
        (key.wrapping_mul(MULTIPLIER) >> (64 - self.layout.bits)) as u32
    }

    /// Numbers of all rows from one on, in the order in which keys look for a place.
    fn rows_from(&self, first: u32) -> impl Iterator<Item = u32> + use<> {
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

    /// Adds a key that is not there.
    pub fn insert(&self, memory: &mut Memory, key: &[u8], address: u64) -> Result<(), Errno> {
        let key = number(key);
        let mut rows = self.rows_from(self.home(key));
        let row = rows.find(|&row| self.get(memory, row).is_some_and(|(_, known)| known == 0));
        self.set(memory, row.ok_or(Errno::ENOMEM)?, key, address as u32).ok_or(Errno::EFAULT)
    }

    /// The row that a key is in.
    fn find_row(&self, memory: &Memory, key: u64) -> Option<u32> {
        for row in self.rows_from(self.home(key)) {
            match self.get(memory, row)? {
                (_, 0) => return None,
                (known, _) if known == key => return Some(row),
                _ => {}
            }
        }
        None
    }

    /// The address for a key: what compiled programs do.
    #[cfg(test)]
    pub fn find(&self, memory: &Memory, key: &[u8]) -> Option<u64> {
        let row = self.find_row(memory, number(key))?;
        self.get(memory, row).map(|(_, address)| u64::from(address))
    }

    /// Takes a key out. Those behind that could not have their own row move up, so that no row that was
    /// given free makes look-ups longer.
    pub fn remove(&self, memory: &mut Memory, key: &[u8]) {
        let Some(mut free) = self.find_row(memory, number(key)) else { return };
        let mask = self.count() - 1;
        let distance = |from: u32, to: u32| to.wrapping_sub(from) & mask;
        for row in self.rows_from(free).skip(1) {
            let Some((key, address)) = self.get(memory, row).filter(|&(_, address)| address != 0) else {
                break;
            };
            if distance(self.home(key), row) >= distance(free, row) {
                // Where one row can be read another can be written.
                let _ = self.set(memory, free, key, address);
                free = row;
            }
        }
        let _ = self.set(memory, free, 0, 0);
    }
}
