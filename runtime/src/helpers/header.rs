//! What socket buffers say of their packets: protocol, type, hash, time.

use super::{Cx, Entry, Stop, bad};
use crate::maps::Errno;
use crate::vm::Packet;

pub(super) const HELPERS: &[Entry] = &[
    ("skb_change_proto", change_proto),
    ("skb_change_type", change_type),
    ("skb_set_tstamp", set_tstamp),
    ("set_hash", |cx, [_, hash, ..]| {
        cx.env.set_context_number("hash", hash & u64::from(u32::MAX));
        Ok(0)
    }),
    ("set_hash_invalid", |cx, _| {
        cx.env.set_context_number("hash", 0);
        Ok(0)
    }),
    ("get_hash_recalc", get_hash_recalc),
];

/// Length of the Ethernet header.
const ETH_HLEN: u64 = 14;
/// `ETH_P_IP` and `ETH_P_IPV6`, as a little-endian machine finds them in network order.
const IP: u64 = 0x0008;
const IPV6: u64 = 0xdd86;
/// What an IPv6 header is longer.
const LONGER: u64 = 20;
/// `PACKET_OTHERHOST`: the last type that may be changed.
const OTHER_HOST: u64 = 3;

/// Changes the room for the network's header; what is in it is the program's business.
fn change_proto(cx: &mut Cx<'_>, [_, protocol, flags, ..]: [u64; 5]) -> Result<u64, Stop> {
    if flags != 0 {
        return Ok(Errno::EINVAL.code());
    }
    let packet = cx.env.packet.ok_or(bad("skb_change_proto", 1, "is not a context with a packet"))?;
    let protocol = protocol & 0xffff;
    let data = match (cx.env.context_number("protocol"), protocol) {
        (IP, IPV6) => packet.data - LONGER,
        (IPV6, IP) => packet.data + LONGER,
        _ => return Ok(Errno::ENOTSUPP.code()),
    };
    if data < packet.buffer || data + ETH_HLEN > packet.end {
        return Ok(Errno::ENOMEM.code());
    }
    let front = cx.bytes(packet.data, ETH_HLEN)?;
    cx.set_packet(Packet { data, meta: data, ..packet });
    cx.write(data, &front)?;
    if protocol == IPV6 {
        cx.bytes_mut(data + ETH_HLEN, LONGER)?.fill(0);
    }
    cx.env.set_context_number("protocol", protocol);
    cx.env.set_context_number("hash", 0);
    cx.env.set_context_number("len", packet.end - data);
    Ok(0)
}

fn change_type(cx: &mut Cx<'_>, [_, ty, ..]: [u64; 5]) -> Result<u64, Stop> {
    let ty = ty & u64::from(u32::MAX);
    if cx.env.context_number("pkt_type") > OTHER_HOST || ty > OTHER_HOST {
        return Ok(Errno::EINVAL.code());
    }
    cx.env.set_context_number("pkt_type", ty);
    Ok(0)
}

/// Clocks are: real time, monotonic, atomic. Of the last two, no time is none.
fn set_tstamp(cx: &mut Cx<'_>, [_, time, clock, ..]: [u64; 5]) -> Result<u64, Stop> {
    if !matches!(cx.env.context_number("protocol"), IP | IPV6) {
        return Ok(Errno::EOPNOTSUPP.code());
    }
    match clock as u32 {
        0 => {}
        1 | 2 if time != 0 => {}
        _ => return Ok(Errno::EINVAL.code()),
    }
    cx.env.set_context_number("tstamp", time);
    cx.env.set_context_number("tstamp_type", clock);
    Ok(0)
}

/// Of what packets of a flow have in common: addresses and ports, or else their protocol. The kernel's is
/// another, with every start.
fn get_hash_recalc(cx: &mut Cx<'_>, _: [u64; 5]) -> Result<u64, Stop> {
    let whole = cx.env.packet.map_or(0, |packet| packet.end - packet.data);
    let bytes = cx.env.packet_bytes(0, whole).unwrap_or_default();
    let (from, len) = match bytes.get(12..ETH_HLEN as usize) {
        Some([0x08, 0x00]) => (26, 12),
        Some([0x86, 0xdd]) => (22, 36),
        _ => (12, 2),
    };
    let common = bytes.iter().skip(from).take(len);
    let sum = common.fold(0x811c_9dc5u32, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let hash = u64::from(sum.max(1));
    cx.env.set_context_number("hash", hash);
    Ok(hash)
}
