//! Lines for the trace log, and `bpf_snprintf`.

use alloc::string::String;
use alloc::vec::Vec;

use super::format::{Source, format_args};
use super::{Cx, Entry, Stop};
use crate::maps::Errno;
use crate::vm::Space;

pub(super) const HELPERS: &[Entry] =
    &[("trace_printk", trace_printk), ("trace_vprintk", trace_vprintk), ("snprintf", snprintf)];

/// Bytes of the kernel's buffer for a line, the terminator included.
const LINE_MAX: usize = 1024;
/// Most arguments of the variadic forms.
const MAX_ARGS: u64 = 12;

impl Source for Cx<'_> {
    fn string(&self, address: u64) -> Option<Vec<u8>> {
        self.foreign_string(address, &[Space::Kernel, Space::User])
    }

    fn bytes(&self, address: u64, len: usize) -> Option<Vec<u8>> {
        let rest = self.foreign_rest(address, &[Space::Kernel, Space::User])?;
        Some(rest.get(..len)?.to_vec())
    }
}

fn trace_printk(cx: &mut Cx<'_>, [fmt, size, a, b, c]: [u64; 5]) -> Result<u64, Stop> {
    print(cx, fmt, size, &[a, b, c])
}

fn trace_vprintk(cx: &mut Cx<'_>, [fmt, size, data, len, _]: [u64; 5]) -> Result<u64, Stop> {
    match words(cx, data, len)? {
        Some(args) => print(cx, fmt, size, &args),
        None => Ok(Errno::EINVAL.code()),
    }
}

/// The arguments that a variadic helper gets as an array.
pub(super) fn words(cx: &Cx<'_>, data: u64, len: u64) -> Result<Option<Vec<u64>>, Stop> {
    let len = u64::from(len as u32);
    if len % 8 != 0 || len > MAX_ARGS * 8 || (data == 0 && len != 0) {
        return Ok(None);
    }
    let bytes = cx.bytes(data, len)?;
    Ok(Some(bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect()))
}

/// Returns the length of the text. A newline at the end is the line's, not the text's.
fn print(cx: &mut Cx<'_>, fmt: u64, size: u64, args: &[u64]) -> Result<u64, Stop> {
    let fmt = cx.bytes(fmt, u64::from(size as u32))?;
    let Some(fmt) = terminated(&fmt) else { return Ok(Errno::EINVAL.code()) };
    let text = match format_args(fmt, args, cx) {
        Ok(text) => text,
        Err(errno) => return Ok(errno.code()),
    };
    let len = text.len() as u64;
    let shown = text.get(..LINE_MAX - 1).unwrap_or(&text);
    let shown = shown.strip_suffix(b"\n").unwrap_or(shown);
    cx.env.output.trace.push(String::from_utf8_lossy(shown).into_owned());
    Ok(len)
}

/// The bytes before the terminator, which must come last or earlier.
pub(super) fn terminated(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..bytes.iter().position(|&byte| byte == 0)?)
}

/// Returns the length that the whole text needs, with its terminator.
fn snprintf(cx: &mut Cx<'_>, [to, size, fmt, data, len]: [u64; 5]) -> Result<u64, Stop> {
    let Some(args) = words(cx, data, len)? else { return Ok(Errno::EINVAL.code()) };
    let fmt = cx.string(fmt)?;
    let text = match format_args(&fmt, &args, cx) {
        Ok(text) => text,
        Err(errno) => return Ok(errno.code()),
    };
    put_text(cx, to, size, &text)?;
    Ok(text.len() as u64 + 1)
}

/// As much of a text as fits into `size` bytes, terminated.
pub(super) fn put_text(cx: &mut Cx<'_>, to: u64, size: u64, text: &[u8]) -> Result<(), Stop> {
    let buffer = cx.bytes_mut(to, u64::from(size as u32))?;
    let kept = text.len().min(buffer.len().saturating_sub(1));
    for (to, &byte) in buffer.iter_mut().zip(text.iter().take(kept).chain(core::iter::once(&0))) {
        *to = byte;
    }
    Ok(())
}
