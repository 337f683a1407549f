//! Text for who reads a sequential file, and values shown by their types.

use alloc::vec::Vec;

use skep_stdlib::btf::TypeId;

use super::format::format_args;
use super::show::{self, Flags};
use super::{Cx, Entry, Stop};
use crate::maps::Errno;
use crate::vm::Space;

pub(super) const HELPERS: &[Entry] = &[
    ("seq_printf", seq_printf),
    ("seq_write", seq_write),
    ("seq_printf_btf", seq_printf_btf),
    ("snprintf_btf", snprintf_btf),
];

fn seq_printf(cx: &mut Cx<'_>, [_, fmt, size, data, len]: [u64; 5]) -> Result<u64, Stop> {
    let Some(args) = super::trace::words(cx, data, len)? else { return Ok(Errno::EINVAL.code()) };
    let fmt = cx.bytes(fmt, u64::from(size as u32))?;
    let Some(fmt) = super::trace::terminated(&fmt) else { return Ok(Errno::EINVAL.code()) };
    match format_args(fmt, &args, cx) {
        Ok(text) => {
            cx.env.output.printed.extend(text);
            Ok(0)
        }
        Err(errno) => Ok(errno.code()),
    }
}

fn seq_write(cx: &mut Cx<'_>, [_, data, len, ..]: [u64; 5]) -> Result<u64, Stop> {
    let bytes = cx.bytes(data, u64::from(len as u32))?;
    cx.env.output.printed.extend(bytes);
    Ok(0)
}

/// The value that a `struct btf_ptr` tells of, as text.
fn shown(cx: &Cx<'_>, pointer: u64, size: u64, flags: u64) -> Result<Result<Vec<u8>, Errno>, Stop> {
    let Some(flags) = Flags::new(flags).filter(|_| size as u32 == 16) else { return Ok(Err(Errno::EINVAL)) };
    let pointer = cx.bytes(pointer, 16)?;
    let (words, _) = pointer.as_chunks::<8>();
    let [address, ty] = words else { return Ok(Err(Errno::EINVAL)) };
    let (address, ty) = (u64::from_le_bytes(*address), u64::from_le_bytes(*ty) as u32);
    let Some(btf) = cx.env.kernel_btf.as_ref().or(cx.env.btf.as_ref()).filter(|_| ty != 0) else {
        return Ok(Err(Errno::EINVAL));
    };
    let Some(len) = btf.size_of(TypeId(ty)) else { return Ok(Err(Errno::EINVAL)) };
    let rest = cx.foreign_rest(address, &[Space::Kernel]);
    let Some(bytes) = rest.and_then(|rest| rest.get(..usize::try_from(len).ok()?)) else {
        return Ok(Err(Errno::EFAULT));
    };
    Ok(Ok(show::show(btf, TypeId(ty), bytes, flags)))
}

fn seq_printf_btf(cx: &mut Cx<'_>, [_, pointer, size, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    match shown(cx, pointer, size, flags)? {
        Ok(text) => {
            cx.env.output.printed.extend(text);
            Ok(0)
        }
        Err(errno) => Ok(errno.code()),
    }
}

/// Returns the length of the whole text, without its terminator.
fn snprintf_btf(cx: &mut Cx<'_>, [to, room, pointer, size, flags]: [u64; 5]) -> Result<u64, Stop> {
    let text = match shown(cx, pointer, size, flags)? {
        Ok(text) => text,
        Err(errno) => return Ok(errno.code()),
    };
    super::trace::put_text(cx, to, room, &text)?;
    Ok(text.len() as u64)
}
