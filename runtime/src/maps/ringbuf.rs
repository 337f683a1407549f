//! Ring buffers: records reserved in order, visible to user space in that order once submitted.
//!
//! User space reads at once: a record leaves the buffer when it and all before it are submitted or
//! discarded. Each reservation is a region of its own, so a program that writes past it faults.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{Errno, Map};
use crate::vm::{Layout, Memory};

/// Bytes in front of each record in the kernel's buffer, and its alignment.
const HEADER: u32 = 8;

/// Largest record: the length field has 30 bits.
const MAX_RECORD: u64 = (1 << 30) - 1;

/// A ring buffer.
pub struct RingBuf {
    size: u32,
    /// Bytes of the records in `queue` with their headers.
    used: u32,
    queue: VecDeque<Record>,
    /// Bytes that were ever reserved and that ever left, for `bpf_ringbuf_query`.
    produced: u64,
    consumed: u64,
}

struct Record {
    address: u64,
    len: u32,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Submitted,
    Discarded,
}

impl RingBuf {
    pub(super) fn new(size: u32) -> RingBuf {
        RingBuf { size, used: 0, queue: VecDeque::new(), produced: 0, consumed: 0 }
    }

    /// Takes `len` bytes; none if there is no room.
    pub fn reserve(&mut self, memory: &mut Memory, len: u64) -> Option<u64> {
        let room = footprint(u32::try_from(len).ok().filter(|_| len <= MAX_RECORD)?);
        if u64::from(self.used) + u64::from(room) > u64::from(self.size) {
            return None;
        }
        let len = len as u32;
        let address = memory.alloc(Layout::bytes(len), true).ok()?;
        self.used += room;
        self.produced += u64::from(room);
        self.queue.push_back(Record { address, len, state: State::Open });
        Some(address)
    }

    /// Hands over or drops a reserved record; returns the records that user space now sees, or
    /// nothing if `address` is not a reserved record.
    pub fn finish(&mut self, memory: &mut Memory, address: u64, submit: bool) -> Option<Vec<Vec<u8>>> {
        let record = self.queue.iter_mut().find(|r| r.address == address && r.state == State::Open)?;
        record.state = if submit { State::Submitted } else { State::Discarded };
        let mut seen = Vec::new();
        while let Some(record) = self.queue.pop_front_if(|record| record.state != State::Open) {
            if record.state == State::Submitted {
                let bytes = memory.read(record.address, u64::from(record.len));
                seen.push(bytes.unwrap_or_default().to_vec());
            }
            memory.free(record.address);
            self.used -= footprint(record.len);
            self.consumed += u64::from(footprint(record.len));
        }
        Some(seen)
    }

    /// `bpf_ringbuf_query`: available data, size, consumer and producer position.
    pub fn query(&self, what: u64) -> u64 {
        match what {
            0 => u64::from(self.used),
            1 => u64::from(self.size),
            2 => self.consumed,
            3 => self.produced,
            _ => 0,
        }
    }

    /// Drops what a program left reserved when it was stopped.
    pub fn abandon(&mut self, memory: &mut Memory) {
        for record in self.queue.drain(..) {
            memory.free(record.address);
        }
        self.used = 0;
    }
}

fn footprint(len: u32) -> u32 {
    (len + HEADER).next_multiple_of(HEADER)
}

impl Map for RingBuf {
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

    fn ringbuf(&mut self) -> Option<&mut RingBuf> {
        Some(self)
    }
}
