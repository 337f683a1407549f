//! Dynamic pointers: memory whose bounds are checked when it is accessed.
//!
//! The 16 bytes in the program's stack are as the kernel lays them out: an address, the size with the
//! kind in its upper bits, an offset. Of the packet's kinds the address is not used: what they stand
//! for is the packet as it is at the time.

use alloc::vec::Vec;

use super::outside::copy_from_user_str;
use super::probe::probe_read_str;
use super::{Cx, Entry, Stop};
use crate::maps::Errno;
use crate::vm::Space;

pub(super) const HELPERS: &[Entry] = &[
    ("dynptr_from_mem", from_mem),
    ("dynptr_read", read),
    ("dynptr_write", write),
    ("dynptr_data", |cx, [dynptr, offset, len, ..]| slice(cx, dynptr, offset, len, Need::Memory)),
    ("ringbuf_reserve_dynptr", reserve),
    ("ringbuf_submit_dynptr", |cx, [dynptr, ..]| finish(cx, dynptr, true)),
    ("ringbuf_discard_dynptr", |cx, [dynptr, ..]| finish(cx, dynptr, false)),
];

pub(super) const KFUNCS: &[Entry] = &[
    ("bpf_dynptr_from_skb", |cx, [_, flags, dynptr, ..]| from_packet(cx, flags, dynptr)),
    ("bpf_dynptr_from_xdp", |cx, [_, flags, dynptr, ..]| from_packet(cx, flags, dynptr)),
    ("bpf_dynptr_slice", |cx, [dynptr, offset, _, len, _]| slice(cx, dynptr, offset, len, Need::Read)),
    ("bpf_dynptr_slice_rdwr", |cx, [dynptr, offset, _, len, _]| slice(cx, dynptr, offset, len, Need::Write)),
    ("bpf_dynptr_adjust", adjust),
    ("bpf_dynptr_is_null", |cx, [dynptr, ..]| Ok(u64::from(Dynptr::at(cx, dynptr)?.is_null()))),
    ("bpf_dynptr_is_rdonly", |cx, [dynptr, ..]| Ok(u64::from(Dynptr::at(cx, dynptr)?.read_only()))),
    ("bpf_dynptr_size", size),
    ("bpf_dynptr_clone", clone),
    ("bpf_dynptr_memset", set),
    ("bpf_dynptr_copy", copy),
    ("bpf_probe_read_kernel_dynptr", |cx, args| fetch(cx, args, Space::Kernel)),
    ("bpf_probe_read_user_dynptr", |cx, args| fetch(cx, args, Space::User)),
    ("bpf_copy_from_user_dynptr", |cx, args| fetch(cx, args, Space::User)),
    ("bpf_copy_from_user_task_dynptr", |cx, args| fetch(cx, args, Space::User)),
    ("bpf_probe_read_kernel_str_dynptr", |cx, args| {
        fetch_str(cx, args, |cx, args| probe_read_str(cx, args, &[Space::Kernel]))
    }),
    ("bpf_probe_read_user_str_dynptr", |cx, args| {
        fetch_str(cx, args, |cx, args| probe_read_str(cx, args, &[Space::User]))
    }),
    ("bpf_copy_from_user_str_dynptr", |cx, args| fetch_str(cx, args, copy_from_user_str)),
    ("bpf_copy_from_user_task_str_dynptr", |cx, args| fetch_str(cx, args, copy_from_user_str)),
];

/// Largest size.
const MAX_SIZE: u64 = (1 << 24) - 1;
/// In the size's word: it may only be read.
const READ_ONLY: u32 = 1 << 31;
/// In the size's word: it stands for the packet.
const PACKET: u32 = 3 << 28;
const KIND: u32 = 7 << 28;

/// What is in the program's stack.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Dynptr {
    data: u64,
    word: u32,
    offset: u32,
}

/// What a slice is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Memory that is not the packet.
    Memory,
    Read,
    Write,
}

impl Dynptr {
    /// Memory of the program's, which may be read only.
    pub fn memory(data: u64, size: u32, read_only: bool) -> Dynptr {
        Dynptr { data, word: size | if read_only { READ_ONLY } else { 0 }, offset: 0 }
    }

    fn at(cx: &Cx<'_>, address: u64) -> Result<Dynptr, Stop> {
        let bytes = cx.bytes(address, 16)?;
        let word = |at: usize| {
            bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
        };
        Ok(Dynptr { data: u64::from(word(0)) | u64::from(word(4)) << 32, word: word(8), offset: word(12) })
    }

    pub fn put(self, cx: &mut Cx<'_>, address: u64) -> Result<(), Stop> {
        let words = [self.data, u64::from(self.word) | u64::from(self.offset) << 32];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        cx.write(address, &bytes)
    }

    fn is_null(self) -> bool {
        self.data == 0
    }

    fn read_only(self) -> bool {
        !self.is_null() && self.word & READ_ONLY != 0
    }

