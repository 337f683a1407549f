//! Arrays, plain and per-CPU: every element exists from the start and none can be deleted.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{ArrayLayout, BPF_NOEXIST, Errno, Map};
use crate::object::MapDef;
use crate::vm::{Layout, Memory};

pub(super) struct Array {
    start: u64,
    count: u32,
    stride: u32,
    /// Values per element.
    cpus: u32,
}

impl Array {
    pub fn boxed(def: &MapDef, cpus: u32, memory: &mut Memory) -> Result<Box<dyn Map>, Errno> {
        let stride = def.value_size.checked_next_multiple_of(8).ok_or(Errno::E2BIG)?;
        let count = def.max_entries.checked_mul(cpus).ok_or(Errno::E2BIG)?;
        let layout = Layout { count, elem: def.value_size, stride };
        // A single value is one piece: direct addresses may go anywhere in it.
        let layout = if count == 1 { Layout::bytes(def.value_size) } else { layout };
        let start = memory.alloc(layout, true).map_err(|_| Errno::ENOMEM)?;
        Ok(Box::new(Array { start, count: def.max_entries, stride, cpus }))
    }

    fn address(&self, key: &[u8], cpu: u32) -> Option<u64> {
        let index = index(key).filter(|&index| index < self.count)?;
        let element = u64::from(index) * u64::from(self.cpus) + u64::from(cpu % self.cpus);
        Some(self.start + element * u64::from(self.stride))
    }
}

/// An array key.
pub(super) fn index(key: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(key.try_into().ok()?))
}

impl Map for Array {
    fn lookup(&mut self, key: &[u8], cpu: u32) -> Option<u64> {
        self.address(key, cpu)
    }

    fn update(
        &mut self,
        memory: &mut Memory,
        key: &[u8],
        value: &[u8],
        flags: u64,
        cpu: u32,
    ) -> Result<(), Errno> {
        let address = self.address(key, cpu).ok_or(Errno::E2BIG)?;
        if flags & BPF_NOEXIST != 0 {
            return Err(Errno::EEXIST);
        }
        memory.fill(address, value).ok_or(Errno::EFAULT)
    }

    fn delete(&mut self, _memory: &mut Memory, _key: &[u8]) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn keys(&self) -> Vec<Vec<u8>> {
        (0..self.count).map(|index| index.to_le_bytes().to_vec()).collect()
    }

    fn values(&self, key: &[u8]) -> Vec<u64> {
        (0..self.cpus).filter_map(|cpu| self.address(key, cpu)).collect()
    }

    fn array_layout(&self) -> Option<ArrayLayout> {
        let layout = ArrayLayout { start: self.start, count: self.count, stride: self.stride };
        (self.cpus == 1 && self.stride != 0).then_some(layout)
    }

    fn direct_value(&self) -> Option<u64> {
        (self.cpus == 1).then_some(self.start)
    }
}
