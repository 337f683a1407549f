//! Kernel parameters: the one that is being read or written.

use alloc::vec::Vec;

use super::{Cx, Entry, Stop};
use crate::maps::Errno;

pub(super) const HELPERS: &[Entry] = &[
    ("sysctl_get_name", get_name),
    ("sysctl_get_current_value", get_current_value),
    ("sysctl_get_new_value", get_new_value),
    ("sysctl_set_new_value", set_new_value),
];

/// `BPF_F_SYSCTL_BASE_NAME`
const BASE_NAME: u64 = 1;
/// Bytes of a page: the longest value, with its terminator.
const PAGE: usize = 4096;

/// Returns the length of the name, or an error if it was cut.
fn get_name(cx: &mut Cx<'_>, [_, to, size, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    let name = &cx.env.hook.sysctl.name;
    let base = match flags & BASE_NAME {
        0 => None,
        _ => name.iter().rposition(|&byte| byte == b'/'),
    };
    let name: Vec<u8> = name.get(base.map_or(0, |at| at + 1)..).unwrap_or_default().to_vec();
    super::trace::put_text(cx, to, size, &name)?;
    Ok(if name.len() as u64 >= size { Errno::E2BIG.code() } else { name.len() as u64 })
}

fn put_value(cx: &mut Cx<'_>, to: u64, size: u64, value: &[u8]) -> Result<u64, Stop> {
    let buffer = cx.bytes_mut(to, size)?;
    buffer.fill(0);
    if size == 0 {
        return Ok(Errno::E2BIG.code());
    }
    if value.is_empty() {
        return Ok(Errno::EINVAL.code());
    }
    super::trace::put_text(cx, to, size, value)?;
    Ok(if size > value.len() as u64 { value.len() as u64 } else { Errno::E2BIG.code() })
}

fn get_current_value(cx: &mut Cx<'_>, [_, to, size, ..]: [u64; 5]) -> Result<u64, Stop> {
    let value = cx.env.hook.sysctl.value.clone();
    put_value(cx, to, size, &value)
}

fn get_new_value(cx: &mut Cx<'_>, [_, to, size, ..]: [u64; 5]) -> Result<u64, Stop> {
    let value = match cx.env.context_number("write") {
        0 => Vec::new(),
        _ => cx.env.hook.sysctl.new_value.clone(),
    };
    put_value(cx, to, size, &value)
}

fn set_new_value(cx: &mut Cx<'_>, [_, from, size, ..]: [u64; 5]) -> Result<u64, Stop> {
    let bytes = cx.bytes(from, size)?;
    let is_written = cx.env.context_number("write") != 0 && !cx.env.hook.sysctl.new_value.is_empty();
    if !is_written || bytes.is_empty() {
        return Ok(Errno::EINVAL.code());
    }
    if bytes.len() > PAGE - 1 {
        return Ok(Errno::E2BIG.code());
    }
    let text = alloc::string::String::from_utf8_lossy(&bytes);
    let request = alloc::format!("sysctl_set_new_value({:?})", text.trim_end_matches('\0'));
    cx.env.output.requests.push(request);
    cx.env.hook.sysctl.new_value = bytes;
    Ok(0)
}
