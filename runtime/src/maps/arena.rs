//! Arenas: pages that programs take and give back.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use super::{Errno, Map};
use crate::object::MapDef;
use crate::vm::{Layout, Memory};

/// Bytes of a page.
const PAGE: u32 = 4096;

/// An arena.
pub struct Arena {
    pages_left: u32,
    /// Pages in use, by address of the first.
    taken: BTreeMap<u64, u32>,
}

impl Arena {
    pub(super) fn boxed(def: &MapDef) -> Result<Box<dyn Map>, Errno> {
        Ok(Box::new(Arena { pages_left: def.max_entries, taken: BTreeMap::new() }))
    }

    /// So many zeroed pages in a row, if there are any left.
    pub fn take(&mut self, memory: &mut Memory, pages: u32) -> Option<u64> {
        if pages == 0 || pages > self.pages_left {
            return None;
        }
        let address = memory.alloc(Layout::bytes(pages.checked_mul(PAGE)?), true).ok()?;
        self.pages_left -= pages;
        self.taken.insert(address, pages);
        Some(address)
    }

    /// Gives back what was taken together.
    pub fn give(&mut self, memory: &mut Memory, address: u64) {
        if let Some(pages) = self.taken.remove(&address) {
            self.pages_left += pages;
            memory.free(address);
        }
    }
}

impl Map for Arena {
    fn arena(&mut self) -> Option<&mut Arena> {
        Some(self)
    }
}
