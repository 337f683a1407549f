//! Messages of sockets: bytes put in, taken out, made accessible.
//!
//! The kernel has a message in pieces, and a program sees one at a time: the first, unless it asks for
//! others. What is put in is a piece of its own, and cuts the one it goes into.

use alloc::vec::Vec;

use super::{Cx, Entry, Stop, bad};
use crate::maps::Errno;
use crate::vm::hook::Message;
use crate::vm::{FaultKind, Packet};

pub(super) const HELPERS: &[Entry] =
    &[("msg_push_data", push_data), ("msg_pop_data", pop_data), ("msg_pull_data", pull_data)];

/// The packet that stands for the message, and the message. At first it is one piece.
fn message(cx: &mut Cx<'_>, helper: &'static str) -> Result<(Packet, Message), Stop> {
    let packet = cx.env.packet.ok_or(bad(helper, 1, "is not a context with a message"))?;
    let message = cx.env.hook.message.take().unwrap_or_else(|| {
        let len = packet.end - packet.data;
        Message { start: packet.data, pieces: if len == 0 { Vec::new() } else { alloc::vec![len] } }
    });
    Ok((packet, message))
}

/// The piece that a place is in, and where that begins; none behind the last.
fn piece_at(message: &Message, at: u64) -> Option<(usize, u64)> {
    let mut start = 0;
    for (index, len) in message.pieces.iter().enumerate() {
        if at < start + len {
            return Some((index, start));
        }
        start += len;
    }
    None
}

/// Shows the program so many bytes from a place, and everyone how long the message is.
fn set(cx: &mut Cx<'_>, packet: Packet, message: Message, from: u64, len: u64) {
    cx.env.set_context_number("size", message.len());
    let data = message.start + from;
    cx.env.hook.message = Some(message);
    cx.set_packet(Packet { data, meta: data, end: data + len, ..packet });
}

/// Replaces `removed` bytes at a place by others.
fn splice(cx: &mut Cx<'_>, message: &Message, at: u64, removed: u64, added: &[u8]) -> Result<(), Stop> {
    let len = message.len();
    let fault = FaultKind::Access { address: message.start, size: len, write: true };
    let mut bytes = cx.env.memory.hidden(message.start, len).ok_or(Stop::Fault(fault.clone()))?.to_vec();
    let (from, to) = (at as usize, (at + removed) as usize);
    bytes.splice(from..to, added.iter().copied());
    let place = cx.env.memory.hidden_mut(message.start, bytes.len() as u64).ok_or(Stop::Fault(fault))?;
    place.copy_from_slice(&bytes);
    Ok(())
}

fn push_data(cx: &mut Cx<'_>, [_, start, len, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    let (start, len) = (u64::from(start as u32), u64::from(len as u32));
    if flags != 0 {
        return Ok(Errno::EINVAL.code());
    }
    if len == 0 {
        return Ok(0);
    }
    let (packet, mut message) = message(cx, "msg_push_data")?;
    let total = message.len();
    let room = packet.buffer + u64::from(packet.capacity) - message.start;
    if start > total || total + len > room {
        let errno = if start > total { Errno::EINVAL } else { Errno::ENOMEM };
        cx.env.hook.message = Some(message);
        return Ok(errno.code());
    }
    splice(cx, &message, start, 0, &alloc::vec![0; len as usize])?;
    match piece_at(&message, start) {
        Some((index, begin)) if begin == start => message.pieces.insert(index, len),
        Some((index, begin)) => {
            let behind = message.pieces[index] - (start - begin);
            message.pieces.splice(index..=index, [start - begin, len, behind]);
        }
        None => message.pieces.push(len),
    }
    let first = message.pieces.first().copied().unwrap_or(0);
    set(cx, packet, message, 0, first);
    Ok(0)
}

fn pop_data(cx: &mut Cx<'_>, [_, start, len, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    let (start, len) = (u64::from(start as u32), u64::from(len as u32));
    if flags != 0 {
        return Ok(Errno::EINVAL.code());
    }
    if len == 0 {
        return Ok(0);
    }
    let (packet, mut message) = message(cx, "msg_pop_data")?;
    if start + len > message.len() {
        cx.env.hook.message = Some(message);
        return Ok(Errno::EINVAL.code());
    }
    splice(cx, &message, start, len, &[])?;
    let mut begin = 0;
    let mut pieces = Vec::new();
    for &piece in &message.pieces {
        let end = begin + piece;
        let (front, behind) = (start.clamp(begin, end) - begin, end - (start + len).clamp(begin, end));
        pieces.extend([front, behind].into_iter().filter(|&len| len != 0));
        begin = end;
    }
    message.pieces = pieces;
    let first = message.pieces.first().copied().unwrap_or(0);
    set(cx, packet, message, 0, first);
    Ok(0)
}

/// Makes the bytes from one place to another accessible, and those only.
fn pull_data(cx: &mut Cx<'_>, [_, start, end, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    let (start, end) = (u64::from(start as u32), u64::from(end as u32));
    let (packet, mut message) = message(cx, "msg_pull_data")?;
    let found = piece_at(&message, start).filter(|_| flags == 0 && end > start && end <= message.len());
    let Some((index, begin)) = found else {
        cx.env.hook.message = Some(message);
        return Ok(Errno::EINVAL.code());
    };
    while begin + message.pieces[index] < end {
        let next = message.pieces.remove(index + 1);
        message.pieces[index] += next;
    }
    set(cx, packet, message, start, end - start);
    Ok(0)
}