    fn is_packet(self) -> bool {
        self.word & KIND == PACKET
    }

    fn size(self) -> u32 {
        self.word & !(READ_ONLY | KIND)
    }

    /// The address of `len` bytes at `offset`, if they are inside.
    fn place(self, cx: &Cx<'_>, offset: u64, len: u64) -> Result<u64, Errno> {
        let size = u64::from(self.size());
        if len > size || offset > size - len {
            return Err(Errno::E2BIG);
        }
        let offset = u64::from(self.offset) + offset;
        match cx.env.packet.filter(|_| self.is_packet()) {
            None => Ok(self.data.wrapping_add(offset)),
            Some(packet) if packet.data + offset + len <= packet.end => Ok(packet.data + offset),
            // It was cut since.
            Some(_) => Err(Errno::EINVAL),
        }
    }
}

fn from_mem(cx: &mut Cx<'_>, [data, size, flags, dynptr, _]: [u64; 5]) -> Result<u64, Stop> {
    let size = u64::from(size as u32);
    let error = match (size > MAX_SIZE, flags != 0) {
        (true, _) => Errno::E2BIG,
        (_, true) => Errno::EINVAL,
        (false, false) => {
            Dynptr::memory(data, size as u32, false).put(cx, dynptr)?;
            return Ok(0);
        }
    };
    Dynptr::default().put(cx, dynptr)?;
    Ok(error.code())
}

fn from_packet(cx: &mut Cx<'_>, flags: u64, dynptr: u64) -> Result<u64, Stop> {
    let packet = cx.env.packet.filter(|_| flags == 0);
    let Some(packet) = packet else {
        Dynptr::default().put(cx, dynptr)?;
        return Ok(Errno::EINVAL.code());
    };
    let len = (packet.end - packet.data) as u32;
    Dynptr { data: packet.data, word: len | PACKET, offset: 0 }.put(cx, dynptr)?;
    Ok(0)
}

fn read(cx: &mut Cx<'_>, [to, len, dynptr, offset, flags]: [u64; 5]) -> Result<u64, Stop> {
    let (len, offset) = (u64::from(len as u32), u64::from(offset as u32));
    let from = Dynptr::at(cx, dynptr)?;
    if from.is_null() || flags != 0 {
        return Ok(Errno::EINVAL.code());
    }
    match from.place(cx, offset, len) {
        Ok(address) => {
            let bytes = cx.bytes(address, len)?;
            cx.write(to, &bytes)?;
            Ok(0)
        }
        Err(errno) => Ok(errno.code()),
    }
}

fn write(cx: &mut Cx<'_>, [dynptr, offset, from, len, flags]: [u64; 5]) -> Result<u64, Stop> {
    let (len, offset) = (u64::from(len as u32), u64::from(offset as u32));
    let to = Dynptr::at(cx, dynptr)?;
    if to.is_null() || to.read_only() || (flags != 0 && !to.is_packet()) {
        return Ok(Errno::EINVAL.code());
    }
    match to.place(cx, offset, len) {
        Ok(address) => {
            let bytes = cx.bytes(from, len)?;
            cx.write(address, &bytes)?;
            Ok(0)
        }
        Err(errno) => Ok(errno.code()),
    }
}

/// The address of a part, or null.
fn slice(cx: &mut Cx<'_>, dynptr: u64, offset: u64, len: u64, need: Need) -> Result<u64, Stop> {
    let from = Dynptr::at(cx, dynptr)?;
    let refused = match need {
        Need::Memory => from.read_only() || from.is_packet(),
        Need::Write => from.read_only(),
        Need::Read => false,
    };
    if from.is_null() || refused {
        return Ok(0);
    }
    Ok(from.place(cx, u64::from(offset as u32), u64::from(len as u32)).unwrap_or(0))
}

fn adjust(cx: &mut Cx<'_>, [dynptr, start, end, ..]: [u64; 5]) -> Result<u64, Stop> {
    let (start, end) = (start as u32, end as u32);
    let old = Dynptr::at(cx, dynptr)?;
    if old.is_null() || start > end {
        return Ok(Errno::EINVAL.code());
    }
    if end > old.size() {
        return Ok(Errno::ERANGE.code());
    }
    let word = old.word & (READ_ONLY | KIND) | (end - start);
    Dynptr { word, offset: old.offset.wrapping_add(start), ..old }.put(cx, dynptr)?;
    Ok(0)
}

fn size(cx: &mut Cx<'_>, [dynptr, ..]: [u64; 5]) -> Result<u64, Stop> {
    let dynptr = Dynptr::at(cx, dynptr)?;
    Ok(if dynptr.is_null() { Errno::EINVAL.code() } else { u64::from(dynptr.size()) })
}

