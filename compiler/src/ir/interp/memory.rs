//! Memory of the IR interpreter: byte regions in one address space.
//!
//! A region is a stack slot, a symbol or a buffer of the caller. Its address is its number shifted
//! into the upper half of 64 bits, so an address is a plain number, null is in no region, regions
//! are aligned for everything, and an access that leaves its region hits nothing.

use super::Fault;

/// Bytes of the address that count within a region.
const SPAN: u32 = 32;
/// The first region has this number, so that small integers are not addresses.
const FIRST: u64 = 0x10;
/// Bytes that all regions together may have.
const LIMIT: usize = 1 << 28;

/// What an uninitialised byte of a stack slot reads as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uninit {
    /// A fault.
    Fault,
    /// This byte. A program whose result depends on it is wrong.
    Byte(u8),
}

/// All regions.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    regions: Vec<Region>,
    total: usize,
}

#[derive(Clone, Debug)]
struct Region {
    bytes: Vec<u8>,
    /// Which bytes have been stored to; empty when all count as stored.
    stored: Vec<bool>,
    writable: bool,
}

impl Memory {
    /// A new region with these bytes; yields its address.
    pub fn add(&mut self, bytes: Vec<u8>, writable: bool) -> Result<u64, Fault> {
        self.push(Region { bytes, stored: Vec::new(), writable })
    }

    /// A new region whose bytes are indeterminate.
    pub fn add_uninit(&mut self, size: usize, uninit: Uninit) -> Result<u64, Fault> {
        if size > LIMIT {
            return Err(Fault::OutOfMemory);
        }
        let (byte, stored) = match uninit {
            Uninit::Fault => (0, vec![false; size]),
            Uninit::Byte(byte) => (byte, Vec::new()),
        };
        self.push(Region { bytes: vec![byte; size], stored, writable: true })
    }

    fn push(&mut self, region: Region) -> Result<u64, Fault> {
        self.total += region.bytes.len();
        if self.total > LIMIT {
            return Err(Fault::OutOfMemory);
        }
        self.regions.push(region);
        Ok((FIRST + self.regions.len() as u64 - 1) << SPAN)
    }

    /// Makes a region constant.
    pub(super) fn protect(&mut self, address: u64) {
        if let Some((index, _)) = self.region(address)
            && let Some(region) = self.regions.get_mut(index)
        {
            region.writable = false;
        }
    }

    /// How many regions there are now.
    pub(super) fn mark(&self) -> usize {
        self.regions.len()
    }

    /// Empties the regions made since `mark`; their addresses stay invalid.
    pub(super) fn release(&mut self, mark: usize) {
        for region in &mut self.regions[mark..] {
            self.total -= region.bytes.len();
            *region = Region { bytes: Vec::new(), stored: Vec::new(), writable: false };
        }
    }

    fn region(&self, address: u64) -> Option<(usize, usize)> {
        let index = (address >> SPAN).checked_sub(FIRST)?;
        Some((usize::try_from(index).ok()?, (address as u32) as usize))
    }

    /// `size` bytes at an address.
    pub fn read(&self, address: u64, size: usize) -> Result<&[u8], Fault> {
        let (index, start) = self.region(address).ok_or(Fault::Access { address, size })?;
        let range = start..start.saturating_add(size);
        let region = self.regions.get(index).ok_or(Fault::Access { address, size })?;
        if region.stored.get(range.clone()).is_some_and(|stored| stored.contains(&false)) {
            return Err(Fault::Uninit { address, size });
        }
        region.bytes.get(range).ok_or(Fault::Access { address, size })
    }

    /// Stores bytes at an address.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Fault> {
        let size = bytes.len();
        let (index, start) = self.region(address).ok_or(Fault::Access { address, size })?;
        let range = start..start.saturating_add(size);
        let region = self.regions.get_mut(index).ok_or(Fault::Access { address, size })?;
        let target = region.bytes.get_mut(range.clone()).ok_or(Fault::Access { address, size })?;
        if !region.writable {
            return Err(Fault::ReadOnly { address });
        }
        target.copy_from_slice(bytes);
        if let Some(stored) = region.stored.get_mut(range) {
            stored.fill(true);
        }
        Ok(())
    }

    /// Copies bytes, those that were never stored included; the ranges may overlap.
    pub fn copy(&mut self, to: u64, from: u64, size: usize) -> Result<(), Fault> {
        if size == 0 {
            return Ok(());
        }
        let (index, start) = self.region(from).ok_or(Fault::Access { address: from, size })?;
        let range = start..start.saturating_add(size);
        let region = self.regions.get(index).ok_or(Fault::Access { address: from, size })?;
        let bytes = region.bytes.get(range.clone()).ok_or(Fault::Access { address: from, size })?.to_vec();
        let stored = region.stored.get(range).map(<[bool]>::to_vec);
        self.write(to, &bytes)?;
        if let (Some(stored), Some((index, start))) = (stored, self.region(to))
            && let Some(target) =
                self.regions.get_mut(index).and_then(|r| r.stored.get_mut(start..start + size))
        {
            target.copy_from_slice(&stored);
        }
        Ok(())
    }
}
