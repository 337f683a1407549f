//! All memory that a program can address, as regions of one arena.
//!
//! A VM address is [`BASE`] plus an offset into one byte vector. Regions start on page boundaries
//! and never share a page, so the region of an address is found by one table look-up, and every
//! access is tested against exactly the bytes of its region. Addresses fit in 32 bits: `xdp_md`
//! and `__sk_buff` hold packet pointers in `__u32` fields, and a program that loads one gets an
//! address that works, with no rewriting of instructions.
//!
//! A region may be strided (map values, stack frames): an access must then stay inside one
//! element. [`Foreign`] memory is what the program does not own: the kernel's and the traced
//! process's, readable through helpers only.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use skep_stdlib::isa::Size;

use super::Space;

/// VM address of the first byte of the arena; nothing below is ever valid.
pub const BASE: u64 = 0x1000_0000;

const PAGE: u32 = 4096;

/// Marks a page without a region in the page table.
const NO_REGION: u32 = u32::MAX;

/// Marks a page of a region that is not there now.
const ABSENT: u32 = 1 << 31;

/// A part of the arena that is allocated and freed as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Region {
    /// Offset in the arena of the first page.
    home: u32,
    /// Number of pages.
    pages: u32,
    /// Offset in the arena of the first accessible byte.
    start: u32,
    /// Bytes in use.
    len: u32,
    /// Distance of elements; 0 if the region is one piece.
    stride: u32,
    /// Bytes of an element.
    elem: u32,
    writable: bool,
}

impl Region {
    /// How far into its element an offset in the region is. Divisions are slow, and most strides are
    /// powers of two.
    #[inline]
    fn inside_element(&self, offset: u32) -> u64 {
        let mask = self.stride.wrapping_sub(1);
        u64::from(if self.stride & mask == 0 { offset & mask } else { offset % self.stride })
    }
}

/// The arena and its region table.
#[derive(Clone, Debug)]
pub struct Memory {
    bytes: Vec<u8>,
    /// Region index by page.
    pages: Vec<u32>,
    regions: Vec<Region>,
    /// Indices of `regions` that are not in use.
    spare: Vec<u32>,
    /// Free runs of pages: first page to number.
    free: BTreeMap<u32, u32>,
    /// Most bytes the arena may have.
    limit: u32,
    /// Memory outside of the arena.
    pub foreign: Foreign,
}

/// How a region is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Number of elements.
    pub count: u32,
    /// Bytes of an element that may be accessed.
    pub elem: u32,
    /// Distance from one element to the next.
    pub stride: u32,
}

impl Layout {
    /// One piece of `len` bytes.
    pub fn bytes(len: u32) -> Layout {
        Layout { count: 1, elem: len, stride: len }
    }
}

/// The arena's limit is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

impl Memory {
    /// An empty arena that may grow to `limit` bytes.
    pub fn new(limit: u32) -> Memory {
        Memory {
            bytes: Vec::new(),
            pages: Vec::new(),
            regions: Vec::new(),
            spare: Vec::new(),
            free: BTreeMap::new(),
            limit: limit.min(u32::MAX - BASE as u32),
            foreign: Foreign::default(),
        }
    }

    /// Allocates a zeroed region and returns the address of its first byte.
    pub fn alloc(&mut self, layout: Layout, writable: bool) -> Result<u64, OutOfMemory> {
        let total = u64::from(layout.count) * u64::from(layout.stride);
        let len = u32::try_from(total).ok().filter(|&len| len <= self.limit).ok_or(OutOfMemory)?;
        let pages = len.div_ceil(PAGE).max(1);
        let first = self.take_pages(pages)?;
        let strided = layout.count > 1 || layout.elem != layout.stride;
        let stride = if strided { layout.stride } else { 0 };
        let region = Region {
            home: first * PAGE,
            pages,
            start: first * PAGE,
            len,
            stride,
            elem: layout.elem,
            writable,
        };
        let index = match self.spare.pop() {
            Some(index) => index,
            None => {
                self.regions.push(region);
                self.regions.len() as u32 - 1
            }
        };
        if let Some(slot) = self.regions.get_mut(index as usize) {
            *slot = region;
        }
        for page in self.pages.iter_mut().skip(first as usize).take(pages as usize) {
            *page = index;
        }
        Ok(BASE + u64::from(region.start))
    }

