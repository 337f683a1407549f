//! Records through perf event arrays.

use skep_stdlib::maps::MapType;

use super::{Cx, Entry, Stop, bad};
use crate::maps::Errno;
use crate::vm::Event;

pub(super) const HELPERS: &[Entry] = &[
    ("perf_event_output", perf_event_output),
    ("skb_output", perf_event_output),
    ("xdp_output", perf_event_output),
];

/// `BPF_F_INDEX_MASK`, and its value for the current CPU.
const INDEX_MASK: u64 = 0xffff_ffff;
/// `BPF_F_CTXLEN_MASK`: bytes of the packet to append.
const CTXLEN_MASK: u64 = 0xf_ffff << 32;

/// User space reads every CPU's buffer, so only the index and the flags can be wrong. The packet
/// bytes that `flags` asks for follow the record.
fn perf_event_output(cx: &mut Cx<'_>, [_, map, flags, data, size]: [u64; 5]) -> Result<u64, Stop> {
    const NAME: &str = "perf_event_output";
    let cpu = cx.env.host.cpu();
    let (entry, _) = cx.map(map, NAME, 2)?;
    if entry.def.ty != MapType::PerfEventArray {
        return Err(bad(NAME, 2, "is not a perf event array"));
    }
    let name = entry.def.name.clone();
    if flags & !(INDEX_MASK | CTXLEN_MASK) != 0 {
        return Ok(Errno::EINVAL.code());
    }
    let index = match flags & INDEX_MASK {
        INDEX_MASK => u64::from(cpu),
        index => index,
    };
    if index >= u64::from(entry.def.max_entries) {
        return Ok(Errno::E2BIG.code());
    }
    // The kernel reads the event that user space opened on the other CPU and refuses it.
    if index != u64::from(cpu) {
        return Ok(Errno::EOPNOTSUPP.code());
    }
    let mut record = cx.bytes(data, size)?;
    let tail = (flags & CTXLEN_MASK) >> 32;
    if tail != 0 {
        match cx.env.packet_bytes(0, tail) {
            Some(bytes) => record.extend_from_slice(bytes),
            None => return Ok(Errno::EFAULT.code()),
        }
    }
    cx.env.output.events.push(Event { map: name, cpu, data: record });
    Ok(0)
}
