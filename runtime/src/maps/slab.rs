//! Values of equal size in VM memory, allocated in chunks as they are first used.

use alloc::vec::Vec;

use super::Errno;
use crate::vm::{Layout, Memory};

/// Bytes that a chunk aims at: large enough to be rare, small enough not to matter.
const CHUNK_BYTES: u32 = 64 * 1024;

/// The values.
pub(super) struct Slab {
    elem: u32,
    stride: u32,
    per_chunk: u32,
    count: u32,
    chunks: Vec<u64>,
}

impl Slab {
    /// `count` values of `elem` bytes, none of which has memory yet.
    pub fn new(count: u32, elem: u32) -> Result<Slab, Errno> {
        let stride = elem.checked_next_multiple_of(8).ok_or(Errno::E2BIG)?;
        let per_chunk = (CHUNK_BYTES / stride.max(1)).clamp(1, count.max(1));
        Ok(Slab { elem, stride, per_chunk, count, chunks: Vec::new() })
    }

    /// Makes sure that the value with this index has memory.
    pub fn ensure(&mut self, index: u32, memory: &mut Memory) -> Result<(), Errno> {
        let chunk = (index / self.per_chunk) as usize;
        while self.chunks.len() <= chunk {
            let first = self.chunks.len() as u32 * self.per_chunk;
            let count = self.per_chunk.min(self.count.saturating_sub(first));
            let layout = Layout { count, elem: self.elem, stride: self.stride };
            self.chunks.push(memory.alloc(layout, true).map_err(|_| Errno::ENOMEM)?);
        }
        Ok(())
    }

    /// Address of a value that has memory.
    pub fn address(&self, index: u32) -> Option<u64> {
        let chunk = self.chunks.get((index / self.per_chunk) as usize)?;
        Some(chunk + u64::from(index % self.per_chunk) * u64::from(self.stride))
    }
}