    /// Frees the region that was allocated at `address`. Does nothing if none was.
    pub fn free(&mut self, address: u64) {
        let Some((index, region)) = self.region_at(address) else { return };
        if BASE + u64::from(region.home) != address {
            return;
        }
        let (first, count) = (region.home / PAGE, region.pages);
        for page in self.pages.iter_mut().skip(first as usize).take(count as usize) {
            *page = NO_REGION;
        }
        self.spare.push(index);
        self.insert_free(first, count);
    }

    /// Makes only the bytes from `from` to `to` of the region that was allocated at `address`
    /// accessible. Bounds outside of its pages are cut.
    pub fn set_window(&mut self, address: u64, from: u64, to: u64) {
        let Some((index, region)) = self.region_at(address) else { return };
        let room = u64::from(region.pages) * u64::from(PAGE);
        let inside = |at: u64| at.saturating_sub(BASE + u64::from(region.home)).min(room) as u32;
        if let Some(region) = self.regions.get_mut(index as usize) {
            region.start = region.home + inside(from);
            region.len = inside(to).saturating_sub(inside(from));
            region.elem = region.len;
        }
    }

    /// Says whether pages of a region are there. Those that come, and those that go, are zero.
    pub fn set_present(&mut self, address: u64, pages: u32, is_present: bool) {
        let Some(offset) = address.checked_sub(BASE).and_then(|offset| usize::try_from(offset).ok()) else {
            return;
        };
        let first = offset / PAGE as usize;
        let all = first..first + pages as usize;
        let bytes = all.start * PAGE as usize..all.end * PAGE as usize;
        let (Some(table), Some(bytes)) = (self.pages.get_mut(all), self.bytes.get_mut(bytes)) else { return };
        for page in table {
            *page = if is_present { *page & !ABSENT } else { *page | ABSENT };
        }
        bytes.fill(0);
    }

    /// Makes the region at `address` read-only for the program.
    pub fn freeze(&mut self, address: u64) {
        let Some((index, _)) = self.region_at(address) else { return };
        if let Some(region) = self.regions.get_mut(index as usize) {
            region.writable = false;
        }
    }

    fn take_pages(&mut self, count: u32) -> Result<u32, OutOfMemory> {
        let fit = self.free.iter().find(|&(_, &free)| free >= count).map(|(&first, &free)| (first, free));
        if let Some((first, free)) = fit {
            self.free.remove(&first);
            if free > count {
                self.free.insert(first + count, free - count);
            }
            let start = first as usize * PAGE as usize;
            if let Some(bytes) = self.bytes.get_mut(start..start + count as usize * PAGE as usize) {
                bytes.fill(0);
            }
            return Ok(first);
        }
        let first = self.pages.len() as u32;
        let pages = first.checked_add(count).filter(|&pages| pages <= self.limit / PAGE);
        let pages = pages.ok_or(OutOfMemory)? as usize;
        self.bytes.resize(pages * PAGE as usize, 0);
        self.pages.resize(pages, NO_REGION);
        Ok(first)
    }

    /// Returns pages, joining them with free neighbours.
    fn insert_free(&mut self, mut first: u32, mut count: u32) {
        if let Some((&before, &size)) = self.free.range(..first).next_back()
            && before + size == first
        {
            self.free.remove(&before);
            (first, count) = (before, count + size);
        }
        if let Some(after) = self.free.remove(&(first + count)) {
            count += after;
        }
        self.free.insert(first, count);
    }

    fn region_at(&self, address: u64) -> Option<(u32, Region)> {
        let offset = address.checked_sub(BASE)?;
        let index = *self.pages.get(usize::try_from(offset / u64::from(PAGE)).ok()?)?;
        Some((index, *self.regions.get(index as usize)?))
    }

    /// Where the bytes of an access are in the arena, if the program may make it.
    #[inline]
    fn locate(&self, address: u64, size: u64, write: bool) -> Option<usize> {
        let offset = address.wrapping_sub(BASE);
        let page = usize::try_from(offset / u64::from(PAGE)).ok()?;
        let region = self.regions.get(*self.pages.get(page)? as usize)?;
        let inside = offset.wrapping_sub(u64::from(region.start));
        if inside.checked_add(size)? > u64::from(region.len) || (write && !region.writable) {
            return None;
        }
        if region.stride != 0 && region.inside_element(inside as u32) + size > u64::from(region.elem) {
            return None;
        }
        usize::try_from(offset).ok()
    }

