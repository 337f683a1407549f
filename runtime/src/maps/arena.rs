//! Arenas: pages that programs take and give back.
//!
//! The pages are in one row, so that a program can say which it wants and reckon from one to the other.
//! Those that nobody has taken are absent: stores to them are dropped and loads give 0, as in the kernel
//! (`kernel/bpf/arena.c`), where they fault.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Errno, Map};
use crate::object::MapDef;
use crate::vm::{Layout, Memory};

/// Bytes of a page.
const PAGE: u32 = 4096;
/// Pages that an arena has here at most; the kernel's have as many as fit into 4 GB.
const MAX_PAGES: u32 = 4096;

/// An arena.
pub struct Arena {
    /// Address of the first page, once one was taken.
    start: Option<u64>,
    /// Is the page in use?
    taken: Vec<bool>,
    /// How many more there would be in the kernel.
    missing: u32,
}

impl Arena {
    /// One whose first pages have the variables that are in it.
    pub(super) fn boxed(def: &MapDef, memory: &mut Memory) -> Result<Box<dyn Map>, Errno> {
        let pages = def.max_entries.min(MAX_PAGES);
        let taken = alloc::vec![false; pages as usize];
        let mut arena = Arena { start: None, taken, missing: def.max_entries - pages };
        let pages = def.contents.chunks(PAGE as usize);
        if let Some(count) = u32::try_from(pages.len()).ok().filter(|&count| count != 0) {
            let mut address = arena.take(memory, 0, count).ok_or(Errno::ENOMEM)?;
            for page in pages {
                memory.fill(address, page).ok_or(Errno::ENOMEM)?;
                address += u64::from(PAGE);
            }
        }
        Ok(Box::new(arena))
    }

    /// Where the pages are.
    fn start(&mut self, memory: &mut Memory) -> Option<u64> {
        if self.start.is_none() {
            let pages = self.taken.len() as u32;
            let layout = Layout { count: pages, elem: PAGE, stride: PAGE };
            let start = memory.alloc(layout, true).ok()?;
            memory.set_present(start, pages, false);
            self.start = Some(start);
        }
        self.start
    }

    /// The number of the page at an address.
    fn page(&mut self, memory: &mut Memory, address: u64) -> Option<usize> {
        let offset = address.checked_sub(self.start(memory)?)?;
        usize::try_from(offset / u64::from(PAGE)).ok().filter(|&page| page < self.taken.len())
    }

    /// Would there be such pages in the kernel's arena, but not in this one?
    pub fn lacks(&self, address: u64, pages: u32) -> bool {
        let here = self.taken.len() as u64;
        let first = match address {
            0 => here,
            address => address.wrapping_sub(self.start.unwrap_or(0)) / u64::from(PAGE),
        };
        let behind = first.saturating_add(pages.into());
        pages != 0 && behind > here && behind <= here + u64::from(self.missing)
    }

    /// So many zeroed pages in a row, those at an address or the first that are free.
    pub fn take(&mut self, memory: &mut Memory, address: u64, pages: u32) -> Option<u64> {
        let (start, count) = (self.start(memory)?, pages as usize);
        let first = match address {
            0 => 0..self.taken.len(),
            address if address.is_multiple_of(u64::from(PAGE)) => {
                let page = self.page(memory, address)?;
                page..page + 1
            }
            _ => return None,
        };
        let is_free = |&page: &usize| {
            self.taken.get(page..page + count).is_some_and(|all| all.iter().all(|&taken| !taken))
        };
        let page = first.into_iter().find(is_free).filter(|_| count != 0)?;
        self.taken.get_mut(page..page + count)?.fill(true);
        let address = start + page as u64 * u64::from(PAGE);
        memory.set_present(address, pages, true);
        Some(address)
    }

    /// Gives so many pages back, taken together or not.
    pub fn give(&mut self, memory: &mut Memory, address: u64, pages: u32) {
        let Some(page) = self.page(memory, address) else { return };
        let count = (pages as usize).min(self.taken.len() - page);
        self.taken.iter_mut().skip(page).take(count).for_each(|taken| *taken = false);
        let first = self.start.unwrap_or(0) + page as u64 * u64::from(PAGE);
        memory.set_present(first, count as u32, false);
    }

    /// Keeps pages from being taken, if all are free.
    pub fn reserve(&mut self, memory: &mut Memory, address: u64, pages: u32) -> Result<(), Errno> {
        let page = self.page(memory, address).filter(|_| address.is_multiple_of(u64::from(PAGE)));
        let page = page.ok_or(Errno::EINVAL)?;
        let all = self.taken.get_mut(page..page + pages as usize).ok_or(Errno::EINVAL)?;
        if all.iter().any(|&taken| taken) {
            return Err(Errno::EBUSY);
        }
        all.fill(true);
        Ok(())
    }
}

impl Map for Arena {
    fn direct_value(&self) -> Option<u64> {
        self.start
    }

    fn arena(&mut self) -> Option<&mut Arena> {
        Some(self)
    }
}
