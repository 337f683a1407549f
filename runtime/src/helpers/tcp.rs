//! TCP headers: options in them, and SYN cookies.
//!
//! Cookies are the kernel's in everything but the hash: that depends on numbers which a kernel draws at
//! its start. Here it depends on nothing, so what one run has made another can check.

use super::{Cx, Entry, Stop};
use crate::maps::Errno;
use crate::vm::Packet;

pub(super) const HELPERS: &[Entry] = &[
    ("load_hdr_opt", load_hdr_opt),
    ("store_hdr_opt", store_hdr_opt),
    ("reserve_hdr_opt", reserve_hdr_opt),
    ("tcp_gen_syncookie", tcp_gen_syncookie),
    ("tcp_raw_gen_syncookie_ipv4", |cx, args| generate(cx, args, V4)),
    ("tcp_raw_gen_syncookie_ipv6", |cx, args| generate(cx, args, V6)),
    ("tcp_raw_check_syncookie_ipv4", |cx, args| check(cx, args, V4)),
    ("tcp_raw_check_syncookie_ipv6", |cx, args| check(cx, args, V6)),
];

/// Bytes of a TCP header without options.
const TCP_HEADER: usize = 20;
/// `BPF_SOCK_OPS_HDR_OPT_LEN_CB` and `BPF_SOCK_OPS_WRITE_HDR_OPT_CB`.
const MEASURING: u64 = 14;
const WRITING: u64 = 15;
/// `BPF_LOAD_HDR_OPT_TCP_SYN`
const FROM_SYN: u64 = 1;
/// Options without a length: the end, and nothing.
const END: u8 = 0;
const NOTHING: u8 = 1;
/// Maximum segment size.
const MSS: u8 = 2;

/// Is it one of the options for experiments, which a magic number tells apart?
fn is_experiment(kind: u8) -> bool {
    matches!(kind, 253 | 254)
}

/// An option of this kind that begins with `magic`. An error also says that the options have an end.
fn find<'o>(mut options: &'o [u8], kind: u8, magic: &[u8]) -> Result<&'o [u8], (Errno, bool)> {
    while let Some((&first, rest)) = options.split_first() {
        match first {
            END => return Err((Errno::ENOMSG, true)),
            NOTHING => options = rest,
            _ => {
                let len = rest.first().map_or(0, |&len| usize::from(len));
                let option = options.get(..len).filter(|_| len >= 2).ok_or((Errno::EFAULT, false))?;
                if first == kind {
                    let data = option.get(2..).unwrap_or_default();
                    if magic.len() > data.len() {
                        return Err((Errno::ENOMSG, false));
                    }
                    if data.starts_with(magic) {
                        return Ok(option);
                    }
                }
                options = options.get(len..).unwrap_or_default();
            }
        }
    }
    Err((Errno::ENOMSG, false))
}

/// The options in the header that the context points to.
fn options(cx: &Cx<'_>) -> Option<alloc::vec::Vec<u8>> {
    let Packet { data, end, .. } = cx.env.packet?;
    let len = (end - data).checked_sub(TCP_HEADER as u64)?;
    Some(cx.env.packet_bytes(TCP_HEADER as u64, len)?.to_vec())
}

/// What is looked for stands where what is found goes.
fn load_hdr_opt(cx: &mut Cx<'_>, [_, place, len, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    let len = u64::from(len as u32);
    let wanted = cx.bytes(place, len)?;
    let &[kind, wanted_len, ..] = wanted.as_slice() else { return Ok(Errno::EINVAL.code()) };
    let magic_len = if is_experiment(kind) { usize::from(wanted_len).checked_sub(2) } else { Some(0) };
    let is_sound = match is_experiment(kind) {
        true => matches!(wanted_len, 4 | 6),
        false => wanted_len == 0,
    };
    let magic = magic_len.and_then(|len| wanted.get(2..2 + len));
    let (Some(magic), true) = (magic, is_sound && !matches!(kind, END | NOTHING) && flags & !FROM_SYN == 0)
    else {
        return Ok(Errno::EINVAL.code());
    };
    if flags & FROM_SYN != 0 {
        // Nobody has kept one.
        return Ok(Errno::ENOENT.code());
    }
    let Some(options) = options(cx).filter(|_| cx.env.context_number("op") != MEASURING) else {
        return Ok(Errno::EPERM.code());
    };
    let found = match find(&options, kind, magic) {
        Ok(found) => found,
        Err((errno, _)) => return Ok(errno.code()),
    };
    let copied = found.get(..wanted.len().min(found.len())).unwrap_or_default();
    cx.write(place, copied)?;
    Ok(if found.len() > wanted.len() { Errno::ENOSPC.code() } else { found.len() as u64 })
}