    /// Loads `N` bytes.
    #[inline]
    pub fn load<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let at = self.locate(address, N as u64, false)?;
        self.bytes.get(at..)?.first_chunk().copied()
    }

    /// Stores `N` bytes.
    #[inline]
    pub fn store<const N: usize>(&mut self, address: u64, value: [u8; N]) -> Option<()> {
        let at = self.locate(address, N as u64, true)?;
        *self.bytes.get_mut(at..)?.first_chunk_mut()? = value;
        Some(())
    }

    /// May the program write to these bytes?
    pub fn holds(&self, address: u64, size: Size) -> bool {
        self.locate(address, u64::from(size.bytes()), true).is_some()
    }

    /// Loads bytes of several elements, one by one.
    pub fn load_across(&self, address: u64, size: u32) -> Option<u64> {
        (0..u64::from(size)).rev().try_fold(0, |value, at| {
            let [byte] = self.load(address.wrapping_add(at))?;
            Some(value << 8 | u64::from(byte))
        })
    }

    /// Stores bytes to several elements, if all may be.
    pub fn store_across(&mut self, address: u64, size: u32, value: u64) -> Option<()> {
        self.load_across(address, size)?;
        let bytes = value.to_le_bytes();
        bytes
            .iter()
            .zip(0..size)
            .try_for_each(|(&byte, at)| self.store(address.wrapping_add(u64::from(at)), [byte]))
    }

    /// All bytes, regions and gaps: for code that knows or checks where its accesses go.
    pub(super) fn arena(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Bytes that no program may access.
    pub(crate) fn hidden(&self, address: u64, len: u64) -> Option<&[u8]> {
        let at = usize::try_from(address.checked_sub(BASE)?).ok()?;
        self.bytes.get(at..at.checked_add(usize::try_from(len).ok()?)?)
    }

    /// As [`Memory::hidden`], to change them.
    pub(crate) fn hidden_mut(&mut self, address: u64, len: u64) -> Option<&mut [u8]> {
        let at = usize::try_from(address.checked_sub(BASE)?).ok()?;
        self.bytes.get_mut(at..at.checked_add(usize::try_from(len).ok()?)?)
    }

    /// The bytes of a readable range.
    pub fn read(&self, address: u64, len: u64) -> Option<&[u8]> {
        if len == 0 {
            return Some(&[]);
        }
        let at = self.locate(address, len, false)?;
        self.bytes.get(at..at.checked_add(usize::try_from(len).ok()?)?)
    }

    /// The bytes of a writable range.
    pub fn read_mut(&mut self, address: u64, len: u64) -> Option<&mut [u8]> {
        if len == 0 {
            return Some(&mut []);
        }
        let at = self.locate(address, len, true)?;
        self.bytes.get_mut(at..at.checked_add(usize::try_from(len).ok()?)?)
    }

    /// Writes on behalf of the loader, which may also fill read-only regions.
    pub fn fill(&mut self, address: u64, bytes: &[u8]) -> Option<()> {
        let at = self.locate(address, bytes.len() as u64, false)?;
        self.bytes.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
        Some(())
    }

    /// The readable bytes from `address` to the end of its element: what a string may occupy.
    pub fn rest(&self, address: u64) -> Option<&[u8]> {
        let (_, region) = self.region_at(address)?;
        let offset = u32::try_from(address - BASE).ok()?;
        let inside = offset.checked_sub(region.start)?;
        let end = match region.stride {
            0 => region.len,
            stride => region.len.min(inside / stride * stride + region.elem),
        };
        self.bytes.get((region.start + inside) as usize..(region.start + end) as usize)
    }
}

/// Memory outside of the arena: the kernel's and the traced process's.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Foreign {
    pieces: BTreeMap<(Space, u64), Vec<u8>>,
}

/// Where copies are placed for which the caller gave no address.
const USER_HEAP: u64 = 0x7f00_0000_0000;
const KERNEL_HEAP: u64 = 0xffff_8880_0000_0000;

impl Foreign {
    /// Puts bytes at an address.
    pub fn insert(&mut self, space: Space, address: u64, bytes: Vec<u8>) {
        self.pieces.insert((space, address), bytes);
    }

    /// Puts bytes at an address of this type's choice, and returns it.
    pub fn place(&mut self, space: Space, bytes: Vec<u8>) -> u64 {
        let heap = match space {
            Space::User => USER_HEAP,
            Space::Kernel => KERNEL_HEAP,
        };
        let last = self.pieces.range((space, heap)..=(space, heap + 0xffff_ffff)).next_back();
        let address = match last {
            Some((&(_, at), bytes)) => (at + bytes.len() as u64 + 64) & !15,
            None => heap,
        };
        self.insert(space, address, bytes);
        address
    }

