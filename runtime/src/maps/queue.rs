//! Queues and stacks: values without keys.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{BPF_EXIST, Errno, Map};
use crate::object::MapDef;
use crate::vm::Memory;

pub(super) struct Queue {
    values: VecDeque<Vec<u8>>,
    max_entries: usize,
    /// The newest value leaves first.
    stack: bool,
}

impl Queue {
    pub fn boxed(def: &MapDef, stack: bool) -> Result<Box<dyn Map>, Errno> {
        Ok(Box::new(Queue { values: VecDeque::new(), max_entries: def.max_entries as usize, stack }))
    }
}

impl Map for Queue {
    fn update(
        &mut self,
        _memory: &mut Memory,
        _key: &[u8],
        _value: &[u8],
        _flags: u64,
        _cpu: u32,
    ) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn delete(&mut self, _memory: &mut Memory, _key: &[u8]) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// With `BPF_EXIST` a full map drops its oldest value.
    fn push(&mut self, _memory: &mut Memory, value: &[u8], flags: u64) -> Result<(), Errno> {
        if flags & !BPF_EXIST != 0 {
            return Err(Errno::EINVAL);
        }
        if self.values.len() >= self.max_entries {
            if flags & BPF_EXIST == 0 {
                return Err(Errno::E2BIG);
            }
            self.values.pop_front();
        }
        self.values.push_back(value.to_vec());
        Ok(())
    }

    fn peek(&mut self, _memory: &Memory, remove: bool) -> Result<Vec<u8>, Errno> {
        let value = match (self.stack, remove) {
            (true, true) => self.values.pop_back(),
            (true, false) => self.values.back().cloned(),
            (false, true) => self.values.pop_front(),
            (false, false) => self.values.front().cloned(),
        };
        value.ok_or(Errno::ENOENT)
    }
}
