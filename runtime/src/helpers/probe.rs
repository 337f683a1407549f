//! Reads of memory that the program does not own.
//!
//! The kernel's memory is what the run's input placed there, and also all of the program's own;
//! a process's memory is only what the input placed. An address that is neither gives `-EFAULT`
//! and a cleared buffer, as in the kernel.

use alloc::vec::Vec;

use super::{Cx, Entry, Stop};
use crate::maps::Errno;
use crate::vm::Space;

pub(super) const HELPERS: &[Entry] = &[
    ("probe_read", |cx, args| probe_read(cx, args, &[Space::Kernel, Space::User])),
    ("probe_read_kernel", |cx, args| probe_read(cx, args, &[Space::Kernel])),
    ("probe_read_user", |cx, args| probe_read(cx, args, &[Space::User])),
    ("copy_from_user", |cx, args| probe_read(cx, args, &[Space::User])),
    ("copy_from_user_task", |cx, args| probe_read(cx, args, &[Space::User])),
    ("probe_read_str", |cx, args| probe_read_str(cx, args, &[Space::Kernel, Space::User])),
    ("probe_read_kernel_str", |cx, args| probe_read_str(cx, args, &[Space::Kernel])),
    ("probe_read_user_str", |cx, args| probe_read_str(cx, args, &[Space::User])),
    ("probe_write_user", probe_write_user),
];

impl Cx<'_> {
    /// The bytes at an address of one of `spaces`, as far as they go.
    pub(super) fn foreign_rest(&self, address: u64, spaces: &[Space]) -> Option<&[u8]> {
        let memory = &self.env.memory;
        let own = || memory.rest(address).filter(|_| spaces.contains(&Space::Kernel));
        spaces.iter().find_map(|&space| memory.foreign.rest(space, address)).or_else(own)
    }

    /// A terminated string outside of the program, or what there is of it.
    pub(super) fn foreign_string(&self, address: u64, spaces: &[Space]) -> Option<Vec<u8>> {
        let rest = self.foreign_rest(address, spaces)?;
        let len = rest.iter().position(|&byte| byte == 0)?;
        Some(rest.get(..len)?.to_vec())
    }
}

fn probe_read(cx: &mut Cx<'_>, [to, size, from, ..]: [u64; 5], spaces: &[Space]) -> Result<u64, Stop> {
    let size = u64::from(size as u32);
    let wanted = usize::try_from(size).unwrap_or(usize::MAX);
    let found = cx.foreign_rest(from, spaces).and_then(|rest| rest.get(..wanted)).map(<[u8]>::to_vec);
    let buffer = cx.bytes_mut(to, size)?;
    match found {
        Some(bytes) => {
            buffer.copy_from_slice(&bytes);
            Ok(0)
        }
        None => {
            buffer.fill(0);
            Ok(Errno::EFAULT.code())
        }
    }
}

/// Returns the length with the terminator; a string that does not fit is cut and terminated.
pub(super) fn probe_read_str(
    cx: &mut Cx<'_>,
    [to, size, from, ..]: [u64; 5],
    spaces: &[Space],
) -> Result<u64, Stop> {
    let size = u64::from(size as u32);
    if size == 0 {
        return Ok(0);
    }
    let room = usize::try_from(size - 1).unwrap_or(usize::MAX);
    let found = cx.foreign_rest(from, spaces).and_then(|rest| {
        let len = rest.iter().position(|&byte| byte == 0).or((rest.len() > room).then_some(room))?;
        Some(rest.get(..len.min(room))?.to_vec())
    });
    let buffer = cx.bytes_mut(to, size)?;
    match found {
        Some(bytes) => {
            for (to, byte) in buffer.iter_mut().zip(bytes.iter().chain(core::iter::once(&0))) {
                *to = *byte;
            }
            Ok(bytes.len() as u64 + 1)
        }
        None => {
            buffer.fill(0);
            Ok(Errno::EFAULT.code())
        }
    }
}

fn probe_write_user(cx: &mut Cx<'_>, [to, from, size, ..]: [u64; 5]) -> Result<u64, Stop> {
    let bytes = cx.bytes(from, u64::from(size as u32))?;
    match cx.env.memory.foreign.read_mut(Space::User, to, bytes.len() as u64) {
        Some(place) => {
            place.copy_from_slice(&bytes);
            Ok(0)
        }
        None => Ok(Errno::EPERM.code()),
    }
}