    /// The bytes from `address` to the end of the piece it is in.
    pub fn rest(&self, space: Space, address: u64) -> Option<&[u8]> {
        let (&(_, start), bytes) = self.pieces.range((space, 0)..=(space, address)).next_back()?;
        bytes.get(usize::try_from(address - start).ok()?..).filter(|rest| !rest.is_empty())
    }

    /// The bytes of a range that lies in one piece.
    pub fn read(&self, space: Space, address: u64, len: u64) -> Option<&[u8]> {
        self.rest(space, address)?.get(..usize::try_from(len).ok()?)
    }

    /// As [`Foreign::read`], to change them.
    pub fn read_mut(&mut self, space: Space, address: u64, len: u64) -> Option<&mut [u8]> {
        let (&(_, start), bytes) = self.pieces.range_mut((space, 0)..=(space, address)).next_back()?;
        let from = usize::try_from(address - start).ok()?;
        bytes.get_mut(from..from.checked_add(usize::try_from(len).ok()?)?)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.pieces.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_belongs_to_one_region() {
        let mut memory = Memory::new(1 << 20);
        let a = memory.alloc(Layout::bytes(10), true).unwrap();
        let b = memory.alloc(Layout::bytes(10), false).unwrap();
        assert_eq!(memory.store(a + 2, 7u64.to_le_bytes()), Some(()));
        assert_eq!(memory.load(a + 2), Some(7u64.to_le_bytes()));
        assert_eq!(memory.load::<8>(a + 3), None, "past the end");
        assert_eq!(memory.load::<1>(a - 1), None, "before the arena");
        assert_eq!(memory.load::<1>(b - 1), None, "between regions");
        assert_eq!(memory.store(b, [1]), None, "read-only");
        assert_eq!(memory.load(b), Some([0]));
        assert_eq!(memory.load::<8>(u64::MAX - 3), None, "wraps");
    }

    #[test]
    fn strided_regions_keep_elements_apart() {
        let mut memory = Memory::new(1 << 20);
        let at = memory.alloc(Layout { count: 4, elem: 6, stride: 8 }, true).unwrap();
        assert!(memory.load::<4>(at + 8 + 2).is_some());
        assert_eq!(memory.load::<4>(at + 8 + 3), None);
        assert_eq!(memory.load::<1>(at + 6), None);
        assert_eq!(memory.load::<1>(at + 32), None);
    }

    #[test]
    fn freed_pages_are_used_again_and_zeroed() {
        let mut memory = Memory::new(16 * PAGE);
        let regions: Vec<u64> = (0..16).map(|_| memory.alloc(Layout::bytes(PAGE), true).unwrap()).collect();
        assert_eq!(memory.alloc(Layout::bytes(1), true), Err(OutOfMemory));
        memory.store(regions[3], [1]).unwrap();
        memory.free(regions[2]);
        memory.free(regions[4]);
        memory.free(regions[3]);
        let joined = memory.alloc(Layout::bytes(3 * PAGE), true).unwrap();
        assert_eq!(joined, regions[2]);
        assert_eq!(memory.load(regions[3]), Some([0]));
    }

    #[test]
    fn huge_requests_are_refused() {
        let mut memory = Memory::new(1 << 20);
        let huge = Layout { count: u32::MAX, elem: u32::MAX, stride: u32::MAX };
        assert_eq!(memory.alloc(huge, true), Err(OutOfMemory));
    }

    #[test]
    fn foreign_memory_is_by_space() {
        let mut foreign = Foreign::default();
        foreign.insert(Space::Kernel, 0x1000, alloc::vec![1, 2, 3]);
        assert_eq!(foreign.read(Space::Kernel, 0x1001, 2), Some(&[2u8, 3][..]));
        assert_eq!(foreign.read(Space::Kernel, 0x1001, 3), None);
        assert_eq!(foreign.read(Space::User, 0x1000, 1), None);
        let a = foreign.place(Space::User, alloc::vec![1; 100]);
        let b = foreign.place(Space::User, alloc::vec![2; 100]);
        assert!(b >= a + 100);
        assert_eq!(foreign.read(Space::User, b, 1), Some(&[2u8][..]));
    }
}
