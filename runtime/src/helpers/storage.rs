//! Values that belong to a kernel object: a task, a socket, an inode, a control group.
//!
//! The object is known by its address, whatever is there.

use super::{Cx, Entry, Stop};
use crate::maps::BPF_NOEXIST;
use crate::vm::FaultKind;

pub(super) const HELPERS: &[Entry] = &[
    ("task_storage_get", |cx, args| storage_get(cx, args, "task_storage_get")),
    ("sk_storage_get", |cx, args| storage_get(cx, args, "sk_storage_get")),
    ("inode_storage_get", |cx, args| storage_get(cx, args, "inode_storage_get")),
    ("cgrp_storage_get", |cx, args| storage_get(cx, args, "cgrp_storage_get")),
    ("task_storage_delete", |cx, args| storage_delete(cx, args, "task_storage_delete")),
    ("sk_storage_delete", |cx, args| storage_delete(cx, args, "sk_storage_delete")),
    ("inode_storage_delete", |cx, args| storage_delete(cx, args, "inode_storage_delete")),
    ("cgrp_storage_delete", |cx, args| storage_delete(cx, args, "cgrp_storage_delete")),
];

/// `BPF_LOCAL_STORAGE_GET_F_CREATE`.
const CREATE: u64 = 1;

/// A value that is made begins as the bytes at `initial`, or as zeros.
fn storage_get(
    cx: &mut Cx<'_>,
    [map, owner, initial, flags, _]: [u64; 5],
    helper: &'static str,
) -> Result<u64, Stop> {
    let key = owner.to_le_bytes();
    let (entry, memory) = cx.map(map, helper, 1)?;
    if owner == 0 || flags & !CREATE != 0 {
        return Ok(0);
    }
    if let Some(address) = entry.lookup(&key, 0) {
        return Ok(address);
    }
    if flags & CREATE == 0 {
        return Ok(0);
    }
    let size = u64::from(entry.def.value_size);
    let value = match initial {
        0 => alloc::vec![0; size as usize],
        address => {
            let fault = FaultKind::Access { address, size, write: false };
            memory.read(address, size).ok_or(Stop::Fault(fault))?.to_vec()
        }
    };
    if entry.update(memory, &key, &value, BPF_NOEXIST, 0).is_err() {
        return Ok(0);
    }
    Ok(entry.lookup(&key, 0).unwrap_or(0))
}

fn storage_delete(cx: &mut Cx<'_>, [map, owner, ..]: [u64; 5], helper: &'static str) -> Result<u64, Stop> {
    let (entry, memory) = cx.map(map, helper, 1)?;
    Ok(super::status(entry.delete(memory, &owner.to_le_bytes())))
}
