//! Tunnels that a packet shall take, as the program has set them.

use alloc::vec::Vec;

use super::{Cx, Entry, Stop};
use crate::maps::Errno;
use crate::vm::hook::Tunnel;

pub(super) const HELPERS: &[Entry] = &[
    ("skb_get_tunnel_key", get_key),
    ("skb_set_tunnel_key", set_key),
    ("skb_get_tunnel_opt", get_options),
    ("skb_set_tunnel_opt", set_options),
];

/// Bytes of `struct bpf_tunnel_key`, and of what it was in older headers.
const SIZE: u64 = 44;
const OLDER: [u64; 3] = [28, 24, 22];
/// As it was when it ended with an IPv4 address.
const OLDEST: u64 = 8;
/// Its parts: the other end's address, the reserved half word, the label, this end's address.
const REMOTE: usize = 4;
const EXTENSION: usize = 22;
const LABEL: usize = 24;
const LOCAL: usize = 28;
/// Most bytes of options.
const MAX_OPTIONS: u64 = 255;

/// Flags of the helpers: `BPF_F_TUNINFO_IPV6`, and those of setting alone.
const V6: u64 = 1;
const ZERO_CHECKSUM: u64 = 1 << 1;
const DONT_FRAGMENT: u64 = 1 << 2;
const SEQUENCE: u64 = 1 << 3;
const NO_KEY: u64 = 1 << 4;
/// `BPF_F_TUNINFO_FLAGS`, of getting alone.
const WITH_FLAGS: u64 = 1 << 4;

/// Bits of a tunnel's flags by the conditions that set them.
fn flags_of(flags: u64) -> u16 {
    let has = |flag: u64| u16::from(flags & flag != 0);
    let checksum = 1 - has(ZERO_CHECKSUM);
    let key = 1 - has(NO_KEY);
    let no_cache = 1 << 13;
    (checksum | key << 2 | has(SEQUENCE) << 3 | has(DONT_FRAGMENT) << 8 | no_cache).swap_bytes()
}

fn set_key(cx: &mut Cx<'_>, [_, from, size, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    let size = u64::from(size as u32);
    let mut key = cx.bytes(from, size)?;
    let known = V6 | ZERO_CHECKSUM | DONT_FRAGMENT | SEQUENCE | NO_KEY;
    if flags & !known != 0 || !(size == SIZE || size == OLDEST || OLDER.contains(&size)) {
        return Ok(Errno::EINVAL.code());
    }
    key.resize(SIZE as usize, 0);
    let is_v6 = flags & V6 != 0;
    let is_set = |from: usize, to: usize| key.get(from..to).unwrap_or_default().iter().any(|&byte| byte != 0);
    if (!is_v6 && is_set(LABEL, LOCAL)) || is_set(EXTENSION, LABEL) {
        return Ok(Errno::EINVAL.code());
    }
    // Who sends is the local end, and who reads asks for where the packet came from.
    let (mut read, len) = (key.clone(), if is_v6 { 16 } else { 4 });
    read.get_mut(REMOTE..REMOTE + 16).unwrap_or_default().fill(0);
    read.get_mut(LOCAL..LOCAL + 16).unwrap_or_default().fill(0);
    for (from, to) in [(REMOTE, LOCAL), (LOCAL, REMOTE)] {
        if let (Some(to), Some(from)) = (read.get_mut(to..to + len), key.get(from..from + len)) {
            to.copy_from_slice(from);
        }
    }
    // A label has 20 bits.
    if let Some(&mut [_, _, ref mut third, ref mut last]) = read.get_mut(LABEL..LABEL + 4) {
        *third &= 0xf;
        *last = 0;
    }
    cx.env.hook.tunnel = Some(Tunnel { key: read, is_v6, flags: flags_of(flags), options: Vec::new() });
    Ok(0)
}

fn get_key(cx: &mut Cx<'_>, [_, to, size, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    let size = u64::from(size as u32);
    let found = match &cx.env.hook.tunnel {
        None => Err(Errno::EINVAL),
        Some(_) if flags & !(V6 | WITH_FLAGS) != 0 => Err(Errno::EINVAL),
        Some(tunnel) if tunnel.is_v6 != (flags & V6 != 0) => Err(Errno::EPROTO),
        Some(tunnel) if size == SIZE || OLDER.contains(&size) || (size == OLDEST && !tunnel.is_v6) => {
            let mut key = tunnel.key.clone();
            if flags & WITH_FLAGS != 0 {
                key.splice(EXTENSION..LABEL, tunnel.flags.to_le_bytes());
            }
            Ok(key)
        }
        Some(_) => Err(Errno::EINVAL),
    };
    let place = cx.bytes_mut(to, size)?;
    place.fill(0);
    match found {
        Ok(key) => {
            place.iter_mut().zip(key).for_each(|(to, from)| *to = from);
            Ok(0)
        }
        Err(errno) => Ok(errno.code()),
    }
}

fn set_options(cx: &mut Cx<'_>, [_, from, size, ..]: [u64; 5]) -> Result<u64, Stop> {
    let bytes = cx.bytes(from, u64::from(size as u32))?;
    match &mut cx.env.hook.tunnel {
        Some(_) if bytes.len() % 4 != 0 => Ok(Errno::EINVAL.code()),
        Some(_) if bytes.len() as u64 > MAX_OPTIONS => Ok(Errno::ENOMEM.code()),
        Some(tunnel) => {
            tunnel.options = bytes;
            Ok(0)
        }
        None => Ok(Errno::EINVAL.code()),
    }
}

fn get_options(cx: &mut Cx<'_>, [_, to, size, ..]: [u64; 5]) -> Result<u64, Stop> {
    let options = cx.env.hook.tunnel.as_ref().map(|tunnel| tunnel.options.clone()).unwrap_or_default();
    let place = cx.bytes_mut(to, u64::from(size as u32))?;
    place.fill(0);
    if options.is_empty() {
        return Ok(Errno::ENOENT.code());
    }
    match place.get_mut(..options.len()) {
        Some(place) => {
            place.copy_from_slice(&options);
            Ok(options.len() as u64)
        }
        None => Ok(Errno::ENOMEM.code()),
    }
}
