//! Contexts of programs that see packets.
//!
//! The packet lies in a buffer with room in front of it and behind it, as the kernel's test runs
//! have it, so that moving its bounds succeeds and fails in the same places.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use skep_stdlib::programs::ProgType;

use crate::vm::{Env, Input, Layout, Packet, RedirectActions, RunError, Value};

/// Room in front of a packet (`XDP_PACKET_HEADROOM`).
const HEADROOM: u32 = 256;
/// Bytes of the page that the kernel puts a test packet into, without `skb_shared_info` at its end.
const BUFFER: u32 = 4096 - 320;
/// Largest packet.
const MAX_PACKET: usize = 0xffff;
/// Interface that packets come from (`lo`).
const IFINDEX: u32 = 1;

/// Fields of a context: name, offset and size.
type Fields = &'static [(&'static str, u32, u32)];

const XDP_FIELDS: Fields =
    &[("ingress_ifindex", 12, 4), ("rx_queue_index", 16, 4), ("egress_ifindex", 20, 4)];
const XDP_SIZE: usize = 24;

/// Puts the packet into the buffer and lets the context's fields point to it.
fn place(env: &mut Env, data: &[u8], context: &[u8], fields: [Option<u64>; 3]) -> Result<(), RunError> {
    let too_long = || RunError::new(format!("a packet of {} bytes is too long", data.len()));
    if data.len() > MAX_PACKET {
        return Err(too_long());
    }
    let capacity = BUFFER.max(HEADROOM + data.len() as u32);
    let (buffer, capacity) = match env.packet_buffer {
        Some((address, size)) if size >= capacity => (address, size),
        old => {
            if let Some((address, _)) = old {
                env.memory.free(address);
            }
            let address = env.memory.alloc(Layout::bytes(capacity), true).map_err(|_| too_long())?;
            env.packet_buffer = Some((address, capacity));
            (address, capacity)
        }
    };
    env.memory.set_window(buffer, buffer, buffer + u64::from(capacity));
    if let Some(bytes) = env.memory.read_mut(buffer, u64::from(capacity)) {
        bytes.fill(0);
    }
    let start = buffer + u64::from(HEADROOM);
    env.memory.fill(start, data).ok_or_else(too_long)?;
    super::set_context(env, context)?;
    let end = start + data.len() as u64;
    let capacity = BUFFER.max(HEADROOM + data.len() as u32).min(capacity);
    env.packet = Some(Packet { buffer, capacity, data: start, end, meta: start, fields });
    env.sync_packet();
    Ok(())
}

/// Sets a numeric field of a context.
fn set(context: &mut [u8], fields: Fields, name: &str, value: &Value) -> Result<(), RunError> {
    let Some(&(_, offset, size)) = fields.iter().find(|(known, ..)| *known == name) else {
        return Err(RunError::new(format!("the context has no field `{name}` that can be set")));
    };
    let Value::Int(value) = value else {
        return Err(RunError::new(format!("field `{name}` is a number")));
    };
    let (offset, size) = (offset as usize, size as usize);
    let bytes = value.to_le_bytes();
    if let (Some(place), Some(bytes)) = (context.get_mut(offset..offset + size), bytes.get(..size)) {
        place.copy_from_slice(bytes);
    }
    Ok(())
}

/// `struct xdp_md`.
pub(super) fn xdp(env: &mut Env, input: &Input) -> Result<(), RunError> {
    let mut context = vec![0; XDP_SIZE];
    set(&mut context, XDP_FIELDS, "ingress_ifindex", &Value::Int(u64::from(IFINDEX)))?;
    for (name, value) in &input.fields {
        set(&mut context, XDP_FIELDS, name, value)?;
    }
    env.redirect_actions = RedirectActions { redirect: 4, refused: 0, flags: false };
    place(env, &input.data, &context, [Some(0), Some(4), Some(8)])
}

const SKB_FIELDS: Fields = &[
    ("len", 0, 4),
    ("pkt_type", 4, 4),
    ("mark", 8, 4),
    ("queue_mapping", 12, 4),
    ("protocol", 16, 4),
    ("vlan_present", 20, 4),
    ("vlan_tci", 24, 4),
    ("vlan_proto", 28, 4),
    ("priority", 32, 4),
    ("ingress_ifindex", 36, 4),
    ("ifindex", 40, 4),
    ("tc_index", 44, 4),
    ("hash", 68, 4),
    ("tc_classid", 72, 4),
    ("napi_id", 84, 4),
    ("family", 88, 4),
    ("remote_ip4", 92, 4),
    ("local_ip4", 96, 4),
    ("remote_port", 132, 4),
    ("local_port", 136, 4),
    ("tstamp", 152, 8),
    ("wire_len", 160, 4),
    ("gso_segs", 164, 4),
    ("gso_size", 176, 4),
    ("tstamp_type", 180, 1),
    ("hwtstamp", 184, 8),
];
const SKB_SIZE: usize = 192;

/// `struct __sk_buff`.
pub(super) fn skb(env: &mut Env, ty: ProgType, input: &Input) -> Result<(), RunError> {
    let mut context: Vec<u8> = vec![0; SKB_SIZE];
    let len = input.data.len() as u64;
    // The kernel keeps the protocol in network order, as the Ethernet header has it.
    let protocol = match input.data.get(12..14) {
        Some(&[high, low]) => u64::from(u16::from_le_bytes([high, low])),
        _ => 0,
    };
    let defaults = [("len", len), ("protocol", protocol), ("ifindex", u64::from(IFINDEX)), ("wire_len", len)];
    for (name, value) in defaults {
        set(&mut context, SKB_FIELDS, name, &Value::Int(value))?;
    }
    for (name, value) in &input.fields {
        set(&mut context, SKB_FIELDS, name, value)?;
    }
    env.redirect_actions = match ty {
        ProgType::SchedCls | ProgType::SchedAct => RedirectActions { redirect: 7, refused: 2, flags: true },
        _ => RedirectActions::default(),
    };
    place(env, &input.data, &context, [Some(76), Some(80), Some(140)])
}
