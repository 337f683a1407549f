//! Ring buffers that user space fills and programs drain: records in their order.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{Errno, Map};
use crate::object::MapDef;
use crate::vm::Memory;

pub(super) struct UserRingbuf {
    size: usize,
    used: usize,
    records: VecDeque<Vec<u8>>,
}

/// Bytes in front of each record, and its alignment.
const HEADER: usize = 8;

impl UserRingbuf {
    pub fn boxed(def: &MapDef) -> Result<Box<dyn Map>, Errno> {
        Ok(Box::new(UserRingbuf { size: def.max_entries as usize, used: 0, records: VecDeque::new() }))
    }
}

fn footprint(record: &[u8]) -> usize {
    record.len().next_multiple_of(HEADER) + HEADER
}

impl Map for UserRingbuf {
    fn update(
        &mut self,
        _memory: &mut Memory,
        _key: &[u8],
        _value: &[u8],
        _flags: u64,
        _cpu: u32,
    ) -> Result<(), Errno> {
        Err(Errno::ENOTSUPP)
    }

    fn delete(&mut self, _memory: &mut Memory, _key: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOTSUPP)
    }

    fn push(&mut self, _memory: &mut Memory, value: &[u8], _flags: u64) -> Result<(), Errno> {
        if self.used + footprint(value) > self.size {
            return Err(Errno::ENOSPC);
        }
        self.used += footprint(value);
        self.records.push_back(value.to_vec());
        Ok(())
    }

    fn peek(&mut self, _memory: &Memory, remove: bool) -> Result<Vec<u8>, Errno> {
        let record = if remove { self.records.pop_front() } else { self.records.front().cloned() };
        let record = record.ok_or(Errno::ENOENT)?;
        if remove {
            self.used -= footprint(&record);
        }
        Ok(record)
    }
}