fn store_hdr_opt(cx: &mut Cx<'_>, [_, from, len, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    let new = cx.bytes(from, u64::from(len as u32))?;
    let (Some(packet), Some(options)) = (cx.env.packet, options(cx)) else { return Ok(Errno::EPERM.code()) };
    if cx.env.context_number("op") != WRITING {
        return Ok(Errno::EPERM.code());
    }
    let &[kind, new_len, ..] = new.as_slice() else { return Ok(Errno::EINVAL.code()) };
    let option = new.get(..usize::from(new_len)).filter(|_| flags == 0 && !matches!(kind, END | NOTHING));
    let Some(option) = option else { return Ok(Errno::EINVAL.code()) };
    if u64::from(new_len) > cx.env.hook.option_room {
        return Ok(Errno::ENOSPC.code());
    }
    if is_experiment(kind) && new_len < 4 {
        return Ok(Errno::EINVAL.code());
    }
    let magic = if is_experiment(kind) { new.get(2..4).unwrap_or_default() } else { &[] };
    match find(&options, kind, magic) {
        Ok(_) => return Ok(Errno::EEXIST.code()),
        // No option comes after the end.
        Err((Errno::ENOMSG, true)) => return Ok(Errno::ENOSPC.code()),
        Err((Errno::ENOMSG, false)) => {}
        Err((errno, _)) => return Ok(errno.code()),
    }
    cx.env.hook.option_room -= u64::from(new_len);
    cx.set_packet(Packet { end: packet.end + u64::from(new_len), ..packet });
    cx.write(packet.end, option)?;
    Ok(0)
}

fn reserve_hdr_opt(cx: &mut Cx<'_>, [_, len, flags, ..]: [u64; 5]) -> Result<u64, Stop> {
    let len = u64::from(len as u32);
    if cx.env.context_number("op") != MEASURING {
        return Ok(Errno::EPERM.code());
    }
    if flags != 0 || len < 2 {
        return Ok(Errno::EINVAL.code());
    }
    match cx.env.hook.option_room.checked_sub(len) {
        Some(left) => {
            cx.env.hook.option_room = left;
            Ok(0)
        }
        None => Ok(Errno::ENOSPC.code()),
    }
}

/// No socket here has a queue that is full, so none answers with a cookie.
fn tcp_gen_syncookie(cx: &mut Cx<'_>, [sock, ip, ip_len, tcp, tcp_len]: [u64; 5]) -> Result<u64, Stop> {
    cx.bytes(ip, u64::from(ip_len as u32))?;
    let tcp = cx.bytes(tcp, u64::from(tcp_len as u32))?;
    let is_sound = sock != 0 && is_whole(&tcp) && (ip_len as u32) >= 20;
    Ok(if is_sound { Errno::ENOENT.code() } else { Errno::EINVAL.code() })
}

/// What differs between the protocols below TCP.
#[derive(Clone, Copy)]
struct Below {
    /// Bytes of the header.
    len: u64,
    /// Where the two addresses begin in it.
    addresses: usize,
    /// The sizes of segments that a cookie can tell.
    sizes: [u16; 4],
    /// The size without an option.
    default: u16,
}