fn clone(cx: &mut Cx<'_>, [dynptr, to, ..]: [u64; 5]) -> Result<u64, Stop> {
    let dynptr = Dynptr::at(cx, dynptr)?;
    dynptr.put(cx, to)?;
    Ok(if dynptr.is_null() { Errno::EINVAL.code() } else { 0 })
}

/// Where `len` bytes may be written to.
fn writable(cx: &Cx<'_>, dynptr: u64, offset: u64, len: u64) -> Result<Result<u64, Errno>, Stop> {
    let to = Dynptr::at(cx, dynptr)?;
    let size = if to.is_null() { 0 } else { u64::from(to.size()) };
    let (offset, len) = (u64::from(offset as u32), u64::from(len as u32));
    Ok(match to.read_only() {
        true => Err(Errno::EINVAL),
        false if len > size || offset > size - len => Err(Errno::E2BIG),
        false => to.place(cx, offset, len),
    })
}

fn set(cx: &mut Cx<'_>, [dynptr, offset, len, byte, _]: [u64; 5]) -> Result<u64, Stop> {
    match writable(cx, dynptr, offset, len)? {
        Ok(address) => {
            cx.bytes_mut(address, u64::from(len as u32))?.fill(byte as u8);
            Ok(0)
        }
        Err(errno) => Ok(errno.code()),
    }
}

fn copy(cx: &mut Cx<'_>, [to, at, from, offset, len]: [u64; 5]) -> Result<u64, Stop> {
    let source = Dynptr::at(cx, from)?;
    let (offset, len) = (u64::from(offset as u32), u64::from(len as u32));
    let bytes = match source.is_null() {
        true => Err(Errno::E2BIG),
        false => source.place(cx, offset, len),
    };
    match (writable(cx, to, at, len)?, bytes) {
        (Ok(to), Ok(from)) => {
            let bytes = cx.bytes(from, len)?;
            cx.write(to, &bytes)?;
            Ok(0)
        }
        // What is too long is said first.
        (Err(Errno::E2BIG), _) | (_, Err(Errno::E2BIG)) => Ok(Errno::E2BIG.code()),
        (Err(errno), _) | (_, Err(errno)) => Ok(errno.code()),
    }
}

/// Copies from outside of the program; what cannot be read leaves zeros.
fn fetch(cx: &mut Cx<'_>, [dynptr, at, len, from, _]: [u64; 5], space: Space) -> Result<u64, Stop> {
    let address = match writable(cx, dynptr, at, len)? {
        Ok(address) => address,
        Err(errno) => return Ok(errno.code()),
    };
    let len = u64::from(len as u32);
    let rest = cx.foreign_rest(from, &[space]);
    let found = rest.and_then(|rest| rest.get(..usize::try_from(len).ok()?)).map(<[u8]>::to_vec);
    match found {
        Some(bytes) => {
            cx.write(address, &bytes)?;
            Ok(0)
        }
        None => {
            cx.bytes_mut(address, len)?.fill(0);
            Ok(Errno::EFAULT.code())
        }
    }
}

/// As [`fetch`], for a string: what `read` is given is where to, how much room there is, where from, no flags.
fn fetch_str(
    cx: &mut Cx<'_>,
    [dynptr, at, len, from, _]: [u64; 5],
    read: fn(&mut Cx<'_>, [u64; 5]) -> Result<u64, Stop>,
) -> Result<u64, Stop> {
    match writable(cx, dynptr, at, len)? {
        Ok(address) => {
            // Where nothing is read, nothing is cleared either.
            let before = cx.bytes(address, u64::from(len as u32))?.to_vec();
            let read = read(cx, [address, len, from, 0, 0])?;
            if (read as i32) < 0 {
                cx.write(address, &before)?;
            }
            Ok(read)
        }
        Err(errno) => Ok(errno.code()),
    }
}

fn reserve(cx: &mut Cx<'_>, [map, size, flags, dynptr, _]: [u64; 5]) -> Result<u64, Stop> {
    let size = u64::from(size as u32);
    let made = match (flags != 0, size > MAX_SIZE) {
        (true, _) => Err(Errno::EINVAL),
        (_, true) => Err(Errno::E2BIG),
        (false, false) => {
            let (ring, memory, _) = cx.ring(map, "ringbuf_reserve_dynptr")?;
            ring.reserve(memory, size).ok_or(Errno::EINVAL)
        }
    };
    let (dynptr_value, answer) = match made {
        Ok(address) => (Dynptr::memory(address, size as u32, false), 0),
        Err(errno) => (Dynptr::default(), errno.code()),
    };
    dynptr_value.put(cx, dynptr)?;
    Ok(answer)
}

fn finish(cx: &mut Cx<'_>, dynptr: u64, submit: bool) -> Result<u64, Stop> {
    let record = Dynptr::at(cx, dynptr)?;
    if !record.is_null() {
        super::ringbuf::finish(cx, record.data, submit, "ringbuf_submit_dynptr")?;
        Dynptr::default().put(cx, dynptr)?;
    }
    Ok(0)
}
