//! Records through ring buffers.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Cx, Entry, Stop, bad};
use crate::maps::{Errno, RingBuf};
use crate::vm::{Event, FaultKind, Memory};

pub(super) const HELPERS: &[Entry] = &[
    ("ringbuf_output", ringbuf_output),
    ("ringbuf_reserve", ringbuf_reserve),
    ("ringbuf_submit", ringbuf_submit),
    ("ringbuf_discard", ringbuf_discard),
    ("ringbuf_query", ringbuf_query),
];

/// `BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP`.
const WAKEUP_FLAGS: u64 = 3;

impl Cx<'_> {
    pub(super) fn ring(
        &mut self,
        map: u64,
        helper: &'static str,
    ) -> Result<(&mut RingBuf, &mut Memory, String), Stop> {
        let (entry, memory) = self.map(map, helper, 1)?;
        let name = entry.def.name.clone();
        let ring = entry.ops().ringbuf().ok_or(bad(helper, 1, "is not a ring buffer"))?;
        Ok((ring, memory, name))
    }

    fn send(&mut self, map: String, records: Vec<Vec<u8>>) {
        let events = records.into_iter().map(|data| Event { map: map.clone(), cpu: 0, data });
        self.env.output.events.extend(events);
    }
}

fn ringbuf_output(cx: &mut Cx<'_>, [map, data, size, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    if flags & !WAKEUP_FLAGS != 0 {
        return Ok(Errno::EINVAL.code());
    }
    let bytes = cx.bytes(data, size)?;
    let (ring, memory, name) = cx.ring(map, "ringbuf_output")?;
    let Some(address) = ring.reserve(memory, size) else { return Ok(Errno::EAGAIN.code()) };
    memory.fill(address, &bytes).ok_or(FaultKind::Access { address, size, write: true })?;
    let seen = ring.finish(memory, address, true).unwrap_or_default();
    cx.send(name, seen);
    Ok(0)
}

fn ringbuf_reserve(cx: &mut Cx<'_>, [map, size, flags, ..]: [u64; 5]) -> Result<u64, Stop> {
    let (ring, memory, _) = cx.ring(map, "ringbuf_reserve")?;
    if flags != 0 {
        return Ok(0);
    }
    Ok(ring.reserve(memory, size).unwrap_or(0))
}

fn ringbuf_submit(cx: &mut Cx<'_>, [record, ..]: [u64; 5]) -> Result<u64, Stop> {
    finish(cx, record, true, "ringbuf_submit")
}

fn ringbuf_discard(cx: &mut Cx<'_>, [record, ..]: [u64; 5]) -> Result<u64, Stop> {
    finish(cx, record, false, "ringbuf_discard")
}

/// The record does not say whose it is; the buffer that knows it takes it.
pub(super) fn finish(cx: &mut Cx<'_>, record: u64, submit: bool, helper: &'static str) -> Result<u64, Stop> {
    for index in 0..cx.env.maps.len() as u32 {
        let Some(entry) = cx.env.maps.get_mut(index) else { continue };
        let name = entry.def.name.clone();
        let Some(ring) = entry.ops().ringbuf() else { continue };
        if let Some(seen) = ring.finish(&mut cx.env.memory, record, submit) {
            cx.send(name, seen);
            return Ok(0);
        }
    }
    Err(bad(helper, 1, "is not a reserved record"))
}

fn ringbuf_query(cx: &mut Cx<'_>, [map, what, ..]: [u64; 5]) -> Result<u64, Stop> {
    Ok(cx.ring(map, "ringbuf_query")?.0.query(what))
}
