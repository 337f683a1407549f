//! Moving the bounds of an XDP packet, and copies in and out of it.

use super::{Cx, Entry, Stop, bad};
use crate::maps::Errno;
use crate::vm::Packet;

pub(super) const HELPERS: &[Entry] = &[
    ("xdp_adjust_head", xdp_adjust_head),
    ("xdp_adjust_tail", xdp_adjust_tail),
    ("xdp_adjust_meta", xdp_adjust_meta),
    ("xdp_load_bytes", xdp_load_bytes),
    ("xdp_store_bytes", xdp_store_bytes),
    ("xdp_get_buff_len", xdp_get_buff_len),
];

/// Bytes at the start of the buffer where the kernel keeps `struct xdp_frame`.
const FRAME_HEADER: u64 = 40;
/// No packet may become shorter than an Ethernet header.
const ETH_HLEN: u64 = 14;
/// Most metadata, and what its length must be a multiple of.
const META_MAX: u64 = 252;
/// The kernel's answer to metadata of a bad length.
const EACCES: Errno = Errno(13);

impl Cx<'_> {
    fn packet(&self, helper: &'static str) -> Result<Packet, Stop> {
        self.env.packet.ok_or(bad(helper, 1, "is not a context with a packet"))
    }

    /// Sets the packet's bounds, in memory and in the context.
    pub(super) fn set_packet(&mut self, packet: Packet) {
        self.env.packet = Some(packet);
        self.env.sync_packet();
    }
}

fn delta(value: u64) -> i64 {
    i64::from(value as i32)
}

fn xdp_adjust_head(cx: &mut Cx<'_>, [_, by, ..]: [u64; 5]) -> Result<u64, Stop> {
    let packet = cx.packet("xdp_adjust_head")?;
    let meta_len = packet.data - packet.meta;
    let data = packet.data.wrapping_add_signed(delta(by));
    if data < packet.buffer + FRAME_HEADER + meta_len || data + ETH_HLEN > packet.end {
        return Ok(Errno::EINVAL.code());
    }
    let meta = cx.bytes(packet.meta, meta_len)?;
    cx.set_packet(Packet { data, meta: data - meta_len, ..packet });
    cx.write(data - meta_len, &meta)?;
    Ok(0)
}

/// New bytes at the end are zero.
fn xdp_adjust_tail(cx: &mut Cx<'_>, [_, by, ..]: [u64; 5]) -> Result<u64, Stop> {
    let packet = cx.packet("xdp_adjust_tail")?;
    let end = packet.end.wrapping_add_signed(delta(by));
    if end > packet.buffer + u64::from(packet.capacity) || end < packet.data + ETH_HLEN {
        return Ok(Errno::EINVAL.code());
    }
    cx.set_packet(Packet { end, ..packet });
    if let Some(grown) = end.checked_sub(packet.end) {
        cx.bytes_mut(packet.end, grown)?.fill(0);
    }
    Ok(0)
}

fn xdp_adjust_meta(cx: &mut Cx<'_>, [_, by, ..]: [u64; 5]) -> Result<u64, Stop> {
    let packet = cx.packet("xdp_adjust_meta")?;
    let meta = packet.meta.wrapping_add_signed(delta(by));
    if meta < packet.buffer + FRAME_HEADER || meta > packet.data {
        return Ok(Errno::EINVAL.code());
    }
    let len = packet.data - meta;
    if len % 4 != 0 || len > META_MAX {
        return Ok(EACCES.code());
    }
    cx.set_packet(Packet { meta, ..packet });
    Ok(0)
}

fn xdp_load_bytes(cx: &mut Cx<'_>, [_, offset, to, len, _]: [u64; 5]) -> Result<u64, Stop> {
    let (offset, len) = (u64::from(offset as u32), u64::from(len as u32));
    match cx.env.packet_bytes(offset, len).map(<[u8]>::to_vec) {
        Some(bytes) => {
            cx.write(to, &bytes)?;
            Ok(0)
        }
        None => Ok(Errno::EINVAL.code()),
    }
}

fn xdp_store_bytes(cx: &mut Cx<'_>, [_, offset, from, len, _]: [u64; 5]) -> Result<u64, Stop> {
    let (offset, len) = (u64::from(offset as u32), u64::from(len as u32));
    let bytes = cx.bytes(from, len)?;
    match cx.env.packet_bytes_mut(offset, len) {
        Some(place) => {
            place.copy_from_slice(&bytes);
            Ok(0)
        }
        None => Ok(Errno::EINVAL.code()),
    }
}

fn xdp_get_buff_len(cx: &mut Cx<'_>, _: [u64; 5]) -> Result<u64, Stop> {
    let packet = cx.packet("xdp_get_buff_len")?;
    Ok(packet.end - packet.data)
}
