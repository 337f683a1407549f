//! Copies in and out of socket buffers, and checksums inside them.

use super::checksum::{fold, ones_add};
use super::{Cx, Entry, Stop, bad};
use crate::maps::Errno;
use crate::vm::Packet;

pub(super) const HELPERS: &[Entry] = &[
    ("skb_load_bytes", skb_load_bytes),
    ("skb_load_bytes_relative", skb_load_bytes_relative),
    ("skb_store_bytes", skb_store_bytes),
    ("skb_pull_data", |_, _| Ok(0)),
    ("skb_change_tail", skb_change_tail),
    ("l3_csum_replace", l3_csum_replace),
    ("l4_csum_replace", l4_csum_replace),
];

/// Length of the Ethernet header that packets here begin with.
const ETH_HLEN: u64 = 14;
/// Flags of `bpf_skb_store_bytes`: recompute the checksum, forget the hash. Neither is modelled.
const STORE_FLAGS: u64 = 3;

fn load(cx: &mut Cx<'_>, offset: u64, to: u64, len: u64) -> Result<u64, Stop> {
    let found = cx.env.packet_bytes(offset, len).map(<[u8]>::to_vec);
    let buffer = cx.bytes_mut(to, len)?;
    match found {
        Some(bytes) => {
            buffer.copy_from_slice(&bytes);
            Ok(0)
        }
        None => {
            buffer.fill(0);
            Ok(Errno::EFAULT.code())
        }
    }
}

fn skb_load_bytes(cx: &mut Cx<'_>, [_, offset, to, len, _]: [u64; 5]) -> Result<u64, Stop> {
    load(cx, u64::from(offset as u32), to, u64::from(len as u32))
}

/// The last argument says what the offset counts from: 0 the link layer, 1 the network layer.
fn skb_load_bytes_relative(cx: &mut Cx<'_>, [_, offset, to, len, from]: [u64; 5]) -> Result<u64, Stop> {
    let base = match from {
        0 => 0,
        1 => ETH_HLEN,
        _ => {
            cx.bytes_mut(to, u64::from(len as u32))?.fill(0);
            return Ok(Errno::EFAULT.code());
        }
    };
    load(cx, base + u64::from(offset as u32), to, u64::from(len as u32))
}

fn skb_store_bytes(cx: &mut Cx<'_>, [_, offset, from, len, flags]: [u64; 5]) -> Result<u64, Stop> {
    if flags & !STORE_FLAGS != 0 {
        return Ok(Errno::EINVAL.code());
    }
    let bytes = cx.bytes(from, u64::from(len as u32))?;
    match cx.env.packet_bytes_mut(u64::from(offset as u32), bytes.len() as u64) {
        Some(place) => {
            place.copy_from_slice(&bytes);
            Ok(0)
        }
        None => Ok(Errno::EFAULT.code()),
    }
}

fn skb_change_tail(cx: &mut Cx<'_>, [_, len, flags, ..]: [u64; 5]) -> Result<u64, Stop> {
    let packet = cx.env.packet.ok_or(bad("skb_change_tail", 1, "is not a context with a packet"))?;
    let end = packet.data + u64::from(len as u32);
    let room = packet.buffer + u64::from(packet.capacity);
    if flags != 0 || end > room || u64::from(len as u32) < ETH_HLEN {
        return Ok(Errno::EINVAL.code());
    }
    cx.set_packet(Packet { end, ..packet });
    if let Some(grown) = end.checked_sub(packet.end) {
        cx.bytes_mut(packet.end, grown)?.fill(0);
    }
    Ok(0)
}

/// Replaces `from` by `to` in the checksum at `offset`, both fields of `size` bytes (or, with size
/// 0, `to` being a difference).
fn replace(cx: &mut Cx<'_>, offset: u64, from: u64, to: u64, size: u64, udp: bool) -> u64 {
    let Some(place) = cx.env.packet_bytes_mut(u64::from(offset as u32), 2) else {
        return Errno::EFAULT.code();
    };
    let old = match place {
        [high, low] => u16::from_ne_bytes([*high, *low]),
        _ => return Errno::EFAULT.code(),
    };
    if udp && old == 0 {
        return 0;
    }
    let sum = u32::from(!old);
    let sum = match size {
        0 if from == 0 => ones_add(sum, to as u32),
        2 => ones_add(ones_add(sum, u32::from(!(from as u16))), u32::from(to as u16)),
        4 => ones_add(ones_add(sum, !(from as u32)), to as u32),
        _ => return Errno::EINVAL.code(),
    };
    let new = match !fold(sum) {
        0 if udp => 0xffff,
        new => new,
    };
    place.copy_from_slice(&new.to_ne_bytes());
    0
}

fn l3_csum_replace(cx: &mut Cx<'_>, [_, offset, from, to, size]: [u64; 5]) -> Result<u64, Stop> {
    if size & !0xf != 0 {
        return Ok(Errno::EINVAL.code());
    }
    Ok(replace(cx, offset, from, to, size, false))
}

/// `BPF_F_MARK_MANGLED_0`: a zero checksum means none, and none may become zero.
const MARK_MANGLED_0: u64 = 1 << 5;
/// `BPF_F_PSEUDO_HDR` and `BPF_F_MARK_ENFORCE`, which change nothing here.
const L4_FLAGS: u64 = 0xf | 1 << 4 | MARK_MANGLED_0 | 1 << 6;

fn l4_csum_replace(cx: &mut Cx<'_>, [_, offset, from, to, flags]: [u64; 5]) -> Result<u64, Stop> {
    if flags & !L4_FLAGS != 0 {
        return Ok(Errno::EINVAL.code());
    }
    Ok(replace(cx, offset, from, to, flags & 0xf, flags & MARK_MANGLED_0 != 0))
}