const V4: Below = Below { len: 20, addresses: 12, sizes: [536, 1300, 1440, 1460], default: 536 };
const V6: Below = Below { len: 40, addresses: 8, sizes: [1220, 1420, 1440, 8940], default: 1220 };

/// Bits of a cookie that tell the size; above them is the time.
const SIZE_BITS: u32 = 24;
const SIZE_MASK: u32 = (1 << SIZE_BITS) - 1;
/// Minutes that a cookie holds.
const MAX_AGE: u32 = 2;
const NS_PER_MINUTE: u64 = 60_000_000_000;

/// Is it a header with all the options that it says it has?
fn is_whole(tcp: &[u8]) -> bool {
    tcp.len() >= TCP_HEADER && tcp.get(12).is_some_and(|byte| usize::from(byte >> 4) * 4 == tcp.len())
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_be_bytes(*word))
}

/// A number that depends on everything that a connection is known by (FNV-1a, then mixed).
fn hash(addresses: &[u8], ports: &[u8], salt: [u32; 2]) -> u32 {
    let salt = salt.map(u32::to_le_bytes).concat();
    let all = addresses.iter().chain(ports).chain(&salt);
    let sum = all
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mixed = (sum ^ (sum >> 32)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed >> 32) as u32
}

fn minutes(cx: &mut Cx<'_>) -> u32 {
    (cx.env.host.monotonic_ns() / NS_PER_MINUTE) as u32
}

fn generate(cx: &mut Cx<'_>, [ip, tcp, len, ..]: [u64; 5], below: Below) -> Result<u64, Stop> {
    let ip = cx.bytes(ip, below.len)?;
    let tcp = cx.bytes(tcp, u64::from(len as u32))?;
    if !is_whole(&tcp) {
        return Ok(Errno::EINVAL.code());
    }
    let option = find(tcp.get(TCP_HEADER..).unwrap_or_default(), MSS, &[]).ok();
    let wanted = match option {
        Some(&[_, 4, high, low]) if (high, low) != (0, 0) => u16::from_be_bytes([high, low]),
        _ => below.default,
    };
    let index = below.sizes.iter().rposition(|&size| wanted >= size).unwrap_or(0);
    let (addresses, ports) = connection(&ip, &tcp, below);
    let count = minutes(cx);
    let data = hash(addresses, ports, [count, 1]).wrapping_add(index as u32) & SIZE_MASK;
    let base = hash(addresses, ports, [0, 0]).wrapping_add(word(&tcp, 4));
    let cookie = base.wrapping_add(count << SIZE_BITS).wrapping_add(data);
    let size = below.sizes.get(index).copied().unwrap_or(below.default);
    Ok(u64::from(cookie) | u64::from(size) << 32)
}

fn check(cx: &mut Cx<'_>, [ip, tcp, ..]: [u64; 5], below: Below) -> Result<u64, Stop> {
    let ip = cx.bytes(ip, below.len)?;
    let tcp = cx.bytes(tcp, TCP_HEADER as u64)?;
    let (addresses, ports) = connection(&ip, &tcp, below);
    let count = minutes(cx);
    let (sequence, cookie) = (word(&tcp, 4).wrapping_sub(1), word(&tcp, 8).wrapping_sub(1));
    let rest = cookie.wrapping_sub(hash(addresses, ports, [0, 0]).wrapping_add(sequence));
    let age = count.wrapping_sub(rest >> SIZE_BITS) & (u32::MAX >> SIZE_BITS);
    let index = rest.wrapping_sub(hash(addresses, ports, [count.wrapping_sub(age), 1])) & SIZE_MASK;
    let is_known = age < MAX_AGE && (index as usize) < below.sizes.len();
    Ok(if is_known { 0 } else { Errno::EACCES.code() })
}

/// The bytes that say who talks to whom.
fn connection<'b>(ip: &'b [u8], tcp: &'b [u8], below: Below) -> (&'b [u8], &'b [u8]) {
    (ip.get(below.addresses..).unwrap_or_default(), tcp.get(..4).unwrap_or_default())
}
