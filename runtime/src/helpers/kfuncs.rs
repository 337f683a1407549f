//! Kernel functions that can be executed: those that need nothing of a kernel.
//!
//! They are known by name; a program calls them by the number that the target's BTF gives them.

use super::{Cx, Entry, Stop};
use crate::maps::Errno;

pub(super) const KFUNCS: &[Entry] = &[
    ("bpf_iter_num_new", iter_num_new),
    ("bpf_iter_num_next", iter_num_next),
    ("bpf_iter_num_destroy", iter_num_destroy),
    ("bpf_rcu_read_lock", |_, _| Ok(0)),
    ("bpf_rcu_read_unlock", |_, _| Ok(0)),
    ("bpf_preempt_disable", |_, _| Ok(0)),
    ("bpf_preempt_enable", |_, _| Ok(0)),
];

/// Most steps of a number iterator.
const MAX_LOOPS: i64 = 1 << 23;

/// `struct bpf_iter_num` in the program's stack: the current number and the end.
fn write_iter(cx: &mut Cx<'_>, at: u64, current: i32, end: i32) -> Result<(), Stop> {
    cx.write(at, &current.to_le_bytes())?;
    cx.write(at + 4, &end.to_le_bytes())
}

fn iter_num_new(cx: &mut Cx<'_>, [at, start, end, ..]: [u64; 5]) -> Result<u64, Stop> {
    let (start, end) = (start as i32, end as i32);
    let (answer, current, end) = if start > end {
        (Errno::EINVAL.code(), 0, 0)
    } else if i64::from(end) - i64::from(start) > MAX_LOOPS {
        (Errno::E2BIG.code(), 0, 0)
    } else {
        (0, start.wrapping_sub(1), end)
    };
    write_iter(cx, at, current, end)?;
    Ok(answer)
}

/// The address of the current number, or null at the end.
fn iter_num_next(cx: &mut Cx<'_>, [at, ..]: [u64; 5]) -> Result<u64, Stop> {
    let bytes = cx.bytes(at, 8)?;
    let word =
        |from: usize| bytes.get(from..).and_then(|rest| rest.first_chunk()).map(|w| i32::from_le_bytes(*w));
    let (current, end) = (word(0).unwrap_or(0), word(4).unwrap_or(0));
    let next = current.wrapping_add(1);
    if next >= end {
        write_iter(cx, at, 0, 0)?;
        return Ok(0);
    }
    write_iter(cx, at, next, end)?;
    Ok(at)
}

fn iter_num_destroy(cx: &mut Cx<'_>, [at, ..]: [u64; 5]) -> Result<u64, Stop> {
    write_iter(cx, at, 0, 0)?;
    Ok(0)
}
