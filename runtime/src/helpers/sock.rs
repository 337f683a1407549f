//! Sockets, of which there are none here: look-ups find nothing, options are what was set before.
//!
//! A socket that a program was given is what its user put into memory; helpers that say what kind
//! of socket it is take the program's word for it.

use super::{Cx, Entry, Stop};
use crate::maps::Errno;
use crate::vm::Redirect;

pub(super) const HELPERS: &[Entry] = &[
    ("sk_lookup_tcp", |_, _| Ok(0)),
    ("sk_lookup_udp", |_, _| Ok(0)),
    ("skc_lookup_tcp", |_, _| Ok(0)),
    ("sk_release", |_, _| Ok(0)),
    ("sk_fullsock", |_, [sock, ..]| Ok(sock)),
    ("tcp_sock", |_, [sock, ..]| Ok(sock)),
    ("get_listener_sock", |_, _| Ok(0)),
    ("skc_to_tcp_sock", |_, [sock, ..]| Ok(sock)),
    ("skc_to_tcp6_sock", |_, [sock, ..]| Ok(sock)),
    ("skc_to_udp6_sock", |_, [sock, ..]| Ok(sock)),
    ("skc_to_unix_sock", |_, [sock, ..]| Ok(sock)),
    ("skc_to_tcp_timewait_sock", |_, _| Ok(0)),
    ("skc_to_tcp_request_sock", |_, _| Ok(0)),
    ("skc_to_mptcp_sock", |_, _| Ok(0)),
    ("sk_assign", |_, [_, _, flags, ..]| Ok(if flags == 0 { 0 } else { Errno::EINVAL.code() })),
    ("get_socket_cookie", |_, _| Ok(COOKIE)),
    ("get_netns_cookie", |_, _| Ok(COOKIE)),
    ("get_socket_uid", |cx, _| Ok(u64::from(cx.env.host.task().uid))),
    ("setsockopt", setsockopt),
    ("getsockopt", getsockopt),
    ("sock_ops_cb_flags_set", |_, [_, flags, ..]| Ok(flags & !CALLBACKS)),
    ("bind", |_, _| Ok(0)),
    ("sk_select_reuseport", |cx, [_, map, key, flags, _]| select(cx, map, key, flags)),
    ("sk_redirect_map", |cx, [_, map, key, flags, _]| by_index(cx, map, key, flags)),
    ("msg_redirect_map", |cx, [_, map, key, flags, _]| by_index(cx, map, key, flags)),
    ("sk_redirect_hash", |cx, [_, map, key, flags, _]| by_key(cx, map, key, flags)),
    ("msg_redirect_hash", |cx, [_, map, key, flags, _]| by_key(cx, map, key, flags)),
    ("sock_map_update", |cx, [_, map, key, flags, _]| put(cx, map, key, flags)),
    ("sock_hash_update", |cx, [_, map, key, flags, _]| put(cx, map, key, flags)),
    ("msg_apply_bytes", |_, _| Ok(0)),
    ("msg_cork_bytes", |_, _| Ok(0)),
    ("tcp_check_syncookie", |_, _| Ok(Errno::ENOENT.code())),
    ("set_retval", set_retval),
    ("get_retval", |cx, _| Ok(cx.env.ret.unwrap_or(0))),
];

/// What every cookie is: there is one socket and one network namespace.
const COOKIE: u64 = 1;
/// `BPF_SOCK_OPS_ALL_CB_FLAGS`
const CALLBACKS: u64 = 0x7f;
/// `SK_DROP`, `SK_PASS`
const DROP: u64 = 0;
const PASS: u64 = 1;

fn setsockopt(cx: &mut Cx<'_>, [_, level, name, value, len]: [u64; 5]) -> Result<u64, Stop> {
    let bytes = cx.bytes(value, u64::from(len as u32))?;
    cx.env.socket_options.insert((level as u32, name as u32), bytes);
    Ok(0)
}

/// What was set before, or zeros.
fn getsockopt(cx: &mut Cx<'_>, [_, level, name, value, len]: [u64; 5]) -> Result<u64, Stop> {
    let known = cx.env.socket_options.get(&(level as u32, name as u32)).cloned().unwrap_or_default();
    let place = cx.bytes_mut(value, u64::from(len as u32))?;
    for (to, from) in place.iter_mut().zip(known.iter().chain(core::iter::repeat(&0))) {
        *to = *from;
    }
    Ok(0)
}

fn set_retval(cx: &mut Cx<'_>, [value, ..]: [u64; 5]) -> Result<u64, Stop> {
    let value = value as i32;
    // Only success and error numbers.
    if !(-4095..=0).contains(&value) {
        return Ok(Errno::EINVAL.code());
    }
    cx.env.ret = Some(i64::from(value) as u64);
    Ok(0)
}

/// Sends to the socket that the map has for the key.
fn send(cx: &mut Cx<'_>, map: u64, key: &[u8], index: u64, flags: u64) -> Result<u64, Stop> {
    let (entry, _) = cx.map(map, "sk_redirect_map", 2)?;
    if flags & !1 != 0 || entry.handle(key).is_none() {
        return Ok(DROP);
    }
    let map = Some(entry.def.name.clone());
    cx.env.output.redirect = Some(Redirect { map, index, flags });
    Ok(PASS)
}

fn by_index(cx: &mut Cx<'_>, map: u64, key: u64, flags: u64) -> Result<u64, Stop> {
    send(cx, map, &(key as u32).to_le_bytes(), u64::from(key as u32), flags)
}

fn by_key(cx: &mut Cx<'_>, map: u64, key: u64, flags: u64) -> Result<u64, Stop> {
    let size = cx.map(map, "sk_redirect_hash", 2)?.0.def.key_size;
    let bytes = cx.bytes(key, u64::from(size))?;
    send(cx, map, &bytes, 0, flags)
}

fn select(cx: &mut Cx<'_>, map: u64, key: u64, flags: u64) -> Result<u64, Stop> {
    let size = cx.map(map, "sk_select_reuseport", 2)?.0.def.key_size;
    let bytes = cx.bytes(key, u64::from(size))?;
    if flags != 0 {
        return Ok(Errno::EINVAL.code());
    }
    match send(cx, map, &bytes, 0, 0)? {
        PASS => Ok(0),
        _ => Ok(Errno::ENOENT.code()),
    }
}

/// The one socket that programs are given goes into the map.
fn put(cx: &mut Cx<'_>, map: u64, key: u64, flags: u64) -> Result<u64, Stop> {
    let size = cx.map(map, "sock_map_update", 2)?.0.def.key_size;
    let key = cx.bytes(key, u64::from(size))?;
    let (entry, memory) = cx.map(map, "sock_map_update", 2)?;
    let size = entry.def.value_size as usize;
    let mut value = COOKIE.to_le_bytes().to_vec();
    value.truncate(size);
    Ok(super::status(entry.update(memory, &key, &value, flags, 0)))
}
