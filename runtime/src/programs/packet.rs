//! Contexts of programs that see packets.
//!
//! The packet lies in a buffer with room in front of it and behind it, as the kernel's test runs
//! have it, so that moving its bounds succeeds and fails in the same places.

use alloc::format;
use alloc::vec::Vec;

use skep_stdlib::contexts::{self, ContextInfo, Yield};
use skep_stdlib::programs::ProgType;

use crate::vm::{Env, Input, Layout, Packet, Pointer, RedirectActions, RunError, Value};

/// Room in front of a packet (`XDP_PACKET_HEADROOM`).
const HEADROOM: u32 = 256;
/// Bytes of the page that the kernel puts a test packet into, without `skb_shared_info` at its end.
const BUFFER: u32 = 4096 - 320;
/// Largest packet.
const MAX_PACKET: usize = 0xffff;
/// Interface that packets come from (`lo`).
const IFINDEX: u32 = 1;

/// Puts the packet into the buffer and lets the context's fields point to it.
fn place(env: &mut Env, data: &[u8], context: &[u8], fields: [Option<Pointer>; 3]) -> Result<(), RunError> {
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

/// Sets a numeric field: `mark`, or `cb[2]`.
fn set(context: &mut [u8], info: &ContextInfo, name: &str, value: &Value) -> Result<(), RunError> {
    let unknown = || RunError::new(format!("`{}` has no field `{name}` that can be set", info.name));
    let (base, index) = match name.split_once('[') {
        Some((base, rest)) => {
            let index = rest.strip_suffix(']').and_then(|digits| digits.parse::<u32>().ok());
            (base, index.ok_or_else(unknown)?)
        }
        None => (name, 0),
    };
    let field = info.fields.iter().find(|field| field.name == base).ok_or_else(unknown)?;
    let Value::Int(value) = value else {
        return Err(RunError::new(format!("field `{name}` is a number")));
    };
    let start = index.checked_mul(field.unit).filter(|start| start + field.unit <= field.len);
    let start = (field.offset + start.ok_or_else(unknown)?) as usize;
    let size = field.unit.min(8) as usize;
    let bytes = value.to_le_bytes();
    if let (Some(place), Some(bytes)) = (context.get_mut(start..start + size), bytes.get(..size)) {
        place.copy_from_slice(bytes);
    }
    Ok(())
}

/// A context whose fields the platform's table describes; the table also says whether it points
/// to a packet, and where.
pub(super) fn context(env: &mut Env, name: &str, ty: ProgType, input: &Input) -> Result<(), RunError> {
    let Some(info) = contexts::context(name) else {
        return super::set_context(env, &input.data);
    };
    let pointer = |yields: Yield| {
        let field = info.fields.iter().find(|field| field.yields == yields)?;
        Some(Pointer { offset: u64::from(field.offset), len: field.unit })
    };
    let pointers = [Yield::Packet, Yield::PacketEnd, Yield::PacketMeta].map(pointer);
    let has_packet = pointers.iter().any(|pointer| pointer.is_some());
    let mut context = if has_packet { Vec::new() } else { input.data.clone() };
    context.resize(context.len().max(info.size as usize), 0);
    if has_packet {
        for (field, value) in defaults(&input.data) {
            if info.fields.iter().any(|known| known.name == field) {
                set(&mut context, info, field, &Value::Int(value))?;
            }
        }
    }
    env.context_info = Some(info);
    for (field, value) in &input.fields {
        if env.hook.take(ty, field, value)? {
            continue;
        }
        set(&mut context, info, field, value)?;
    }
    env.redirect_actions = match ty {
        ProgType::Xdp => RedirectActions { redirect: 4, refused: 0, flags: false },
        ProgType::SchedCls | ProgType::SchedAct => RedirectActions { redirect: 7, refused: 2, flags: true },
        _ => RedirectActions::default(),
    };
    if has_packet { place(env, &input.data, &context, pointers) } else { super::set_context(env, &context) }
}

/// What a packet that nothing else is said about comes with.
fn defaults(packet: &[u8]) -> [(&'static str, u64); 5] {
    let len = packet.len() as u64;
    // The kernel keeps the protocol in network order, as the Ethernet header has it.
    let protocol = match packet.get(12..14) {
        Some(&[high, low]) => u64::from(u16::from_le_bytes([high, low])),
        _ => 0,
    };
    let ifindex = u64::from(IFINDEX);
    [
        ("len", len),
        ("wire_len", len),
        ("protocol", protocol),
        ("ifindex", ifindex),
        ("ingress_ifindex", ifindex),
    ]
}
